"""``check``: look at configuration, keys, store and broker, and say what to do about what is wrong.

It changes nothing, and works while the control plane runs. Exit code 0 when nothing fails;
warnings do not fail it. A database of another fleet ends it at once, as it ends ``run``.
"""

import asyncio
import secrets
import sqlite3
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiomqtt
import sqlalchemy as sa
from sqlalchemy import exc

from qfleet_controlplane.authority import belonging, files
from qfleet_controlplane.authority.keyring import Keyring
from qfleet_controlplane.broker import clients
from qfleet_controlplane.broker.addresses import parse_address
from qfleet_controlplane.broker.child import find_server
from qfleet_controlplane.broker.services import open_broker
from qfleet_controlplane.daemon.daemon import clock
from qfleet_controlplane.errors import BrokerUnavailable, ConfigurationError
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import audit, engines, ownership
from qfleet_wire.channel.identity import ControllerIdentity
from qfleet_wire.names import DeviceName
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

_DAY_MS = 86_400_000
_ROUND_TRIPS = 9
_DELAY_MS = 40.0
"""What a delayed acknowledgement costs; a QoS 1 hop with Nagle's algorithm takes a bit more."""
_DELAY_SLACK_MS = 8.0
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    grade: Literal["ok", "warning", "failed"]
    text: str


Look = Callable[[Settings], Iterator[Finding]]


def run(settings: Settings) -> int:
    """Print every finding; return the exit code. Raises ``AnotherFleet`` if the database is another's."""
    failed = False
    for look in (_authority, _store, _brokers, _api):
        try:
            for finding in look(settings):
                failed |= finding.grade == "failed"
                _print(finding)
        except ownership.AnotherFleet:
            raise
        except ConfigurationError as error:
            failed = True
            _print(Finding("failed", str(error)))
    return 1 if failed else 0


def _print(finding: Finding) -> None:
    print(f"{finding.grade:8} {finding.text}", file=sys.stdout)  # noqa: T201 - this is the command line


def _authority(settings: Settings) -> Iterator[Finding]:
    layout = files.Layout(settings.directory / "authority")
    first = next(iter(settings.places.values()))
    ring = Keyring(layout, ControllerIdentity(*first.names), random=secrets.token_bytes)
    now = clock()
    left = (ring.credentials.peer.validity.not_after - now) // _DAY_MS
    yield Finding("ok" if left > 0 else "failed", f"the controller's certificate lasts {left} more days")
    issuers = (ring.issuers_end() - now) // _DAY_MS
    text = f"the issuers' certificates last {issuers} more days"
    yield Finding("ok", text) if issuers > 60 else Finding("warning", f"{text}: renew them with the root key")
    if layout.root_key.exists():
        yield Finding(
            "warning", f"{layout.root_key} is on this machine: take it offline, it is not needed to run"
        )


def _store(settings: Settings) -> Iterator[Finding]:
    url = sa.make_url(settings.database_url)
    where = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and sqlite3.sqlite_version_info < (3, 37):
        yield Finding("warning", f"SQLite {sqlite3.sqlite_version} is old")
    engine = engines.open_reader(settings.database_url)
    try:
        with engine.begin() as connection:
            ownership.verify(connection, belonging.of_directory(settings.directory, settings.fleet))
            head = audit.verify(connection)
        yield Finding(
            "ok", f"the database {where} opens and its audit log of {head.sequence} entries is whole"
        )
    except audit.BrokenChain as error:
        yield Finding("failed", f"the audit log was changed: {error}")
    except exc.SQLAlchemyError as error:
        yield Finding(
            "failed", f"the database {where} does not open: {type(error).__name__}; run init, or restore it"
        )
    finally:
        engine.dispose()


def _brokers(settings: Settings) -> Iterator[Finding]:
    for region, place in settings.places.items():
        for finding in _broker(place):
            if len(settings.places) == 1:
                yield finding
            else:
                yield Finding(finding.grade, f"region {region}: {finding.text}")


def _broker(settings: Settings) -> Iterator[Finding]:
    broker = open_broker(settings)
    if settings.broker.url == "embedded":
        yield Finding("ok", f"the embedded broker is {find_server()}")
        address = _running_address(settings)
        if address is None:
            yield Finding("ok", "the control plane is not running, so its broker is not tried")
            return
        accesses: tuple[clients.Access, ...] = (
            clients.Access(parse_address(address), broker.logins.controller),
        )
    else:
        accesses = broker.accesses
    for access in accesses:
        try:
            times = asyncio.run(_round_trips(access, settings))
        except BrokerUnavailable as error:
            yield Finding("failed", str(error))
        else:
            yield judge_round_trips(times)


def judge_round_trips(times_ms: list[float]) -> Finding:
    """Say what the broker's round trips look like; a multiple of 40 ms is a delayed acknowledgement."""
    median = statistics.median(times_ms)
    multiple = round(median / _DELAY_MS)
    if multiple >= 1 and -1.0 <= median - multiple * _DELAY_MS <= multiple * _DELAY_SLACK_MS:
        return Finding(
            "warning",
            f"a round trip over the broker takes {median:.0f} ms, about {multiple} × {_DELAY_MS:.0f} ms: "
            "Nagle's algorithm is on somewhere; Mosquitto needs 'set_tcp_nodelay true'",
        )
    return Finding("ok", f"a round trip over the broker takes {median:.1f} ms")


async def _round_trips(access: clients.Access, settings: Settings) -> list[float]:
    """Publish to ourselves with QoS 1 and time it, in milliseconds."""
    topic = topic_for(DeviceTopic(settings.names[1], DeviceName("check"), Channel.PRESENCE))
    loop = asyncio.get_running_loop()
    times = []
    try:
        async with asyncio.timeout(_TIMEOUT_S), clients.client(access, "check") as client:
            await client.subscribe(topic, qos=1)
            for _ in range(_ROUND_TRIPS):
                start = loop.time()
                await client.publish(topic, b"online", qos=1)
                await anext(client.messages)
                times.append((loop.time() - start) * 1000)
    except (aiomqtt.MqttError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"the broker at {access.address} does not answer: {error}") from error
    return times


def _running_address(settings: Settings) -> str | None:
    """Where the embedded broker of a running control plane listens."""
    port = settings.broker.port
    if port == 0:
        try:
            port = int((settings.broker_directory / "port").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
    return f"mqtt://{settings.broker.host}:{port}"


def _api(settings: Settings) -> Iterator[Finding]:
    where = settings.api
    if not where.tls_certificate:
        yield Finding("ok", f"the API listens on {where.host} only, without TLS")
        return
    for path in (where.tls_certificate, where.tls_key):
        files.read(Path(path))
    yield Finding("ok", f"the API's certificate {where.tls_certificate} is readable; TLS 1.3 only")
