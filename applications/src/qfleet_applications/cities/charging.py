"""Chargers: where do p of them stand so that people drive least to the nearest (the p-median problem)?

A bit for each place that has a charger, and one for each customer and each of the nearest places that may
serve it. Penalties (Lucas, Front. Phys. 2, 5, 2014, section 3 for one-hot): one server for each customer, a
server must have a charger, p chargers in all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from qfleet_applications.cities.roads import Roads
from qfleet_applications.errors import InvalidProblem
from qfleet_applications.frame.report import Figure, Series, Table
from qfleet_applications.qubo import linear
from qfleet_applications.qubo.linear import Row
from qfleet_applications.qubo.model import Qubo
from qfleet_applications.qubo.proving import Proof
from qfleet_applications.qubo.sampling import Effort

EFFORT = Effort(reads=64, sweeps=1000, keep=64)
Places = tuple[int, ...]


@dataclass(frozen=True)
class Charging:
    """Places with their demand in the order of ``roads.nodes``; ``near`` places may serve a customer."""

    roads: Roads
    demand: tuple[float, ...]
    chargers: int
    near: int = 6
    command: str = "charging"
    baseline: str = "HiGHS"
    second: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.chargers < len(self.demand):
            told = f"{self.chargers} chargers for {len(self.demand)} places"
            raise InvalidProblem(told, hint="give at least 1, and fewer than there are places")
        if sum(self.demand) <= 0:
            raise InvalidProblem("nobody wants to charge anywhere: all demand is 0")

    @property
    def title(self) -> str:
        """What it is about."""
        return f"{self.chargers} chargers for {len(self.demand)} places of {self.roads.name}"

    @property
    def quantity(self) -> tuple[str, str]:
        """What is minimised."""
        return "mean time to the nearest charger", "min"

    @cached_property
    def costs(self) -> list[list[float]]:
        """Minutes from each place to each, times the share of its demand.

        Raises:
            InvalidProblem: some place cannot be reached from another.
        """
        minutes, total = self.roads.minutes(), sum(self.demand)
        nodes = self.roads.nodes
        for one in nodes:
            if missing := [other for other in nodes if other not in minutes[one]]:
                raise InvalidProblem(f"{self.roads.name}: there is no way from {one} to {missing[0]}")
        shares = [part / total for part in self.demand]
        return [
            [share * minutes[one][other] for other in nodes] for one, share in zip(nodes, shares, strict=True)
        ]

    @cached_property
    def servers(self) -> list[list[int]]:
        """The places that may serve each customer."""
        return [_lowest(row)[: self.near] for row in self.costs]

    @property
    def weight(self) -> float:
        """Weight of each broken constraint: what the costliest service costs."""
        return max(row[servers[-1]] for row, servers in zip(self.costs, self.servers, strict=True))

    def model(self) -> Qubo:
        """The model."""
        qubo, nodes = Qubo(), self.roads.nodes
        opened = qubo.variables(f"charger at {node}" for node in nodes)
        qubo.square([(bit, 1.0) for bit in opened], -float(self.chargers), self.weight)
        for customer, servers in enumerate(self.servers):
            bits = qubo.variables(f"{nodes[customer]} charges at {nodes[server]}" for server in servers)
            qubo.exactly_one(bits, self.weight)
            for bit, server in zip(bits, servers, strict=True):
                qubo.add(bit, self.costs[customer][server] + self.weight)
                qubo.couple(bit, opened[server], -self.weight)
        return qubo

    def read(self, bits: Sequence[int]) -> tuple[Places, bool]:
        """Places of chargers; too many or too few are dropped or added one by one, the best first."""
        number = len(self.demand)
        chosen = [at for at in range(number) if bits[at]]
        valid = len(chosen) == self.chargers and self._served(bits)
        while len(chosen) > self.chargers:
            chosen = min(([at for at in chosen if at != one] for one in chosen), key=self._cost)
        while len(chosen) < self.chargers:
            chosen = min(([*chosen, at] for at in range(number) if at not in chosen), key=self._cost)
        return tuple(sorted(chosen)), valid

    def _served(self, bits: Sequence[int]) -> bool:
        """Whether each customer has one server, with a charger."""
        at = len(self.demand)
        for servers in self.servers:
            marked = [
                server for server, bit in zip(servers, bits[at : at + len(servers)], strict=True) if bit
            ]
            if len(marked) != 1 or not bits[marked[0]]:
                return False
            at += len(servers)
        return True

    def _cost(self, chosen: Sequence[int]) -> float:
        return sum(min(row[at] for at in chosen) for row in self.costs) if chosen else float("inf")

    def value(self, answer: Places) -> float:
        """Mean minutes to the nearest charger."""
        return self._cost(answer)

    def exact(self, seed: int) -> Proof[Places]:  # noqa: ARG002 - HiGHS draws nothing
        """The best places; here every place may serve every customer."""
        size = len(self.demand)
        costs = [0.0] * size + [cost for row in self.costs for cost in row]
        bit = [[size * (customer + 1) + place for place in range(size)] for customer in range(size)]
        rows = [Row(dict.fromkeys(range(size), 1.0), self.chargers, self.chargers)]
        for row in bit:
            rows.append(Row(dict.fromkeys(row, 1.0), 1.0, 1.0))
            rows += [Row({served: 1.0, place: -1.0}, -1.0, 0.0) for place, served in enumerate(row)]
        proof = linear.minimised(costs, rows, self.title)
        chosen = tuple(at for at in range(size) if proof.solution[at])
        return Proof(chosen, proof.value, proof.bound, proof.seconds)

    def again(self, seed: int) -> None:
        """None: CP-SAT takes minutes for what HiGHS proves by its linear relaxation at once."""

    def shown(self, ours: Places, theirs: Places) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Where chargers stand, and how far each place is from one."""
        nodes, minutes = self.roads.nodes, self.roads.minutes()
        answers = (("fleet", ours), (self.baseline, theirs))
        rows = tuple(
            (method, " ".join(nodes[at] for at in answer), self.value(answer)) for method, answer in answers
        )
        x = tuple(map(float, range(len(nodes))))
        series = tuple(
            Series(
                method, x, tuple(min(minutes[one][nodes[at]] for at in at_all) for one in nodes), style="bars"
            )
            for method, at_all in answers
        )
        figure = Figure("charging", "Way to the nearest charger", "place", "time [min]", series, nodes)
        return (Table("Where chargers stand", ("method", "places", "mean time [min]"), rows),), (figure,)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know."""
        return (
            f"In the model the {self.near} nearest places may serve a customer.",
            "The answer is judged by the nearest charger, however far.",
        )

    @property
    def weights(self) -> dict[str, str]:
        """The weight."""
        return {"weight of each broken constraint": f"{self.weight:.4g} min"}


def _lowest(row: Sequence[float]) -> list[int]:
    return sorted(range(len(row)), key=lambda at: (row[at], at))
