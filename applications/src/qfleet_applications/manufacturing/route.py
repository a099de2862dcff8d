"""The study ``manufacturing route``: the shortest closed path of a picker or a drill."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from qfleet import JobRequest
from qfleet_applications.errors import TooLarge
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison, Figure, Measured, Report, Series, Table
from qfleet_applications.frame.versions import versions
from qfleet_applications.manufacturing import exact, touring
from qfleet_applications.manufacturing.places import Places
from qfleet_applications.manufacturing.stretches import SHARE
from qfleet_applications.manufacturing.touring import Path, Walk
from qfleet_applications.qubo import proving, sampling
from qfleet_applications.qubo.proving import Proof
from qfleet_applications.qubo.sampling import Effort

EFFORT = Effort(reads=32, sweeps=1000)
LARGEST = 200
"""Places; CP-SAT has two arcs for each pair."""


@dataclass(frozen=True)
class RouteStudy:
    """Places and how long to search; ``clock`` gives seconds."""

    places: Places
    walk: Walk
    clock: Callable[[], float] = time.perf_counter

    @property
    def title(self) -> str:
        """What it is about."""
        return f"Shortest closed path through {self.places.name}, {len(self.places)} places"

    @property
    def qubits(self) -> int:
        """Qubits of the widest model, which only QAOA needs."""
        if self.walk.effort.method != "qaoa":
            return 0
        return max(len(one.inner) ** 2 for one in touring.first(self._path(), self.walk))

    def requests(self) -> tuple[JobRequest, ...]:
        """The first round.

        Raises:
            TooLarge: there are too many places, or all of them are asked for in one model and do not fit.
        """
        self._check()
        return touring.requests(touring.first(self._path(), self.walk), self.walk, self.walk.seed)

    def conduct(self, desk: Runner) -> Report:
        """Search on the fleet, prove with CP-SAT, and compare."""
        self._check()
        began = self.clock()
        path = self._path()
        touring.search(path, desk, self.walk)
        seconds = self.clock() - began
        proof = exact.shortest_tour(self.places, seed=self.walk.seed)
        assert sorted(path.tour) == list(range(len(self.places)))
        return self._report(path, proof, seconds)

    def _check(self) -> None:
        bits = (len(self.places) - 1) ** 2
        if len(self.places) > LARGEST:
            told = (
                f"{self.title}: one model needs {bits} qubits, and at most {LARGEST} places go in stretches"
            )
            raise TooLarge(told, qubits=bits, hint="give fewer places, or --first")
        if self.walk.whole:
            sampling.check(bits, 0, self.walk.effort, self.title)

    def _path(self) -> Path:
        return Path(self.places, touring.nearest(self.places))

    def _report(self, path: Path, proof: Proof[tuple[int, ...]], seconds: float) -> Report:
        length, described = float(path.length), self.walk.effort.described
        begun = self.places.length(touring.nearest(self.places))
        method = f"{described} with repair"
        rule, better = "going to the nearest place each time", length < begun
        start = (
            "The first model had all places: its own answer is where the search began. "
            f"By {rule} the path takes {begun}{'' if better else ', which the sampler did not improve on'}."
        )
        whole = touring.at_once(path, self.walk)
        if not whole:
            method = proving.credited("the nearest place each time", described, begun, length)
            start = proving.beginning(rule, str(begun), better=better)
        kind = self.walk.effort.kind if whole or length < begun else "classical"
        comparison = Comparison(
            self.title,
            "length",
            self.places.unit,
            "lower",
            Measured(method, length, length, length, seconds, kind=kind),
            Measured("CP-SAT", proof.value, proof.value, proof.value, proof.seconds, proof.note),
            "exact values",
        )
        return Report(
            pack="manufacturing",
            command="route",
            title=self.title,
            comparisons=(comparison,),
            tables=(_steps(path), _path(path, proof)),
            figures=(_map(self.places, path, proof),),
            notes=(
                proving.gap("path", length, proof),
                start,
                "States that are no order of the places were repaired; the table says how many were valid.",
                f"Each broken one-hot constraint weighs {SHARE:g} of the longest distance of its model.",
                self.walk.effort.nature,
            ),
            settings={
                "seed": str(self.walk.seed),
                "method": described,
                "largest model of the whole": f"{self.walk.largest} variables",
                "places in a stretch, rounds": f"{self.walk.stretch}, {self.walk.rounds}",
            },
            versions=versions("ortools"),
        )


def _steps(path: Path) -> Table:
    columns = ("places ordered", "variables", "states read", "of them valid", "length before", "length after")
    rows = tuple(
        (one.places, one.variables, one.kept, one.valid, one.before, one.after) for one in path.steps
    )
    return Table("Models that the fleet was asked", columns, rows)


def _path(path: Path, proof: Proof[tuple[int, ...]]) -> Table:
    names = path.places.names
    rows = tuple(
        (method, " ".join(names[one] for one in (*tour, tour[0])), path.places.length(tour))
        for method, tour in (("fleet", path.tour), ("CP-SAT", proof.solution))
    )
    return Table("The paths", ("method", "order", "length"), rows)


def _map(places: Places, path: Path, proof: Proof[tuple[int, ...]]) -> Figure:
    """The paths drawn where positions are known, else the length by models asked."""
    if not places.points:
        lengths = [float(path.steps[0].before), *(float(one.after) for one in path.steps)]
        series = Series("fleet", tuple(map(float, range(len(lengths)))), tuple(lengths), style="steps")
        return Figure("path", places.name, "models asked", "length", (series,))
    drawn = []
    paths = [("CP-SAT", proof.solution), ("fleet", path.tour)]
    if places.length(proof.solution) == path.length:
        paths = [("fleet, and CP-SAT as short", path.tour)]
    for label, tour in paths:
        points = [places.points[one] for one in (*tour, tour[0])]
        drawn.append(Series(label, tuple(x for x, _ in points), tuple(y for _, y in points)))
    return Figure("path", f"Closed path through {places.name}", *places.axes, tuple(drawn))
