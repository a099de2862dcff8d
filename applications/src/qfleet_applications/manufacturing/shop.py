"""Job shops: operations, the graph of what must come before what, and schedules.

A job is a chain of operations, each of which occupies one machine for a whole number of time units. A
schedule orders the operations of each machine; its makespan is the longest path through the graph of both
orders (Roy and Sussmann, 1964).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from qfleet_applications.errors import InvalidProblem


class Operation(NamedTuple):
    """A machine, and for how many time units it is occupied."""

    machine: str
    duration: int


class Place(NamedTuple):
    """An operation of a schedule by numbers: job, step of the job."""

    job: int
    step: int


@dataclass(frozen=True)
class Shop:
    """A job shop; ``jobs`` are named, ``unit`` is that of the durations."""

    name: str
    names: tuple[str, ...]
    jobs: tuple[tuple[Operation, ...], ...]
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.jobs or not all(self.jobs):
            raise InvalidProblem(f"{self.name}: a shop needs jobs, each with an operation")
        short = [(name, one.duration) for name, job in zip(self.names, self.jobs, strict=True) for one in job]
        if wrong := next((one for one in short if one[1] < 1), None):
            raise InvalidProblem(
                f"{self.name}: job {wrong[0]} has a duration of {wrong[1]}; at least 1 is meant"
            )

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """All operations, job by job."""
        return tuple(Place(job, step) for job, steps in enumerate(self.jobs) for step in range(len(steps)))

    @cached_property
    def machines(self) -> dict[str, tuple[Place, ...]]:
        """The operations of each machine."""
        table: dict[str, list[Place]] = {}
        for place in self.places:
            table.setdefault(self.operation(place).machine, []).append(place)
        return {machine: tuple(table[machine]) for machine in sorted(table)}

    @property
    def floor(self) -> int:
        """No schedule is shorter: the longest job, or the busiest machine."""
        jobs = [sum(one.duration for one in job) for job in self.jobs]
        loads = [sum(self.duration(place) for place in places) for places in self.machines.values()]
        return max(*jobs, *loads)

    def operation(self, place: Place) -> Operation:
        """The operation at a place."""
        return self.jobs[place.job][place.step]

    def duration(self, place: Place) -> int:
        """For how long an operation occupies its machine."""
        return self.jobs[place.job][place.step].duration


Starts = Mapping[Place, int]
"""When each operation begins."""


def makespan(shop: Shop, starts: Starts) -> int:
    """When the last operation ends."""
    return max(start + shop.duration(place) for place, start in starts.items())


def fault(shop: Shop, starts: Starts) -> str | None:
    """What makes a schedule impossible, checked without the graph; None when it is possible."""
    if missing := set(shop.places) - starts.keys():
        return f"{len(missing)} operations have no start"
    for place in shop.places:
        after = Place(place.job, place.step + 1)
        end = starts[place] + shop.duration(place)
        if starts[place] < 0 or (after in starts and starts[after] < end):
            return f"job {shop.names[place.job]}, step {place.step + 1} ends at {end}, after the next begins"
    for machine, places in shop.machines.items():
        row = sorted(places, key=lambda place: starts[place])
        for one, other in pairwise(row):
            if starts[one] + shop.duration(one) > starts[other]:
                return f"machine {machine} is occupied twice at {starts[other]}"
    return None


def orders(shop: Shop, starts: Starts) -> dict[str, tuple[Place, ...]]:
    """In which order each machine takes its operations."""
    return {
        machine: tuple(sorted(places, key=lambda place: starts[place]))
        for machine, places in shop.machines.items()
    }


def dispatched(shop: Shop) -> dict[Place, int]:
    """A first schedule: what can begin earliest begins, of equals the one with most work to come.

    The rule MWKR of Panwalkar and Iskander, Oper. Res. 25, 45 (1977).
    """
    step = [0] * len(shop.jobs)
    free_job, free_machine = [0] * len(shop.jobs), dict.fromkeys(shop.machines, 0)
    starts: dict[Place, int] = {}
    while len(starts) < len(shop.places):
        ready = [Place(job, at) for job, at in enumerate(step) if at < len(shop.jobs[job])]
        begins = {one: max(free_job[one.job], free_machine[shop.operation(one).machine]) for one in ready}
        chosen = min(ready, key=lambda one: (begins[one], -_left(shop, one), one))
        starts[chosen] = begins[chosen]
        end = begins[chosen] + shop.duration(chosen)
        free_job[chosen.job] = free_machine[shop.operation(chosen).machine] = end
        step[chosen.job] += 1
    return starts


def drawn(shop: Shop, shares: Mapping[Place, float]) -> dict[Place, int]:
    """Another first schedule: no operation can begin before another without that one beginning later.

    Of those that the machine that is free first could begin (Giffler and Thompson, Oper. Res. 8, 487, 1960),
    the one with most work to come begins, each weighed by its share of ``shares``.
    """
    step = [0] * len(shop.jobs)
    free_job, free_machine = [0] * len(shop.jobs), dict.fromkeys(shop.machines, 0)
    starts: dict[Place, int] = {}
    while len(starts) < len(shop.places):
        ready = [Place(job, at) for job, at in enumerate(step) if at < len(shop.jobs[job])]
        begins = {one: max(free_job[one.job], free_machine[shop.operation(one).machine]) for one in ready}
        first = min(ready, key=lambda one: (begins[one] + shop.duration(one), one))
        end, machine = begins[first] + shop.duration(first), shop.operation(first).machine
        rivals = [one for one in ready if shop.operation(one).machine == machine and begins[one] < end]
        chosen = min(rivals, key=lambda one: (-_left(shop, one) * shares[one], one))
        starts[chosen] = begins[chosen]
        free_job[chosen.job] = free_machine[machine] = begins[chosen] + shop.duration(chosen)
        step[chosen.job] += 1
    return starts


def _left(shop: Shop, place: Place) -> int:
    return sum(one.duration for one in shop.jobs[place.job][place.step :])


def without_gaps(shop: Shop, rows: Mapping[str, Sequence[Place]]) -> dict[Place, int]:
    """Every operation as early as the orders of jobs and machines allow.

    Raises:
        InvalidProblem: the orders contradict each other.
    """
    before = {place: [Place(place.job, place.step - 1)] if place.step else [] for place in shop.places}
    for row in rows.values():
        for one, other in pairwise(row):
            before[other].append(one)
    starts: dict[Place, int] = {}
    waiting = list(shop.places)
    while waiting:
        ready = [place for place in waiting if all(one in starts for one in before[place])]
        if not ready:
            raise InvalidProblem("the orders of the machines contradict those of the jobs")
        for place in ready:
            starts[place] = max((starts[one] + shop.duration(one) for one in before[place]), default=0)
        waiting = [place for place in waiting if place not in starts]
    return starts
