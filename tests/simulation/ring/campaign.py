"""Many schedules: over all kinds of weather, in as many processes as asked for, with their faults counted.

Seeds are dealt out in chunks that do not depend on how many processes there are, so that a campaign
always runs the same schedules.
"""

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import NamedTuple

from tests.simulation.ring import schedule
from tests.simulation.ring.trace import Violation
from tests.simulation.ring.weather import WEATHERS

_CHUNK = 50


class Part(NamedTuple):
    """Neighbouring seeds of one weather, ``last`` not included."""

    weather: str
    first: int
    last: int


class Done(NamedTuple):
    """What a part came to; ``failures`` are the messages of schedules that failed."""

    schedules: int
    steps: int
    faults: Counter[str]
    failures: list[str]


@dataclass
class Report:
    """What a campaign has come to so far."""

    schedules: int = 0
    steps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def add(self, done: Done) -> None:
        """Take a part in."""
        self.schedules += done.schedules
        self.steps += done.steps
        self.faults += done.faults
        self.failures += done.failures

    @property
    def rate(self) -> float:
        """Schedules per second of wall-clock time."""
        return self.schedules / max(1e-9, time.monotonic() - self.started)

    def lines(self) -> Iterator[str]:
        """Figures and faults, for people."""
        yield f"{self.schedules:,} schedules, {self.steps:,} steps, {self.rate:.1f} schedules/s"
        for kind, count in sorted(self.faults.items()):
            yield f"  {count:>12,}  {kind}"
        yield f"{len(self.failures):,} failed"


def parts(schedules: int, first: int = 0, weathers: Sequence[str] = tuple(WEATHERS)) -> list[Part]:
    """So many schedules in all, in every weather by its share."""
    shares = [WEATHERS[weather].share for weather in weathers]
    ends = [schedules * sum(shares[: number + 1]) // sum(shares) for number in range(len(shares))]
    dealt = []
    for weather, begin, end in zip(weathers, [0, *ends], ends, strict=False):
        count = end - begin
        dealt += [
            Part(weather, first + start, first + min(start + _CHUNK, count))
            for start in range(0, count, _CHUNK)
        ]
    return dealt


def run(wanted: Sequence[Part], processes: int, told: Callable[[Report], None] = lambda _: None) -> Report:
    """Run all parts; ``told`` sees the report after each of them."""
    report = Report()
    # Spawned, so that nothing of this process's threads and settings is inherited.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done in pool.map(run_part, wanted):
            report.add(done)
            told(report)
    return report


def run_part(part: Part) -> Done:
    """Run neighbouring seeds in this process."""
    logging.disable(logging.ERROR)  # alarms are looked for in the record
    gc.disable()  # a part is over sooner than collections pay
    done = Done(part.last - part.first, 0, Counter(), [])
    steps = 0
    for seed in range(part.first, part.last):
        try:
            outcome = schedule.run(seed, part.weather)
        except Violation as error:
            done.failures.append(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the seed has to be told
            done.failures.append(f"{schedule.command(seed, part.weather)}: {error!r}")
        else:
            steps += outcome.steps
            done.faults.update(outcome.faults)
    logging.disable(logging.NOTSET)
    gc.enable()
    gc.collect()
    return done._replace(steps=steps)
