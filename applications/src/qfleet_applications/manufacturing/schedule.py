"""The study ``manufacturing schedule``: a job shop on the fleet, beside the optimum that CP-SAT proves."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qfleet import JobRequest
from qfleet_applications.errors import TooLarge
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison, Figure, Measured, Report, Series, Table
from qfleet_applications.frame.versions import versions
from qfleet_applications.manufacturing import exact, scheduling
from qfleet_applications.manufacturing.scheduling import Asked, Course, Search
from qfleet_applications.manufacturing.shop import Place, Shop, dispatched, fault, makespan
from qfleet_applications.manufacturing.windows import CONFLICT, ONE_START, Question, candidates
from qfleet_applications.qubo import proving, sampling
from qfleet_applications.qubo.proving import Proof
from qfleet_applications.qubo.sampling import Effort

EFFORT = Effort(reads=16, sweeps=500, beta=(0.5, 8.0))
"""Weights are 1 and 2: at β = 8 nothing that breaks one more constraint is taken any more."""
LARGEST = 400
"""Operations; each part looks at the paths between all."""


@dataclass(frozen=True)
class ScheduleStudy:
    """A shop and how long to search; ``clock`` gives seconds."""

    shop: Shop
    search: Search
    clock: Callable[[], float] = time.perf_counter

    @property
    def title(self) -> str:
        """What it is about."""
        return f"Job shop {self.shop.name}, {len(self.shop.jobs)} jobs on {len(self.shop.machines)} machines"

    @property
    def qubits(self) -> int:
        """Qubits of the widest model, which only QAOA needs."""
        if self.search.effort.method != "qaoa":
            return 0
        return max((len(one.model.qubo) for one in self._first()), default=0)

    def requests(self) -> tuple[JobRequest, ...]:
        """The first round.

        Raises:
            TooLarge: there are too many operations, or all of them are asked for in one model and do not fit.
        """
        self._check()
        search = self.search
        return tuple(one.request(search.effort, search.seed + at) for at, one in enumerate(self._first()))

    def conduct(self, desk: Runner) -> Report:
        """Search on the fleet, prove with CP-SAT, and compare."""
        self._check()
        began = self.clock()
        course = scheduling.begun(self.shop)
        scheduling.bisect(course, desk, self.search)
        scheduling.improve(course, desk, self.search, np.random.default_rng(self.search.seed))
        seconds = self.clock() - began
        assert fault(self.shop, course.best) is None
        return self._report(course, exact.shortest_schedule(self.shop, seed=self.search.seed), seconds)

    def _check(self) -> None:
        shop, number = self.shop, len(self.shop.places)
        if number > LARGEST:
            bits = number * (sum(map(shop.duration, shop.places)) - shop.floor)
            told = f"{self.title} may need {bits} qubits; only {LARGEST} operations or fewer go in parts"
            raise TooLarge(told, qubits=bits, hint="give fewer jobs")
        course = scheduling.begun(shop)
        if self.search.whole and course.length > shop.floor:
            question = Question(shop, course.best, shop.places)
            times = candidates(question, course.length - 1) or {}
            name = f"{self.title}, within {course.length - 1},"
            sampling.check(max(1, sum(map(len, times.values()))), 0, self.search.effort, name)

    def _first(self) -> list[Asked]:
        course = scheduling.begun(self.shop)
        middle = (self.shop.floor + course.length - 1) // 2
        whole = scheduling.whole(course, middle, self.search)
        if not isinstance(whole, str):
            return [whole]
        if self.search.whole or not self.search.rounds or course.length <= self.shop.floor:
            return []
        chance = np.random.default_rng(self.search.seed)
        scheduling.spread(course, self.search, chance)
        return [one for one in scheduling.parts(course, self.search, chance) if one is not None]

    def _report(self, course: Course, proof: Proof[dict[Place, int]], seconds: float) -> Report:
        length = float(course.length)
        begun = course.begun
        method = proving.credited("a dispatching rule", self.search.effort.described, begun, length)
        kind = self.search.effort.kind if length < begun else "classical"
        comparison = Comparison(
            self.title,
            "makespan",
            self.shop.unit,
            "lower",
            Measured(method, length, length, length, seconds, kind=kind),
            Measured("CP-SAT", proof.value, proof.value, proof.value, proof.seconds, proof.note),
            "exact values",
        )
        return Report(
            pack="manufacturing",
            command="schedule",
            title=self.title,
            comparisons=(comparison,),
            tables=(_steps(course), _rows(course)),
            figures=(_gantt(course), _progress(course)),
            notes=(
                proving.gap("schedule", length, proof),
                proving.beginning("a dispatching rule", str(begun), better=length < begun),
                "An annealer that finds no schedule within a makespan has not proved that there is none.",
                "States that broke constraints were repaired to schedules; the table says how many.",
                self.search.effort.nature,
            ),
            settings={
                "seed": str(self.search.seed),
                "method": self.search.effort.described,
                "weight of an operation without one start": f"{ONE_START:g}",
                "weight of a pair of starts that exclude each other": f"{CONFLICT:g}",
                "largest model (whole, part)": f"{self.search.largest}, {self.search.part} variables",
            },
            versions=versions("ortools"),
        )


def _steps(course: Course) -> Table:
    columns = ("model", "makespan asked", "operations", "variables", "terms", "broken", "makespan found")
    rows = tuple(
        (one.phase, one.limit, one.operations, one.variables, one.terms, one.broken, one.found)
        for one in course.steps
    )
    return Table("Models that the fleet was asked", columns, rows)


def _rows(course: Course) -> Table:
    shop = course.shop
    rows = tuple(
        (
            machine,
            " ".join(
                f"{shop.names[one.job]}@{course.best[one]}"
                for one in sorted(places, key=lambda one: course.best[one])
            ),
        )
        for machine, places in shop.machines.items()
    )
    return Table("The schedule: job@start on each machine", ("machine", "order"), rows)


def _gantt(course: Course) -> Figure:
    shop, machines = course.shop, list(course.shop.machines)
    series = []
    for job, name in enumerate(shop.names):
        x: list[float] = []
        y: list[float] = []
        for place in shop.places:
            if place.job == job:
                start, operation = course.best[place], shop.operation(place)
                # what is no number ends a line
                x += [start, start + operation.duration, math.nan]
                y += [machines.index(operation.machine) + 1] * 2 + [math.nan]
        series.append(Series(f"job {name}", tuple(x), tuple(y)))
    unit = f" [{shop.unit}]" if shop.unit else ""
    title = f"{shop.name}: the fleet's schedule, makespan {course.length}"
    return Figure("schedule", title, f"time{unit}", f"machine ({', '.join(machines)})", tuple(series))


def _progress(course: Course) -> Figure:
    best, found = [makespan(course.shop, dispatched(course.shop))], []
    for one in course.steps:
        found.append(float(one.found))
        best.append(min(best[-1], one.found))
    x = tuple(map(float, range(len(best))))
    series = (
        Series("shortest so far", x, tuple(map(float, best)), style="steps"),
        Series("this model, repaired", x[1:], tuple(found), style="points"),
    )
    return Figure(
        "progress", f"{course.shop.name}: makespan by models asked", "models asked", "makespan", series
    )
