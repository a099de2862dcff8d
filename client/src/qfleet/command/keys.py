"""``qfleet key``: stores, links, sessions, relays and alarms of keys between devices; never a key."""

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from qfleet import errors
from qfleet.command import options, outcome
from qfleet.fleet import Fleet
from qfleet.render import key_details, terminal
from qfleet.render import keys as draw
from qfleet_wire.api import keys as api

application = typer.Typer(
    help="Make keys between devices, and see what they hold. Numbers only: no key is ever shown.",
    no_args_is_help=True,
)
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Show so many.")]
End = Annotated[str, typer.Argument(help="A device, or its place in the scenario.")]
Wait = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="Wait so long for its end; 0 returns at once.")
]


@application.command("list")
@outcome.reported
def list_stores(*, json: options.Json = False) -> None:
    """List what both ends of each link hold, may still allot, and have used."""
    with Fleet.from_configuration() as fleet:
        found = fleet.keys.links()
    if json:
        terminal.write_json(found)
    else:
        terminal.output().print(draw.stores(found))
        _say_basis(found)


@application.command("links")
@outcome.reported
def links(*, json: options.Json = False) -> None:
    """List the links that join two devices: state, secret bits per second, and error rates over time."""
    with Fleet.from_configuration() as fleet:
        found, history = fleet.keys.links(), fleet.keys.sessions(limit=1000)
    if json:
        told = {one.link: draw.course(one.link, history) for one in found}
        terminal.write_json({"links": found, "error_rates": told})
        return
    terminal.output().print(draw.links(found, history))
    _say_basis(found)


@application.command("sessions")
@outcome.reported
def sessions(
    *,
    link: Annotated[str, typer.Option(metavar="A|B", help="Only those of this link.")] = "",
    limit: Limit = 50,
    json: options.Json = False,
) -> None:
    """List sessions, the latest first: key, error rate, what was told, and why one gave none."""
    with Fleet.from_configuration() as fleet:
        found = fleet.keys.sessions(link=link, limit=limit)
    if json:
        terminal.write_json(found)
        return
    terminal.output().print(draw.sessions(found))
    _say_basis(found)


@application.command("relays")
@outcome.reported
def relays(*, limit: Limit = 50, json: options.Json = False) -> None:
    """List relays, the latest first: the route, and the nodes that had to be trusted."""
    with Fleet.from_configuration() as fleet:
        found = fleet.keys.relays(limit=limit)
    if json:
        terminal.write_json(found)
    else:
        terminal.output().print(draw.relays(found))
        _say_basis(found)


@application.command("alarms")
@outcome.reported
def alarms(*, limit: Limit = 50, json: options.Json = False) -> None:
    """List alarms, the latest first: what was seen where, and what was done."""
    with Fleet.from_configuration() as fleet:
        found = fleet.keys.alarms(limit=limit)
    if json:
        terminal.write_json(found)
    else:
        terminal.output().print(draw.alarms(found))
        _say_basis(found)


@application.command("show")
@outcome.reported
def show(
    name: Annotated[
        str, typer.Argument(metavar="SESSION|RELAY", help="Its name, or the first letters of it.")
    ],
    *,
    json: options.Json = False,
) -> None:
    """Show one session or relay: who asked for it, how it stands, and what its ends said."""
    with Fleet.from_configuration() as fleet:
        found = fleet.keys.find(name)
    if json:
        terminal.write_json(found)
    elif isinstance(found, api.KeySessionDetail):
        terminal.output().print(key_details.session(found))
        _say_basis([found.session])
    else:
        terminal.output().print(key_details.relay(found))
        _say_basis([found.relay])


@application.command("exchange")
@outcome.reported
def exchange(  # noqa: PLR0913 - the options of a command are its parameters
    a: End,
    b: End,
    *,
    eavesdropper: Annotated[
        Literal["intercept", "split", "blind"] | None,
        typer.Option(help="For an exercise on simulated light: who listens."),
    ] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the light that she takes.")] = 1.0,
    pulses: Annotated[int | None, typer.Option(min=1, help="Fewer pulses than planned.")] = None,
    wait: Wait = 60.0,
    json: options.Json = False,
) -> None:
    """Let two devices with a link make a key now."""
    with Fleet.from_configuration() as fleet:
        found = fleet.keys.exchange(a, b, eavesdropper=eavesdropper, share=share, pulses=pulses)
        if wait:
            found = fleet.keys.wait_for_session(found.session, timeout_s=wait)
    if json:
        terminal.write_json(found)
    else:
        terminal.output().print(draw.sessions([found]))
        _say_basis([found])
    _fail_without_key(found.status, found.seen or found.reason)


@application.command("relay")
@outcome.reported
def relay(
    a: End,
    b: End,
    *,
    size: Annotated[int, typer.Option("--bytes", min=1, help="Of the key.")] = 32,
    wait: Wait = 60.0,
    json: options.Json = False,
) -> None:
    """Let two devices without a link share a key, over nodes that the answer names as trusted."""
    with Fleet.from_configuration() as fleet:
        found = fleet.keys.relay(a, b, size=size)
        if wait:
            found = fleet.keys.wait_for_relay(found.relay, timeout_s=wait)
    if json:
        terminal.write_json(found)
    else:
        terminal.output().print(draw.relays([found]))
        _say_basis([found])
    _fail_without_key(found.status, found.reason)


def _say_basis(
    views: Sequence[api.KeyLinkView | api.KeySessionView | api.KeyRelayView | api.KeyAlarmView],
) -> None:
    if words := draw.basis(views):
        terminal.say(words)


def _fail_without_key(status: api.KeyStatus, why: str) -> None:
    """End as a job does that has failed, where it gave no key."""
    if status in {"aborted", "expired"}:
        terminal.say(f"No key: {why or status}.")
        raise typer.Exit(errors.JobFailed.exit_code)
