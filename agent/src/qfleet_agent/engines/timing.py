"""Measures an engine: runs small works that its module offers, and solves the cost model for what they tell.

Runs in a worker, which holds the engine. Each sample is counted in the words of ``costs.Load`` and finds one
coefficient, given those found before it; a time is the upper quartile of a few, for a
task runs once and finds caches cold that a repeated sample has warmed. What an engine's module
leaves out stays 0 and costs nothing.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from qfleet_agent.engines.errors import MemoryShort
from qfleet_wire import costs, workload
from qfleet_wire.costs import Load
from qfleet_wire.payloads import Calibration

Coefficient: TypeAlias = Literal["item", "part", "step", "pass", "turn", "history", "draw"]
Run: TypeAlias = Callable[[workload.Work, int], object]
"""Runs a work within a memory budget in bytes."""

_REPEATS = 8
"""Times that each sample is run, as far as the budget allows."""
_LEAST, _MOST = 0.25, 2.5
"""A number of a small state costs so much of one of the next larger: what is less or more is noise."""
_COUNTS = {"item": "items", "part": "parts", "step": "steps", "turn": "turns"} | {
    "history": "histories",
    "draw": "draws",
}


class Sample(NamedTuple):
    """A small work, what it does, and the coefficient that its time tells.

    ``elements`` are the numbers that a pass touches; ``kinds`` what the sample speaks for, where an
    engine does not treat all its kinds alike.
    """

    finds: Coefficient
    work: workload.Work
    load: Load
    elements: float = 1.0
    kinds: tuple[str, ...] = ()


class Budget(NamedTuple):
    """What measuring an engine may take."""

    seconds: float
    memory_bytes: int


class Timing(msgspec.Struct, frozen=True, tag="agent.timing"):
    """Ask a worker to measure an engine; told between agent and worker only, never over the network."""

    engine: str
    kinds: tuple[str, ...]
    budget_ms: float


class Timed(msgspec.Struct, frozen=True, tag="agent.timed"):
    """What was measured."""

    calibrations: tuple[Calibration, ...]


def measure(
    engine: str,
    samples: Iterable[Sample],
    run: Run,
    *,
    budget: Budget,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Calibration, ...]:
    """Measure with these samples, in their order, for about as long as the budget says.

    Larger sizes come last in a curve and are left out when the time is up or memory does not suffice. All are
    gone through several times, so that what else the device does for a moment spoils no sample.
    """
    offered, end = list(samples), clock() + budget.seconds
    times: dict[int, list[float]] = {}
    first = _Solutions(engine)
    for sample in offered:
        if id(sample.work) not in times and clock() + first.expected_s(sample) <= end:
            with contextlib.suppress(MemoryShort, MemoryError):
                times[id(sample.work)] = [_seconds(run, sample, budget, clock)]
        first.learn(sample, times)
    for _ in range(_REPEATS - 1):
        for sample in offered:
            known = times.get(id(sample.work))
            if known is not None and clock() + min(known) <= end:
                known.append(_seconds(run, sample, budget, clock))
    last = _Solutions(engine)
    for sample in offered:
        last.learn(sample, times)
    return last.calibrations()


def _seconds(run: Run, sample: Sample, budget: Budget, clock: Callable[[], float]) -> float:
    begun = clock()
    run(sample.work, budget.memory_bytes)
    return clock() - begun


def _usual(times: Sequence[float]) -> float:
    return sorted(times)[3 * len(times) // 4]


def only_for(calibration: Calibration, kinds: tuple[str, ...]) -> Calibration:
    """Say of which kinds a calibration speaks, unless it does."""
    return msgspec.structs.replace(calibration, kinds=calibration.kinds or kinds)


class _Solutions:
    """What is known of each group of kinds."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._by_kinds: dict[tuple[str, ...], _Solution] = {}

    def expected_s(self, sample: Sample) -> float:
        """What a sample will take, as far as that is known."""
        return 1e-3 * self._of(sample).expected_ms(sample)

    def learn(self, sample: Sample, times: Mapping[int, Sequence[float]]) -> None:
        """Learn from a sample, if it was run."""
        seconds = times.get(id(sample.work))
        if seconds is not None:
            self._of(sample).learn(sample, 1e6 * _usual(seconds))

    def calibrations(self) -> tuple[Calibration, ...]:
        """What was found."""
        return tuple(each.calibration() for each in self._by_kinds.values() if each.curve)

    def _of(self, sample: Sample) -> "_Solution":
        return self._by_kinds.setdefault(sample.kinds, _Solution(self._engine, sample.kinds))


class _Solution:
    """The coefficients found so far, in microseconds."""

    def __init__(self, engine: str, kinds: tuple[str, ...]) -> None:
        self._engine, self._kinds = engine, kinds
        self._found: dict[str, float] = {}
        self.curve: list[tuple[float, float]] = []

    def expected_ms(self, sample: Sample) -> float:
        """What the sample will take, as far as that is known."""
        return costs.milliseconds(sample.load, sample.elements, self._so_far()) if self.curve else 0.0

    def learn(self, sample: Sample, microseconds: float) -> None:
        """Give the sample's coefficient what the others do not explain."""
        if sample.finds == "pass":
            rest = microseconds - self._explained_us(sample, passes=0.0)
            others = [known for known in self.curve if known[0] != sample.elements]
            self.curve = sorted([*others, costs.point(sample.elements, rest / sample.load.passes)])
            return
        name = _COUNTS[sample.finds]
        rest = microseconds - self._explained_us(sample, **{name: 0.0})
        self._found[sample.finds] = max(0.0, rest / getattr(sample.load, name))

    def calibration(self) -> Calibration:
        """What was found; with the coefficients that control planes of before read."""
        size, wide_us = self.curve[-1]
        self.curve = _plausible(self.curve)
        turn_us, history_us = self._found.get("turn", 0.0), self._found.get("history", 0.0)
        return msgspec.structs.replace(
            self._so_far(), amplitude_ns=1e3 * wide_us / size, shot_us=_TURNS * turn_us + history_us
        )

    def _explained_us(self, sample: Sample, **without: float) -> float:
        load = msgspec.structs.replace(sample.load, **without)
        if not self.curve:
            load = msgspec.structs.replace(load, passes=0.0)
        return 1e3 * costs.milliseconds(load, sample.elements, self._so_far())

    def _so_far(self) -> Calibration:
        get = self._found.get
        return Calibration(
            self._engine,
            0.0,
            get("step", 0.0),
            0.0,
            curve=tuple(self.curve or [(1.0, 1e-9)]),
            item_us=get("item", 0.0),
            part_us=get("part", 0.0),
            turn_us=get("turn", 0.0),
            history_us=get("history", 0.0),
            draw_us=get("draw", 0.0),
            kinds=self._kinds,
        )


def _plausible(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Correct what the subtraction of larger times left too small or too large."""
    kept = [curve[-1]]
    for size, time_us in reversed(curve[:-1]):
        larger, larger_us = kept[-1]
        even_us = larger_us * size / larger
        kept.append((size, min(max(time_us, _LEAST * even_us), _MOST * even_us)))
    return kept[::-1]


_TURNS = 3.0
"""Measurements of a usual shot, for control planes that know one coefficient for all of a shot."""
