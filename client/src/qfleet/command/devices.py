"""``qfleet device``: invite, list, show, and take out of service."""

import sys
import time
from typing import Annotated

import typer

from qfleet import errors, wording
from qfleet.command import options, outcome
from qfleet.fleet import Fleet
from qfleet.render import cells, qr, terminal
from qfleet.render import devices as draw
from qfleet_wire import api

application = typer.Typer(
    help="Invite devices, see them, and take them out of service or back in.", no_args_is_help=True
)
Reason = Annotated[str, typer.Option(help="Why; it stands in the audit log.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@application.command("invite")
@outcome.reported
def invite(
    name: options.DeviceArgument,
    *,
    valid_s: Annotated[float, typer.Option(min=1, help="The token is good for so many seconds.")] = 3600.0,
    region: Annotated[
        str | None, typer.Option(help="Region to join; may be left out where there is one.")
    ] = None,
    show_qr: Annotated[bool, typer.Option("--qr/--no-qr", help="Draw the token as a QR code too.")] = True,
    json: options.Json = False,
) -> None:
    """Make a one-time join token for a new device; it is shown once."""
    with Fleet.from_configuration() as fleet:
        invitation = fleet.invite(name, valid_s=valid_s, region=region)
    if json:
        terminal.write_json(invitation)
        return
    if show_qr and sys.stderr.isatty():
        _draw(invitation.token)
    terminal.say(f"One-time token for {invitation.device}, good until {cells.moment(invitation.expires)}.")
    terminal.say("On the device: `qfleet-agent enrol -`, then paste the token and press Enter.")
    terminal.output().print(terminal.printable(invitation.token), soft_wrap=True)


def _draw(token: str) -> None:
    drawn = qr.code(token, width=terminal.messages().width)
    if drawn is None:
        terminal.say("(this terminal is too narrow for the QR code)", "dim")
    else:
        sys.stderr.write(drawn)


@application.command("list")
@outcome.reported
def list_devices(*, json: options.Json = False) -> None:
    """List all devices."""
    with Fleet.from_configuration() as fleet:
        views = fleet.devices()
    if json:
        terminal.write_json(views)
    elif views:
        terminal.output().print(draw.devices(views, now_ms=_now()))
    else:
        terminal.say("No device yet; `qfleet device invite NAME` makes a token for one.")


@application.command("show")
@outcome.reported
def show(name: options.DeviceArgument, *, json: options.Json = False) -> None:
    """Show everything about one device."""
    with Fleet.from_configuration() as fleet:
        view = fleet.device(name)
    if json:
        terminal.write_json(view)
    else:
        terminal.output().print(draw.device(view, now_ms=_now()))


@application.command("telemetry")
@outcome.reported
def telemetry(
    name: options.DeviceArgument,
    *,
    hours: Annotated[float, typer.Option(min=0, help="Show the last so many hours.")] = 24.0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show the last so many samples.")] = 50,
    json: options.Json = False,
) -> None:
    """Show what a device measured, and what of it is missing."""
    since = max(_now() - int(hours * 3_600_000), 0)
    with Fleet.from_configuration() as fleet:
        view = fleet.telemetry(name, since=since, limit=limit)
    if json:
        terminal.write_json(view)
        return
    if view.samples:
        terminal.output().print(draw.telemetry(view))
    missing = sum(gap.before - gap.after - 1 for gap in view.gaps)
    terminal.say(
        f"{wording.counted(len(view.samples), 'sample')}, {missing} missing among them; "
        f"{view.lost} lost on the device."
    )


@application.command("revoke")
@outcome.reported
def revoke(
    name: options.DeviceArgument,
    *,
    reason: Reason,
    yes: Yes = False,
    json: options.Json = False,
) -> None:
    """Shut a device out for good: its session ends at once and its tasks go to others."""
    if not yes:
        _confirm("revoke", name)
    with Fleet.from_configuration() as fleet:
        _tell(fleet.revoke(name, reason), json=json)


@application.command("quarantine")
@outcome.reported
def quarantine(name: options.DeviceArgument, *, reason: Reason, json: options.Json = False) -> None:
    """Take a device out of service until it is released; its tasks go to others."""
    with Fleet.from_configuration() as fleet:
        _tell(fleet.quarantine(name, reason), json=json)


@application.command("release")
@outcome.reported
def release(name: options.DeviceArgument, *, json: options.Json = False) -> None:
    """End a device's quarantine."""
    with Fleet.from_configuration() as fleet:
        _tell(fleet.release(name), json=json)


@application.command("retire")
@outcome.reported
def retire(
    name: options.DeviceArgument, *, reason: Reason, yes: Yes = False, json: options.Json = False
) -> None:
    """Take a device out of the fleet in good order; its name is spent."""
    if not yes:
        _confirm("retire", name)
    with Fleet.from_configuration() as fleet:
        _tell(fleet.retire(name, reason), json=json)


def _tell(view: api.DeviceView, *, json: bool) -> None:
    if json:
        terminal.write_json(view)
    else:
        terminal.say(f"{view.name} is {view.status}.")


def _confirm(what: str, name: str) -> None:
    if not sys.stdin.isatty():
        doing = f"{what.removesuffix('e')}ing"
        raise errors.UserError(
            f"{doing} {name!r} cannot be undone and nobody can be asked here", hint="add --yes to do it"
        )
    typer.confirm(f"{what.capitalize()} {name}? It cannot be undone.", abort=True, err=True)


def _now() -> int:
    return time.time_ns() // 1_000_000
