"""``broker``: make logins, make every account again from the device table, look at what a login may do.

Passwords go into files of mode 0600 and to the broker, never to the terminal. All of it works beside
a running control plane.
"""

import argparse
import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from qfleet_controlplane.authority import accounts, files
from qfleet_controlplane.authority.sealing import Sealer
from qfleet_controlplane.broker import configuration, inspection, logins, mosquitto, userfile
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.broker.services import External
from qfleet_controlplane.daemon.daemon import clock
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import audit
from qfleet_controlplane.store.writer import Writer
from qfleet_wire.names import DeviceName, RegionName

T = TypeVar("T")
Devices = Mapping[DeviceName, Login]

_WHO = "console"


def make_logins(settings: Settings, options: argparse.Namespace) -> int:
    """Make the login files that the configuration names and that do not exist."""
    for place in _places(settings, options):
        path = Path(place.broker.login_file)
        if not place.broker.login_file:
            raise ConfigurationError(f"region {place.region!r} names no login_file for its broker")
        if path.exists():
            _say(f"{path} exists and is kept")
            continue
        shared = place.broker.accounts in ("auto", "shared")
        made = logins.generate(secrets.token_bytes, prefix=f"{place.region}-", shared=shared)
        try:
            logins.write(path, made)
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
        _say(f"{path} holds the logins of region {place.region}; the broker must be given them too")
    return 0


def rebuild(settings: Settings, options: argparse.Namespace) -> int:
    """Make every device's account again, at the broker or in a file for it."""
    places = list(_places(settings, options))
    if options.output is not None and len(places) != 1:
        raise ConfigurationError("--output is for one region: name it with --region")
    for place in places:
        region = RegionName(place.region)
        if options.new_secret:
            _renew_secret(place, region)
        devices = _holders(place, region)
        if options.output is None:
            asyncio.run(_rebuild_at_broker(place, devices))
        else:
            _write(options.output, _render(place, devices))
        _say(f"{len(devices)} devices of region {region} have accounts{_where(options.output)}")
    return 0


def write_access(settings: Settings, options: argparse.Namespace) -> int:
    """Write Mosquitto's access file, for brokers with ``accounts = "mosquitto"``."""
    regions = {
        RegionName(place.region): logins.read(Path(place.broker.login_file))
        for place in _places(settings, options)
        if place.broker.login_file
    }
    _write(options.output, mosquitto.render_access(regions))
    return 0


def check(settings: Settings, options: argparse.Namespace) -> int:
    """Try what each login may do; exit code 1 when one may do more or less than it should."""
    failed = False
    for place in _places(settings, options):
        devices = _holders(place, RegionName(place.region))
        without = _read(place, accounts.without)
        for finding in asyncio.run(inspection.inspect(place, devices)):
            failed |= not finding.fine
            _say(f"{'ok' if finding.fine else 'failed':8} {place.region}: {finding.text}")
        if without and _makes_accounts(place):
            _say(
                f"warning  {len(without)} devices share the login 'device' still{_among(without)}: "
                "invite them again, then delete [device] from the login file"
            )
    return 1 if failed else 0


def _places(settings: Settings, options: argparse.Namespace) -> Iterator[Settings]:
    places = settings.places
    if options.region is None:
        yield from places.values()
    elif options.region in places:
        yield places[RegionName(options.region)]
    else:
        raise ConfigurationError(f"region {options.region!r} is not configured: use {', '.join(places)}")


def _holders(place: Settings, region: RegionName) -> Devices:
    layout = files.Layout(place.directory / "authority")
    sealer = Sealer(files.read_secret(layout.rest_key), secrets.token_bytes)
    return _read(place, lambda connection: accounts.holders(connection, sealer, region))


def _renew_secret(place: Settings, region: RegionName) -> None:
    now = clock()

    def work(connection: sa.Connection) -> list[DeviceName]:
        number = accounts.renew_secret(connection, region)
        audit.append(connection, [audit.Entry(now, _WHO, "broker.new-secret", region, f"secret {number}")])
        return accounts.outdated(connection, region)

    outdated = _read(place, work)
    keep = (
        "device keeps its login until it is"
        if len(outdated) == 1
        else "devices keep their logins until they are"
    )
    _say(
        f"Region {region} has a new broker secret for logins from now on. {len(outdated)} {keep} invited and "
        f"enrolled again{_among(outdated)}"
    )


async def _rebuild_at_broker(place: Settings, devices: Devices) -> None:
    if place.broker.url == "embedded":
        raise ConfigurationError(
            "the embedded broker gets its accounts from the control plane whenever that starts: restart it"
        )
    if not _makes_accounts(place):
        raise ConfigurationError(
            f"region {place.region!r} leaves accounts to the broker's operator: set its broker.accounts"
        )
    await External(place).refresh(devices)


def _render(place: Settings, devices: Devices) -> str:
    broker, region = place.broker, RegionName(place.region)
    if not broker.login_file:
        raise ConfigurationError(f"region {region!r} names no login_file for its broker")
    fixed = logins.read(Path(broker.login_file))
    match broker.accounts:
        case "dynsec":
            return mosquitto.render_dynamic_security(region, fixed, devices)
        case "mosquitto":
            return mosquitto.render_passwords(fixed, devices)
        case "nats":
            return configuration.render_accounts(region, fixed, devices)
        case _:
            raise ConfigurationError(
                f"region {region!r} has broker.accounts = {broker.accounts!r}: no file is needed"
            )


def _write(path: Path, text: str) -> None:
    try:
        userfile.replace(path, text.encode())
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
    _say(f"{path} is written; the broker alone should be able to read it")


def _read(place: Settings, work: Callable[[sa.Connection], T]) -> T:
    writer = Writer(place.database_url)
    try:
        return writer.transact(work)
    finally:
        writer.close()


def _makes_accounts(place: Settings) -> bool:
    """Whether devices get logins of their own here."""
    return place.broker.url == "embedded" or place.broker.accounts not in ("auto", "shared")


def _among(devices: list[DeviceName]) -> str:
    return f", among them {', '.join(devices[:5])}" if devices else ""


def _where(output: Path | None) -> str:
    return f" in {output}" if output else " at the broker"


def _say(text: str) -> None:
    print(text)  # noqa: T201 - this is the command line
