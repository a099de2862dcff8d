"""Ten thousand tasks while everything is killed, paused and cut off at random.

Two regions with a Mosquitto each, two controllers over one PostgreSQL, six agents; four submitters
keep it busy. The same work runs first in calm, then in chaos. At the end every job must have
succeeded, every task counted once, and every answer must be the one of the calm run.
``QFLEET_BENCH_CHAOS_TASKS`` and ``QFLEET_BENCH_CHAOS_SEED`` choose another size and another storm.
"""

import contextlib
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from benchmarks.chaos_meter import Meter
from benchmarks.chaos_storm import Storm
from benchmarks.chaos_work import Done, Work
from benchmarks.figures import Figure, number
from tests.integration import postgres
from tests.system.site import Site

from qfleet import EchoResultView, SampleResultView

TASKS = 10_000
REGIONS = {"north": 3, "south": 3}
_COUNTED = "SELECT count(*) FROM results"
_TASKS = "SELECT count(*), count(*) FILTER (WHERE status = 'succeeded'), sum(attempt - 1) FROM tasks"
_DISAGREEMENTS = "SELECT count(*) FROM audit WHERE action = 'alarm.disagreement'"
_LED = "SELECT count(*) FROM audit WHERE action = 'region.lead'"


@dataclass(slots=True)
class Tally:
    """What a run came to."""

    seconds: float = 0.0
    jobs: int = 0
    tasks: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    again: int = 0
    takeovers: int = 0
    disagreements: int = 0
    arrived: int = 0
    counted: int = 0
    blows: Counter[str] = field(default_factory=Counter)
    answers: dict[str, object] = field(default_factory=dict)

    @property
    def duplicates(self) -> int:
        """Results that came and were not counted, for another had been."""
        return self.arrived - self.counted


def run() -> list[Figure]:
    """Measure calm and chaos, each with a fleet of its own."""
    total = int(os.environ.get("QFLEET_BENCH_CHAOS_TASKS", TASKS))
    seed = int(os.environ.get("QFLEET_BENCH_CHAOS_SEED", "1"))
    calm = _one(total, None)
    wild = _one(total, random.Random(seed))
    wild.wrong += sum(wild.answers[name] != answer for name, answer in calm.answers.items())
    blows = ", ".join(f"{count} × {what}" for what, count in sorted(wild.blows.items()))
    return [
        Figure(
            what=f"{wild.tasks:,} tasks of {wild.jobs} jobs, 6 agents, 2 controllers, 2 brokers: {blows}",
            ours=f"lost {wild.lost}, merged twice {wild.doubled}, wrong {wild.wrong}, "
            f"disagreements {wild.disagreements}",
            peer=f"calm: {calm.lost}, {calm.doubled}, {calm.wrong}, {calm.disagreements}",
            goal="lost 0, merged twice 0",
            met=wild.lost == wild.doubled == wild.wrong == 0,
        ),
        Figure(
            what="the same, recoveries",
            ours=f"{wild.again} attempts repeated, regions led {wild.takeovers} times anew; {wild.arrived:,} "
            f"signed results came, {wild.duplicates:,} of them had come before and were dropped",
            peer=f"calm: {calm.again}, {calm.takeovers}; {calm.arrived:,}, {calm.duplicates:,}",
        ),
        Figure(
            what="the same, time until all was done",
            ours=f"{number(wild.seconds)} s",
            peer=f"calm: {number(calm.seconds)} s",
            ratio=f"{number(wild.seconds / calm.seconds)} ×",
        ),
    ]


def _one(total: int, chance: random.Random | None) -> Tally:
    """Run all the work on a fresh fleet; with ``chance`` in chaos."""
    tally = Tally()
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        _database() as url,
        Site(Path(folder), url, REGIONS) as site,
    ):
        site.add_controller("c2")
        work = Work.of(site, total)
        before = _led(url)
        started = time.monotonic()
        with Meter(site, "qfleet_link_results_total") as meter:
            if chance is None:
                done = work.run()
            else:
                with Storm(site, chance, tally.blows, meter.ask):
                    done = work.run()
        tally.seconds = time.monotonic() - started
        tally.arrived = int(meter.total)
        _ask(site, done, tally)
        _look(url, tally)
        tally.takeovers -= before
    return tally


@contextlib.contextmanager
def _database() -> Iterator[str]:
    """A PostgreSQL of its own; gives the URL of an empty database."""
    server = postgres.Server()
    try:
        yield server.create()
    finally:
        server.remove()


def _ask(site: Site, done: list[Done], tally: Tally) -> None:
    """Compare every job's answer with what was asked for."""
    tally.jobs = len(done)
    with site.connect() as fleet:
        for one in done:
            result = fleet.result(one.job)
            match result:
                case EchoResultView():
                    answer: object = result.items
                    tally.wrong += result.items != one.request.items
                case SampleResultView():
                    answer = result.items[0].counts
                    tally.wrong += sum(result.items[0].counts.values()) != one.request.shots
                case _:
                    raise AssertionError(result)
            tally.answers[one.request.name] = answer


def _led(url: str) -> int:
    """How often a controller began to lead a region."""
    with _connected(url) as connection:
        return connection.scalar(sa.text(_LED)) or 0


@contextlib.contextmanager
def _connected(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _look(url: str, tally: Tally) -> None:
    """Count in the database itself."""
    with _connected(url) as connection:
        tasks, succeeded, tally.again = connection.execute(sa.text(_TASKS)).one()
        tally.counted = connection.scalar(sa.text(_COUNTED)) or 0
        tally.disagreements = connection.scalar(sa.text(_DISAGREEMENTS)) or 0
        tally.takeovers = connection.scalar(sa.text(_LED)) or 0
    tally.tasks, tally.lost, tally.doubled = tasks, tasks - succeeded, max(0, tally.counted - tasks)
