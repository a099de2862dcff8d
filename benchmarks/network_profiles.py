"""How jobs fare over bad networks: a geostationary link, and one that is away half of the time.

Agents run in a network namespace of their own; between them and the control plane with its
broker lies a link that delays, loses and cuts real packets (``benchmarks.wan``). Compared in the
same run with the same work over the same link in calm weather. Needs root.
"""

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import wan
from benchmarks.figures import Figure, number
from tests.system import fleet as fleets

from qfleet import Fleet, JobRequest

AGENTS = 2
ECHOES = 400
POINTS = 24
OUTAGE_MINUTES = 5.0
OUTAGE_TOTAL_MINUTES = 30.0
"""Overridden by ``QFLEET_BENCH_OUTAGE_MINUTES`` (length of one outage); the whole is six times as long."""
CALM = wan.Weather()
SATELLITE = wan.Weather(delay_ms=300.0, jitter_ms=25.0, loss=0.02, rate_bps=25e6)
"""600 ± 50 ms for a round trip, 2 % of packets lost, 25 Mbit/s: half of the delay in each direction."""
INSIDE = "QFLEET_BENCH_INSIDE"
PROGRAM = """\
OPENQASM 3;
include "stdgates.inc";
input float theta;
qubit[18] q;
for int i in [0:16] { h q[i]; cx q[i], q[i + 1]; ry(theta) q[i + 1]; }
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: seconds until all was done, tasks, IP bytes per task, repeated attempts."""

    seconds: float
    tasks: int
    bytes_per_task: float
    idle_bytes_per_s: float
    again: int
    link: wan.Counts


def run() -> list[Figure]:
    """Measure in a network namespace of this process's own."""
    if INSIDE not in os.environ:
        if os.geteuid() != 0:
            raise SystemExit("network_profiles makes network namespaces: run it as root")
        os.environ[INSIDE] = "1"
        command = ["unshare", "--net", sys.executable, "-m", "benchmarks", "network_profiles"]
        os.execvp(command[0], command)
    return [*_satellite(), *_outages()]


def _satellite() -> list[Figure]:
    calm, far = _mixture(CALM), _mixture(SATELLITE)
    share = far.link.lost / max(1, far.link.packets)
    return [
        Figure(
            what=f"{far.tasks} tasks over 600 ± 50 ms, 2 % loss, 25 Mbit/s: all done in",
            ours=f"{number(far.seconds)} s ({100 * share:.1f} % of {far.link.packets:,} packets lost)",
            peer=f"the same in calm weather: {number(calm.seconds)} s",
            ratio=f"{number(far.seconds / calm.seconds)} ×",
        ),
        Figure(
            what="IP bytes on the wire per task, both directions, over that link",
            ours=f"{number(far.bytes_per_task)} bytes",
            peer=f"in calm weather: {number(calm.bytes_per_task)} bytes",
            ratio=f"{number(far.bytes_per_task / calm.bytes_per_task)} ×",
        ),
        Figure(
            what="idle device, heartbeats only, over that link",
            ours=f"{number(far.idle_bytes_per_s / AGENTS)} bytes/s",
            peer=f"in calm weather: {number(calm.idle_bytes_per_s / AGENTS)} bytes/s",
        ),
    ]


def _outages() -> list[Figure]:
    """Work is submitted all the time; the link is away half of it."""
    away_s = 60 * float(os.environ.get("QFLEET_BENCH_OUTAGE_MINUTES", OUTAGE_MINUTES))
    total_s = away_s * OUTAGE_TOTAL_MINUTES / OUTAGE_MINUTES
    weather = wan.Weather(delay_ms=20.0, online_s=away_s, offline_s=away_s)
    with _site(weather) as (fleet, link):
        started, jobs = time.monotonic(), []
        while time.monotonic() - started < total_s:
            jobs.append(fleet.submit(JobRequest(kind="probe.echo", items=ECHOES, lost_after_s=7200.0)).id)
            jobs.append(fleet.submit(_sweep(POINTS)).id)
            time.sleep(min(30.0, away_s / 4))
        details = [fleet.job(job, wait_s=0) for job in jobs]
        in_time = sum(detail.job.status == "succeeded" for detail in details)
        ended = [fleet.wait(job, timeout_s=4 * away_s + 120).job for job in jobs]
        seconds = time.monotonic() - started
        tasks = [task for job in jobs for task in fleet.job(job).tasks]
        again = sum(task.attempt - 1 for task in tasks)
    good = sum(view.status == "succeeded" for view in ended)
    return [
        Figure(
            what=f"{number(away_s / 60)} min online, {number(away_s / 60)} min offline for "
            f"{number(total_s / 60)} min, {len(jobs)} jobs of {len(tasks)} tasks",
            ours=f"{good} of {len(jobs)} jobs succeeded, {in_time} before the last outage ended; the rest "
            f"{number(seconds - total_s)} s later; {again} attempts repeated",
            goal="every job, every task once",
            met=good == len(jobs) and all(task.status == "succeeded" for task in tasks),
        ),
        Figure(
            what="IP bytes on the wire per task with these outages",
            ours=f"{number(link.counts.bytes / len(tasks))} bytes ({link.counts.cut:,} packets cut off)",
        ),
    ]


def _mixture(weather: wan.Weather) -> Outcome:
    """Many tiny tasks and some real ones, submitted together."""
    with _site(weather) as (fleet, link):
        idle = _idle_rate(link)
        before, started = link.counts.bytes, time.monotonic()
        jobs = [fleet.submit(JobRequest(kind="probe.echo", items=ECHOES)).id, fleet.submit(_sweep(POINTS)).id]
        for job in jobs:
            view = fleet.wait(job, timeout_s=600).job
            assert view.status == "succeeded", view.errors
        seconds = time.monotonic() - started
        tasks = [task for job in jobs for task in fleet.job(job).tasks]
        return Outcome(
            seconds=seconds,
            tasks=len(tasks),
            bytes_per_task=(link.counts.bytes - before) / len(tasks),
            idle_bytes_per_s=idle,
            again=sum(task.attempt - 1 for task in tasks),
            link=link.counts,
        )


def _idle_rate(link: wan.Link) -> float:
    seconds = 60.0
    before = link.counts.bytes
    time.sleep(seconds)
    return (link.counts.bytes - before) / seconds


def _sweep(points: int) -> JobRequest:
    return JobRequest(
        kind="circuit.expect",
        program=PROGRAM,
        observables=("Z0 Z17",),
        parameters=tuple({"theta": index / points} for index in range(points)),
        lost_after_s=7200.0,
    )


@contextmanager
def _site(weather: wan.Weather) -> Iterator[tuple[Fleet, wan.Link]]:
    """A fleet whose agents are at the far end; the weather begins once all are online."""
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        wan.Link(CALM, seed=1) as link,
        _carried(link),
        fleets.LocalFleet(
            Path(folder),
            agents=AGENTS,
            broker_listen=f"{wan.SITE_ADDRESS}:0",
            agent_prefix=link.inside,
        ) as site,
        site.connect() as fleet,
    ):
        fleet.run(JobRequest(kind="probe.echo", items=AGENTS), timeout_s=60)
        link.counts = wan.Counts()
        link.begin(weather)
        yield fleet, link


@contextmanager
def _carried(link: wan.Link) -> Iterator[None]:
    """Pass the packets in a thread of their own."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(link.carry())
    thread = threading.Thread(target=_until_cancelled, args=(loop, task), name="wan")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


def _until_cancelled(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        return
