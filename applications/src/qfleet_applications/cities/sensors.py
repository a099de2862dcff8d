"""Sensors: the cheapest intersections from which every street is watched, a minimum vertex cover.

E = Σ cost x + W Σ over streets (1 - x_u)(1 - x_v); with W above every cost no street stays unwatched in a
lowest state (Lucas, Front. Phys. 2, 5, 2014, section 4.3). A bit for each intersection, no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from qfleet_applications.cities.roads import Roads
from qfleet_applications.frame.report import Figure, Series, Table
from qfleet_applications.qubo import linear
from qfleet_applications.qubo.linear import Row
from qfleet_applications.qubo.model import Qubo
from qfleet_applications.qubo.proving import Proof
from qfleet_applications.qubo.sampling import Effort

EFFORT = Effort(reads=32, sweeps=500)
Places = tuple[int, ...]


@dataclass(frozen=True)
class Sensors:
    """Streets to be watched, and what a sensor costs at each of ``roads.nodes``."""

    roads: Roads
    costs: tuple[float, ...]
    command: str = "sensors"
    baseline: str = "HiGHS"
    second: str = "CP-SAT"

    @property
    def title(self) -> str:
        """What it is about."""
        return f"Sensors for {len(self.roads.streets)} streets of {self.roads.name}"

    @property
    def quantity(self) -> tuple[str, str]:
        """What is minimised."""
        return "cost", "sensors" if set(self.costs) == {1.0} else ""

    @property
    def weight(self) -> float:
        """Weight of a street that nothing watches."""
        return 1.5 * max(self.costs)

    @cached_property
    def ends(self) -> list[tuple[int, int]]:
        """The streets by numbers of their intersections."""
        number = {node: at for at, node in enumerate(self.roads.nodes)}
        return [(number[one], number[other]) for one, other in self.roads.streets]

    def model(self) -> Qubo:
        """The model."""
        qubo = Qubo()
        bits = qubo.variables(f"sensor at {node}" for node in self.roads.nodes)
        for bit, cost in zip(bits, self.costs, strict=True):
            qubo.add(bit, cost)
        for one, other in self.ends:
            qubo.offset += self.weight
            qubo.add(bits[one], -self.weight)
            qubo.add(bits[other], -self.weight)
            qubo.couple(bits[one], bits[other], self.weight)
        return qubo

    def read(self, bits: Sequence[int]) -> tuple[Places, bool]:
        """Intersections; unwatched streets get the cheaper end, then what watches nothing alone goes."""
        chosen = {at for at, bit in enumerate(bits) if bit}
        valid = all(one in chosen or other in chosen for one, other in self.ends)
        for one, other in self.ends:
            if one not in chosen and other not in chosen:
                chosen.add(min(one, other, key=lambda at: (self.costs[at], at)))
        for at in sorted(chosen, key=lambda at: (-self.costs[at], at)):
            if all(sum(end) - at in chosen for end in self.ends if at in end):
                chosen.remove(at)
        return tuple(sorted(chosen)), valid

    def value(self, answer: Places) -> float:
        """What the sensors cost."""
        return sum(self.costs[at] for at in answer)

    def exact(self, seed: int) -> Proof[Places]:  # noqa: ARG002 - HiGHS draws nothing
        """The cheapest cover."""
        return _chosen(linear.minimised(self.costs, self._rows(), self.title))

    def again(self, seed: int) -> Proof[Places]:
        """The same by CP-SAT."""
        return _chosen(linear.constrained(self.costs, self._rows(), self.title, seed=seed))

    def _rows(self) -> list[Row]:
        """Each street is watched."""
        return [Row({one: 1.0, other: 1.0}, 1.0, 2.0) for one, other in self.ends]

    def shown(self, ours: Places, theirs: Places) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Where sensors stand."""
        rows = tuple(
            (method, len(answer), " ".join(self.roads.nodes[at] for at in answer))
            for method, answer in (("fleet", ours), (self.baseline, theirs))
        )
        watched = [sum(at in end for end in self.ends) for at in ours]
        x = tuple(map(float, range(len(ours))))
        series = Series("streets watched", x, tuple(map(float, watched)), style="bars")
        names = tuple(self.roads.nodes[at] for at in ours)
        figure = Figure("sensors", "The fleet's sensors", "intersection", "streets", (series,), names)
        return (Table("Where sensors stand", ("method", "sensors", "intersections"), rows),), (figure,)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know."""
        return ("A street is watched from either of its ends; both directions count as one street.",)

    @property
    def weights(self) -> dict[str, str]:
        """The weight."""
        return {"weight of an unwatched street": f"{self.weight:g}"}


def _chosen(proof: Proof[tuple[int, ...]]) -> Proof[Places]:
    chosen = tuple(at for at, bit in enumerate(proof.solution) if bit)
    return Proof(chosen, proof.value, proof.bound, proof.seconds)
