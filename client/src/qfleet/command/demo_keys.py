"""``qfleet demo-keys``: two sites, a satellite relay, and an eavesdropper, on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from qfleet.command import options, outcome
from qfleet.demo import directory as directories
from qfleet.demo import key_tour


@outcome.reported
def demo_keys(
    *,
    directory: Annotated[
        Path | None,
        typer.Option(help="Where state and logs go; ~/.local/state/qfleet/demo-keys if not given."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Make, relay and deliver keys between two sites here, rotate a tunnel's, and catch an eavesdropper."""
    if not key_tour.run(
        directories.Directory(directory or directories.default().with_name("demo-keys")), json=json
    ):
        raise typer.Exit(5)
