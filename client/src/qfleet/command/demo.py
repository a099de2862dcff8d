"""``qfleet demo``: a whole fleet on this machine, and the main job through all of it."""

from pathlib import Path
from typing import Annotated

import typer

from qfleet.command import options, outcome
from qfleet.demo import directory as directories
from qfleet.demo import scenario


@outcome.reported
def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running and say how to use it.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop what an earlier --keep left running.")] = False,
    directory: Annotated[
        Path | None, typer.Option(help="Where state and logs go; ~/.local/state/qfleet/demo if not given.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Start a control plane and three devices here, run three programs, compare with exact values."""
    place = directories.Directory(directory or directories.default())
    if stop:
        scenario.stop(place, json=json)
    elif not scenario.run(place, keep=keep, json=json):
        raise typer.Exit(5)
