"""``qfleet network``: load a scenario of the quantum network, look at it, ask for ways, run its twin."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from qfleet import errors
from qfleet.command import options, outcome
from qfleet.fleet import Fleet
from qfleet.render import network as draw
from qfleet.render import terminal
from qfleet_wire.api import network as api

application = typer.Typer(
    help="Run the digital twin of a quantum key network. All of it is simulated.", no_args_is_help=True
)
Limit = Annotated[int, typer.Option(min=1, max=api.MOST_LISTED, help="Show so many.")]
Node = Annotated[str, typer.Argument(help="Name of a site or satellite.")]


@application.command("list")
@outcome.reported
def list_scenarios(*, json: options.Json = False) -> None:
    """List the scenarios that come with the control plane."""
    with Fleet.from_configuration() as fleet:
        found = fleet.network.shipped()
    if json:
        terminal.write_json(found)
    else:
        terminal.output().print(draw.shipped(found))


@application.command("print")
@outcome.reported
def print_scenario(
    scenario: Annotated[str, typer.Argument(help="One that ships; else the loaded one.")] = "",
    *,
    json: options.Json = False,
) -> None:
    """Print a scenario's file, to read it or to begin one's own with it."""
    with Fleet.from_configuration() as fleet:
        found = fleet.network.text(scenario)
    if json:
        terminal.write_json(found)
    else:
        # A terminal may be steered by what stands in it; a file gets it as it was written.
        shown = terminal.printable(found.text) if terminal.output().is_terminal else found.text
        typer.echo(shown, nl=False)


@application.command("load")
@outcome.reported
def load(
    scenario: Annotated[str, typer.Argument(help="A scenario that ships, or a file that ends in .toml.")],
    *,
    json: options.Json = False,
) -> None:
    """Check a scenario, compute its passes and contacts, and make it the fleet's network."""
    with Fleet.from_configuration() as fleet:
        if scenario.endswith(".toml"):
            view = fleet.network.load(text=_text(Path(scenario)), source=Path(scenario).name)
        else:
            view = fleet.network.load(name=scenario)
    _show(view, json=json)


@application.command("show")
@outcome.reported
def show(*, json: options.Json = False) -> None:
    """Show the scenario that is loaded."""
    with Fleet.from_configuration() as fleet:
        view = fleet.network.show()
    _show(view, json=json)


@application.command("passes")
@outcome.reported
def passes(
    *,
    satellite: Annotated[str, typer.Option(help="Only of this satellite.")] = "",
    site: Annotated[str, typer.Option(help="Only over this site.")] = "",
    limit: Limit = 50,
    json: options.Json = False,
) -> None:
    """List passes of satellites over sites: rise, culmination, set, night, and the key they give."""
    with Fleet.from_configuration() as fleet:
        view = fleet.network.passes(satellite=satellite, site=site, limit=limit)
    if json:
        terminal.write_json(view)
        return
    terminal.output().print(draw.passes(view))
    _count(len(view.passes), view.total, "passes")


@application.command("contacts")
@outcome.reported
def contacts(
    *,
    node: Annotated[
        list[str] | None, typer.Option(help="Only of this node; twice: only between these two.")
    ] = None,
    limit: Limit = 50,
    json: options.Json = False,
) -> None:
    """List the contact plan: who makes keys with whom, when, and how many bits are expected."""
    named = [*(node or []), "", ""]
    if len(named) > 4:
        raise errors.UserError("a contact has two nodes", hint="give --node at most twice")
    with Fleet.from_configuration() as fleet:
        view = fleet.network.contacts(a=named[0], b=named[1], limit=limit)
    if json:
        terminal.write_json(view)
        return
    terminal.output().print(draw.contacts(view))
    _count(len(view.contacts), view.total, "contacts")


@application.command("route")
@outcome.reported
def route(  # noqa: PLR0913 – the options of a command are its parameters
    a: Node,
    b: Node,
    *,
    bits: Annotated[float, typer.Option(min=1, help="So many bits of key.")] = 256.0,
    at: Annotated[float, typer.Option(min=0, help="From so many seconds after the epoch on.")] = 0.0,
    alternatives: Annotated[int, typer.Option(min=1, max=100, help="So many ways at most.")] = 3,
    json: options.Json = False,
) -> None:
    """Say how a key comes from one site to another, over trusted nodes that store and carry it."""
    with Fleet.from_configuration() as fleet:
        view = fleet.network.routes(a, b, bits=bits, at_s=at, alternatives=alternatives)
    if json:
        terminal.write_json(view)
    elif view.routes:
        terminal.output().print(draw.routes(view))
        terminal.say(draw.BASIS)
    else:
        terminal.say(f"No way from {a} to {b}: {view.reason}.")


