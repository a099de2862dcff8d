"""Fleet size: what the control plane's process costs per connected device, and a reconnect storm.

Light devices in a process of their own speak the real protocol (``fleet_size_device``): MQTT
connection, handshake, sealed inventory, announcement and a heartbeat every 30 s each. Processor time
and resident memory are the control plane's own process alone, from ``/proc``; the broker's
stand beside them. In the storm the broker is killed under all sessions and comes back.

``python -m benchmarks fleet_size`` takes the sizes of the table; ``python -m
benchmarks.fleet_size --help`` lists the options.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from benchmarks.figures import Figure, number, spread, table
from benchmarks.fleet_size_running import Generator
from benchmarks.fleet_size_site import BROKERS, Broker, Site

SIZES = (500, 2000, 10_000)
STORM = 5000
HEARTBEAT_S = 30.0
WINDOWS = 3
GOAL_CORES = 0.5
GOAL_AT = 2000
LINEAR = 1.25
"""Cost per device at a size against the size before it; above this it counts as growing."""
_CONNECT_S = 600.0
_LOOK_S = 0.25
_OPENED = 'qfleet_link_handshakes_total{outcome="confirmed"}'


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured; times in seconds."""

    sizes: Sequence[int] = SIZES
    storm: int = STORM
    broker: Broker = "embedded"
    heartbeat_s: float = HEARTBEAT_S
    windows: int = WINDOWS
    arrive: float = 200.0


@dataclass(frozen=True, slots=True)
class Steady:
    """A fleet at rest: shares of a core per window, and bytes resident."""

    devices: int
    cores: list[float]
    broker_cores: list[float]
    resident: int
    empty: int
    """Resident before the first device connected."""
    broker_resident: int
    heartbeats: int
    served: int
    """Messages that opened in the windows, at the control plane."""
    connected_s: float

    @property
    def bytes_per_device(self) -> float:
        """Memory that a connected device takes."""
        return (self.resident - self.empty) / self.devices

    @property
    def core_per_device(self) -> float:
        """Share of a core that a connected device takes."""
        return spread(self.cores).median / self.devices


@dataclass(frozen=True, slots=True)
class Storm:
    """A broker killed under all sessions."""

    devices: int
    back_s: float
    busy_s: float
    """Processor time of the control plane until all were back."""
    half_s: float
    peak: int
    before: int
    answered: float
    repeated: float
    put_off: int
    hellos: int
    unanswered: int
    waiting_most: float


def run() -> list[Figure]:
    """Measure the sizes of the table."""
    return measure(Plan())


def measure(plan: Plan) -> list[Figure]:
    """Measure a plan."""
    found = [_steady(plan, devices) for devices in plan.sizes]
    figures = [_cost(steady, plan) for steady in found]
    figures += [_memory(steady) for steady in found]
    figures += [_growth(one, other) for one, other in itertools.pairwise(found)]
    if plan.storm:
        figures.append(_storm_figure(_storm(plan), plan))
    return figures


def _steady(plan: Plan, devices: int) -> Steady:
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        Site(Path(folder), plan.broker, devices) as site,
    ):
        empty = site.control_plane.memory_info().rss
        with site.generator(heartbeat_s=plan.heartbeat_s, arrive=plan.arrive) as generator:
            took = _all_online(site, generator, devices)
            # Until every device has sent a heartbeat, the first ones are still news.
            time.sleep(plan.heartbeat_s)
            before, beats = site.metrics(), generator.tally.heartbeats
            ours, theirs = [], []
            for _ in range(plan.windows):
                own, other = _shares((site.control_plane, site.broker_process), plan.heartbeat_s)
                ours.append(own)
                theirs.append(other)
                _note(f"{devices} devices: {own:.3f} cores, broker {other:.3f}")
            after = site.metrics()
            _check_online(generator, devices)
            return Steady(
                devices=devices,
                cores=ours,
                broker_cores=theirs,
                resident=site.control_plane.memory_info().rss,
                empty=empty,
                broker_resident=site.broker_process.memory_info().rss,
                heartbeats=generator.tally.heartbeats - beats,
                served=int(_more(before, after, 'qfleet_link_received_total{outcome="opened"}')),
                connected_s=took,
            )


def _storm(plan: Plan) -> Storm:
    devices = plan.storm
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        Site(Path(folder), plan.broker, devices) as site,
        site.generator(heartbeat_s=plan.heartbeat_s, arrive=plan.arrive) as generator,
    ):
        _all_online(site, generator, devices)
        time.sleep(5)
        before, tally = site.metrics(), generator.tally
        resident = site.control_plane.memory_info().rss
        Path(f"/proc/{site.control_plane.pid}/clear_refs").write_text("5")
        began, busy = time.monotonic(), _busy(site.control_plane)
        site.kill_broker()
        marks: list[float] = []
        waiting = [0.0]

        def back(share: float) -> bool:
            # Asking is not free, and what is measured should not be the asking.
            time.sleep(_LOOK_S)
            found = site.metrics()
            waiting.append(found["qfleet_link_handshakes_waiting"])
            return (
                generator.tally.sessions - tally.sessions >= share * devices
                and _more(before, found, _OPENED) >= share * devices
            )

        for share in (0.5, 1.0):
            site.wait_for("the fleet is back", lambda: back(share), timeout_s=_CONNECT_S)  # noqa: B023 - called at once
            marks.append(time.monotonic() - began)
        after = site.metrics()
        return Storm(
            devices=devices,
            half_s=marks[0],
            back_s=marks[1],
            busy_s=_busy(site.control_plane) - busy,
            peak=_peak(site.control_plane),
            before=resident,
            answered=_handshakes(before, after, "answered", "resumed"),
            repeated=_handshakes(before, after, "repeated"),
            put_off=generator.tally.put_off - tally.put_off,
            hellos=generator.tally.hellos - tally.hellos,
            unanswered=generator.tally.unanswered - tally.unanswered,
            waiting_most=max(waiting),
        )


