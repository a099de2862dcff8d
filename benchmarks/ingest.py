"""Ingest: sealed messages a second through link, session, machine and commit, against only counting them.

Light devices with real sessions seal announcements beforehand, each of which is stored, and publish
them at QoS 0 as fast as the broker takes them. In turns the same publisher sends the same bytes on
the same broker to a bare aiomqtt subscriber, on a channel that the control plane does not hear. Ours
counts from the first publication until the control plane has opened every message and nothing
waits in its core. An announcement that a later one of its device overtakes while it waits is not
handled; the figure says how many were.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from benchmarks.figures import Figure, number, ratios, spread
from benchmarks.fleet_size_device import Device
from benchmarks.fleet_size_mqtt import Door
from benchmarks.fleet_size_region import Region
from benchmarks.fleet_size_site import REGION, Broker, Site
from benchmarks.ingest_peer import Address

from qfleet_controlplane.authority import files
from qfleet_controlplane.broker import logins
from qfleet_wire.channel import authority
from qfleet_wire.topics import Channel, DeviceTopic, subscription, topic_for

DEVICES = 1_000
MESSAGES = 20_000
"""Per turn; each device sends as many as any other."""
TURNS = 5
GOAL = 0.5
_BURST = 200
_PATIENCE_S = 120.0
_LOOK_S = 0.05
_OPENED = 'qfleet_link_received_total{outcome="opened"}'

Message = tuple[Device, bytes]


def run(broker: Broker = "embedded") -> list[Figure]:
    """Measure both in turns."""
    with tempfile.TemporaryDirectory(prefix="qfleet-") as folder, Site(Path(folder), broker, DEVICES) as site:
        ours, theirs, events = asyncio.run(_measure(site))
    ratio = ratios(ours, theirs)
    return [
        Figure(
            what=f"{MESSAGES:,} sealed messages of {DEVICES} devices: opened, handled, committed",
            ours=f"{spread(ours).text('messages/s')}, "
            f"{100 * spread(events).median:.0f} % handled, the others superseded in line",
            peer=f"bare aiomqtt subscriber that counts ({broker}): {spread(theirs).text('messages/s')}",
            ratio=ratio.text("×"),
            goal=f"≥ {number(GOAL)} ×",
            met=ratio.median >= GOAL,
        )
    ]


async def _measure(site: Site) -> tuple[list[float], list[float], list[float]]:
    """Rates of both, and the share of our messages that no later one had superseded."""
    devices, running = await _online(site)
    ours: list[float] = []
    theirs: list[float] = []
    events: list[float] = []
    try:
        with _peer(site) as peer:
            for turn in range(TURNS + 1):
                rate, share = await _our_turn(site, devices)
                other = await _their_turn(peer, devices)
                if turn:  # the first one warms both up
                    ours.append(rate)
                    events.append(share)
                    theirs.append(other)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return ours, theirs, events


async def _online(site: Site) -> tuple[list[Device], list["asyncio.Task[None]"]]:
    record = files.read(files.Layout(site.state / "authority").record)
    trusted = authority.read_record(record, authority.record_hash(record))
    host, port = site.address
    region = Region(Door(host, port), REGION, trusted, 3600.0)
    devices = [Device(identity, region) for identity in site.identities]
    running = [asyncio.create_task(device.run()) for device in devices]
    async with asyncio.timeout(_PATIENCE_S):
        while region.tally.online < len(devices):  # noqa: ASYNC110 - counts offer no event
            await asyncio.sleep(_LOOK_S)
    return devices, running


async def _our_turn(site: Site, devices: Sequence[Device]) -> tuple[float, float]:
    messages = _seal(devices)
    before = await asyncio.to_thread(site.metrics)
    began = time.perf_counter()
    await _publish(messages, Channel.UP)
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            now = await asyncio.to_thread(site.metrics)
            if now[_OPENED] - before[_OPENED] >= len(messages) and not now["qfleet_core_queued"]:
                break
            await asyncio.sleep(_LOOK_S)
    took = time.perf_counter() - began
    handled = now["qfleet_core_events"] - before["qfleet_core_events"]
    return len(messages) / took, min(1.0, handled / len(messages))


async def _their_turn(peer: "subprocess.Popen[bytes]", devices: Sequence[Device]) -> float:
    messages = _seal(devices)
    start = await asyncio.to_thread(_count, peer)
    began = time.perf_counter()
    await _publish(messages, Channel.PEER)
    async with asyncio.timeout(_PATIENCE_S):
        while await asyncio.to_thread(_count, peer) - start < len(messages):  # noqa: ASYNC110 - as above
            await asyncio.sleep(_LOOK_S)
    return len(messages) / (time.perf_counter() - began)


def _seal(devices: Sequence[Device]) -> list[Message]:
    """Seal all messages of a turn, device after device, so that publishing is all that is left."""
    return [(device, device.seal_announcement()) for _ in range(MESSAGES // DEVICES) for device in devices]


async def _publish(messages: Sequence[Message], channel: Channel) -> None:
    for place, (device, envelope) in enumerate(messages):
        device.publish(topic_for(DeviceTopic(REGION, device.name, channel)), envelope)
        if place % _BURST == 0:
            await asyncio.sleep(0)


@contextlib.contextmanager
def _peer(site: Site) -> Iterator["subprocess.Popen[bytes]"]:
    host, port = site.address
    login = (
        logins.read(site.state / "broker" / "logins.toml").controller if site.broker == "embedded" else None
    )
    address = Address(
        host,
        port,
        login.user if login else "",
        login.password if login else "",
        subscription(REGION, Channel.PEER),
    )
    command = [sys.executable, "-m", "benchmarks.ingest_peer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(address) + b"\n")
        try:
            _count(process)
            yield process
        finally:
            process.stdin.close()
            process.wait(_PATIENCE_S)


def _count(process: "subprocess.Popen[bytes]") -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    return int(process.stdout.readline())
