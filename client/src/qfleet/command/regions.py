"""``qfleet region``: list."""

import typer

from qfleet.command import options, outcome
from qfleet.fleet import Fleet
from qfleet.render import tables, terminal

application = typer.Typer(help="See regions and who leads them.", no_args_is_help=True)


@application.callback()
def regions() -> None:
    """See regions and who leads them."""


@application.command("list")
@outcome.reported
def list_regions(*, json: options.Json = False) -> None:
    """List all regions."""
    with Fleet.from_configuration() as fleet:
        views = fleet.regions()
    if json:
        terminal.write_json(views)
    else:
        terminal.output().print(tables.regions(views))
