"""The load generator's process: light devices on one event loop, told what to do on its command line.

It reads its fleet from a file and writes a line of JSON with its counts to standard output every
quarter of a second, until its standard input ends.
"""

import argparse
import asyncio
import dataclasses
import gc
import resource
import sys
from pathlib import Path

import msgspec
from benchmarks import fleet_size_mqtt as mqtt
from benchmarks.fleet_size_device import Device
from benchmarks.fleet_size_region import Identity, Region, Tally

from qfleet_wire.channel import authority
from qfleet_wire.names import RegionName

REPORT_S = 0.25
KEEP_ALIVE_LOOK_S = 5.0


class Fleet(msgspec.Struct, frozen=True):
    """What the generator is given: where the broker is, and the devices."""

    region: str
    record: bytes
    host: str
    port: int
    path: str
    devices: tuple[Identity, ...]


def main() -> int:
    """Run the devices of a fleet file until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("fleet", type=Path)
    parser.add_argument("--heartbeat", type=float, default=30.0, help="seconds between heartbeats")
    parser.add_argument(
        "--arrive", type=float, default=200.0, help="devices that connect per second at first"
    )
    arguments = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    fleet = msgspec.msgpack.decode(arguments.fleet.read_bytes(), type=Fleet)
    gc.freeze()
    asyncio.run(_run(fleet, arguments.heartbeat, arguments.arrive))
    return 0


async def _run(fleet: Fleet, heartbeat_s: float, arrive: float) -> None:
    trusted = authority.read_record(fleet.record, authority.record_hash(fleet.record))
    door = mqtt.Door(fleet.host, fleet.port, fleet.path)
    region = Region(door, RegionName(fleet.region), trusted, heartbeat_s)
    devices = [Device(identity, region) for identity in fleet.devices]
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, over.set)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_report(region.tally)),
            group.create_task(_keep_alive(devices)),
            group.create_task(_start(devices, arrive, group)),
        ]
        await over.wait()
        for task in tasks:
            task.cancel()
        for task in group._tasks:  # noqa: SLF001 - the devices run until the end
            task.cancel()


async def _start(devices: list[Device], arrive: float, group: asyncio.TaskGroup) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, device in enumerate(devices):
        await asyncio.sleep(max(0.0, began + number / arrive - loop.time()))
        group.create_task(device.run())


async def _keep_alive(devices: list[Device]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(KEEP_ALIVE_LOOK_S)
        for device in devices:
            device.keep_alive(loop.time())


async def _report(tally: Tally) -> None:
    while True:
        sys.stdout.buffer.write(msgspec.json.encode(dataclasses.asdict(tally)) + b"\n")
        sys.stdout.buffer.flush()
        await asyncio.sleep(REPORT_S)


if __name__ == "__main__":
    sys.exit(main())