@application.command("entangle")
@outcome.reported
def entangle(
    a: Node,
    b: Node,
    *,
    fidelity: Annotated[float, typer.Option(help="Of the pairs, at least.")] = 0.9,
    alternatives: Annotated[int, typer.Option(min=1, max=20, help="So many ways at most.")] = 3,
    json: options.Json = False,
) -> None:
    """Say which ways over the fibres would deliver most entangled pairs of a fidelity, with repeaters."""
    with Fleet.from_configuration() as fleet:
        view = fleet.network.entanglement(a, b, fidelity=fidelity, alternatives=alternatives)
    if json:
        terminal.write_json(view)
    else:
        terminal.output().print(draw.entanglement(view))
        terminal.say(draw.BASIS)


@application.command("plan")
@outcome.reported
def plan(*, json: options.Json = False) -> None:
    """Book every demand of the scenario, the most urgent first, and say what cannot be served."""
    with Fleet.from_configuration() as fleet:
        view = fleet.network.plan()
    if json:
        terminal.write_json(view)
        return
    terminal.output().print(draw.plan(view))
    terminal.say(
        f"{view.contacts_used:,} contacts used, {100 * view.booked_share:.1f} % of all expected key booked. "
        f"{draw.BASIS}"
    )


@application.command("simulate")
@outcome.reported
def simulate(
    *,
    speed: Annotated[float, typer.Option(min=0.001, help="So many times as fast as the clock.")] = 600.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the weather: at the epoch, or with --restart.")] = 0,
    restart: Annotated[bool, typer.Option("--restart", help="Begin again at the epoch.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it until it ends; Ctrl-C lets it go on.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Run the twin: stores fill and drain, clouds and faults come, alarms are raised."""
    with Fleet.from_configuration() as fleet:
        view = fleet.network.simulate(speed=speed, seed=seed, restart=restart)
        if watch:
            view = _watched(fleet, drawn=not json)
    _tell(view, json=json)


@application.command("stop")
@outcome.reported
def stop(*, json: options.Json = False) -> None:
    """Let the twin stand still where it is; `simulate` lets it go on."""
    with Fleet.from_configuration() as fleet:
        view = fleet.network.stop()
    _tell(view, json=json)


@application.command("status")
@outcome.reported
def status(*, json: options.Json = False) -> None:
    """Show the twin as it is: time, stores, demands, faults and alarms."""
    with Fleet.from_configuration() as fleet:
        view = fleet.network.twin()
    _tell(view, json=json)


@application.command("break")
@outcome.reported
def break_link(
    a: Node,
    b: Node,
    *,
    intercept: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Let this share of the pulses be intercepted instead."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Let a link of the twin fail, or somebody listen on it."""
    with Fleet.from_configuration() as fleet:
        if intercept is None:
            view = fleet.network.fault(a, b, "failed")
        else:
            view = fleet.network.fault(a, b, "intercepted", share=intercept)
    _tell(view, json=json)


@application.command("mend")
@outcome.reported
def mend(a: Node, b: Node, *, json: options.Json = False) -> None:
    """Let a link of the twin be well again."""
    with Fleet.from_configuration() as fleet:
        view = fleet.network.fault(a, b, "none")
    _tell(view, json=json)


def _show(view: api.NetworkView, *, json: bool) -> None:
    if json:
        terminal.write_json(view)
    else:
        terminal.output().print(draw.network(view))
        terminal.say(draw.BASIS)


def _tell(view: api.TwinView, *, json: bool) -> None:
    if json:
        terminal.write_json(view)
    else:
        terminal.output().print(draw.twin(view))
        terminal.say(draw.BASIS)


def _watched(fleet: Fleet, *, drawn: bool) -> api.TwinView:
    """Follow the twin until it runs no more, and return how it ended."""
    view = fleet.network.twin()
    with (
        Live(console=terminal.output(), auto_refresh=False, transient=True)
        if drawn
        else nullcontext() as live
    ):
        for view in fleet.network.watch():
            if live is not None:
                live.update(draw.twin(view), refresh=True)
    return view


def _count(shown: int, total: int, what: str) -> None:
    left_off = f" of {total:,}" if total > shown else ""
    terminal.say(f"{shown:,}{left_off} {what}. {draw.BASIS}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(
            f"{path}: cannot be read: {error}", hint="`qfleet network list` names those that ship"
        ) from error