def _all_online(site: Site, generator: Generator, devices: int) -> float:
    took = site.wait_for(
        f"{devices} devices are online", lambda: generator.tally.online >= devices, timeout_s=_CONNECT_S
    )
    _note(f"{devices} devices online after {took:.0f} s")
    return took


def _check_online(generator: Generator, devices: int) -> None:
    if generator.tally.online < devices:
        raise RuntimeError(f"only {generator.tally.online} of {devices} devices stayed online")


def _shares(processes: Sequence[psutil.Process], seconds: float) -> list[float]:
    """Shares of a core that processes take for so long."""
    before, began = [_busy(process) for process in processes], time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return [(_busy(process) - then) / took for process, then in zip(processes, before, strict=True)]


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _peak(process: psutil.Process) -> int:
    """Most bytes resident since the mark was cleared."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel tells no peak of resident memory")


def _more(before: dict[str, float], after: dict[str, float], name: str) -> float:
    return after.get(name, 0.0) - before.get(name, 0.0)


def _handshakes(before: dict[str, float], after: dict[str, float], *outcomes: str) -> float:
    return sum(
        _more(before, after, f'qfleet_link_handshakes_total{{outcome="{outcome}"}}') for outcome in outcomes
    )


def _cost(steady: Steady, plan: Plan) -> Figure:
    measured = spread(steady.cores)
    has_goal = steady.devices == GOAL_AT
    return Figure(
        what=f"{steady.devices:,} devices, a heartbeat each {plan.heartbeat_s:g} s: processor time",
        ours=f"{measured.text('cores')}, {number(1e6 * steady.core_per_device)} µs per device and second",
        peer=f"broker ({plan.broker}) {spread(steady.broker_cores).text('cores')}; "
        f"{steady.served:,} messages served ({steady.heartbeats:,} sent), "
        f"all online in {steady.connected_s:.0f} s",
        goal=f"< {GOAL_CORES} cores" if has_goal else "",
        met=measured.median < GOAL_CORES if has_goal else None,
    )


def _memory(steady: Steady) -> Figure:
    return Figure(
        what=f"{steady.devices:,} devices: resident memory",
        ours=f"{number(steady.resident / 2**20)} MiB, "
        f"{number(steady.bytes_per_device / 1024)} KiB per device",
        peer=f"broker {number(steady.broker_resident / 2**20)} MiB",
    )


def _growth(one: Steady, other: Steady) -> Figure:
    cores = other.core_per_device / one.core_per_device
    memory = other.bytes_per_device / one.bytes_per_device
    return Figure(
        what=f"cost per device, {other.devices:,} against {one.devices:,}",
        ours=f"processor {number(cores)} ×, memory {number(memory)} ×",
        ratio=f"{number(cores)} ×",
        goal=f"≤ {LINEAR} × (no faster than linear)",
        met=max(cores, memory) <= LINEAR,
    )


def _storm_figure(storm: Storm, plan: Plan) -> Figure:
    return Figure(
        what=f"broker ({plan.broker}) killed under {storm.devices:,} sessions: all confirmed again",
        ours=f"{number(storm.back_s)} s (half after {number(storm.half_s)} s), "
        f"{number(storm.busy_s)} s of a core, "
        f"peak {number(storm.peak / 2**20)} MiB ({number(storm.before / 2**20)} before)",
        peer=f"{storm.answered:,.0f} handshakes answered, {storm.repeated:,.0f} repeats, "
        f"{storm.put_off:,} given a turn, {storm.hellos:,} full, {storm.unanswered:,} given up; "
        f"at most {storm.waiting_most:,.0f} waited",
    )


def _note(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


def main() -> int:
    """Measure what the options say, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_size", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="devices, separated by commas")
    parser.add_argument("--storm", type=int, default=STORM, help="devices of the reconnect storm; 0: none")
    parser.add_argument("--broker", choices=BROKERS, default="embedded")
    parser.add_argument("--heartbeat", type=float, default=HEARTBEAT_S, help="seconds between heartbeats")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="measured windows of one heartbeat each")
    parser.add_argument("--arrive", type=float, default=200.0, help="devices that connect per second")
    options = parser.parse_args()
    sizes = tuple(int(size) for size in options.sizes.split(",") if size)
    plan = Plan(
        sizes, options.storm, options.broker, options.heartbeat, options.windows, arrive=options.arrive
    )
    print(table(measure(plan)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
