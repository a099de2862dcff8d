"""``qfleet app``: the application packs, where they are installed beside this command."""

from importlib import metadata

import typer

from qfleet import errors
from qfleet.command import outcome

GROUP = "qfleet.applications"
"""Entry points of packs; one is a function that takes the arguments after ``qfleet app``."""


def app(context: typer.Context) -> None:
    """Solve a problem of your field on the fleet: healthcare, finance, manufacturing, cities, cognition."""
    found = list(metadata.entry_points(group=GROUP))
    try:
        if not found:
            hint = "pip install 'qfleet-applications[all]'"
            raise errors.UserError("no application packs are installed here", hint=hint)
        found[0].load()(context.args)
    except errors.QFleetError as error:
        outcome.fail(error, json="--json" in context.args)
