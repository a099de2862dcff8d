"""Traffic: platoons of vehicles choose among ways so that all together lose least time (system optimum).

A bit for each platoon and way (as Neukart and others, Front. ICT 4, 29, 2017). What a road costs grows with
the fifth power of its volume, v t₀ (1 + 0.15 (v/c)⁴); the model has the parabola that fits it best up to
1.5 times the capacity. Answers are judged by the true function.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from qfleet_applications.cities.equilibrium import Assignment, assigned
from qfleet_applications.cities.roads import Demand, Road, Roads
from qfleet_applications.errors import InvalidProblem
from qfleet_applications.frame.report import Figure, Series, Table
from qfleet_applications.qubo import linear, proving
from qfleet_applications.qubo.linear import Row
from qfleet_applications.qubo.model import Qubo
from qfleet_applications.qubo.proving import Proof
from qfleet_applications.qubo.sampling import Effort, check

EFFORT = Effort(reads=64, sweeps=1000, keep=64)
SHARE = 0.25
"""Weight of a platoon without one way, as a share of what its costliest way adds."""
_FITTED_TO = 1.5
_LIMIT_S = 4.0

Ways = tuple[int, ...]
"""The number of each platoon's way."""


@dataclass(frozen=True)
class Traffic:
    """A demand table on roads, cut into platoons of at most ``platoon`` vehicles with ``choices`` of ways."""

    roads: Roads
    demand: tuple[Demand, ...]
    platoon: float = 100.0
    choices: int = 5
    command: str = "traffic"
    baseline: str = "CP-SAT"
    second: str = "HiGHS"

    @property
    def title(self) -> str:
        """What it is about."""
        return f"Ways of {len(self.platoons)} platoons through {self.roads.name}"

    @property
    def quantity(self) -> tuple[str, str]:
        """What is minimised."""
        return "time of all vehicles", "veh min"

    @cached_property
    def platoons(self) -> list[tuple[int, float]]:
        """The pair of the demand table that each platoon belongs to, and its vehicles."""
        found = []
        for pair, one in enumerate(self.demand):
            number = max(1, -int(-one.vehicles // self.platoon))
            found += [(pair, one.vehicles / number)] * number
        return found

    @cached_property
    def ways(self) -> list[list[tuple[int, ...]]]:
        """The shortest ways of each pair."""
        return [self.roads.routes(one.start, one.end, self.choices) for one in self.demand]

    def volumes(self, answer: Ways) -> list[float]:
        """Vehicles on each road."""
        volumes = [0.0] * len(self.roads.roads)
        for (pair, vehicles), way in zip(self.platoons, answer, strict=True):
            for road in self.ways[pair][way]:
                volumes[road] += vehicles
        return volumes

    def value(self, answer: Ways) -> float:
        """Vehicle minutes of all."""
        pairs = zip(self.roads.roads, self.volumes(answer), strict=True)
        return sum(road.total(volume) for road, volume in pairs)

    def model(self) -> Qubo:
        """The model, in units of the mean free-flow time of a platoon."""
        self._check()
        qubo, curves = Qubo(), [_parabola(road) for road in self.roads.roads]
        rows: list[list[int]] = []
        users: list[list[tuple[int, float]]] = [[] for _ in curves]
        for number, (pair, vehicles) in enumerate(self.platoons):
            names = (f"platoon {number + 1}, way {way + 1}" for way in range(len(self.ways[pair])))
            rows.append(qubo.variables(names))
            for bit, way in zip(rows[-1], self.ways[pair], strict=True):
                for road in way:
                    users[road].append((bit, vehicles))
        for (slope, bend), used in zip(curves, users, strict=True):
            for bit, vehicles in used:
                qubo.add(bit, (slope * vehicles + bend * vehicles**2) / self.scale)
            for (bit, vehicles), (other, more) in combinations(used, 2):
                qubo.couple(bit, other, 2 * bend * vehicles * more / self.scale)
        for row in rows:
            cheapest = min(qubo.linear[bit] for bit in row)
            for bit in row:
                qubo.add(bit, -cheapest)
            qubo.exactly_one(row, self.weight)
        return qubo

    @cached_property
    def scale(self) -> float:
        """Free-flow vehicle minutes of a platoon, on average."""
        times = [
            vehicles * sum(self.roads.roads[road].minutes for road in self.ways[pair][0])
            for pair, vehicles in self.platoons
        ]
        return sum(times) / len(times)

    @cached_property
    def weight(self) -> float:
        """Weight of a platoon without one way, in ``scale``: a share of what full roads add to it."""
        curves = [_parabola(road) for road in self.roads.roads]
        total = sum(vehicles for _, vehicles in self.platoons)
        most = max(
            sum(2 * curves[road][1] * vehicles * total for road in way)
            for pair, vehicles in self.platoons
            for way in self.ways[pair]
        )
        return SHARE * max(most / self.scale, 1.0)

    def read(self, bits: Sequence[int]) -> tuple[Ways, bool]:
        """The ways of a state; a platoon without one takes the shortest, one with several the first."""
        answer, valid, at = [], True, 0
        for pair, _ in self.platoons:
            size = len(self.ways[pair])
            chosen = [way for way in range(size) if bits[at + way]]
            valid &= len(chosen) == 1
            answer.append(chosen[0] if chosen else 0)
            at += size
        return tuple(answer), valid

    def exact(self, seed: int) -> Proof[Ways]:
        """The best ways of the platoons under the true function, as a table of each road's volume."""
        _, vehicles = self._equal()
        numbers = Counter(pair for pair, _ in self.platoons)
        model = proving.constraints()
        takes = [
            [model.new_int_var(0, numbers[pair], "") for _ in ways] for pair, ways in enumerate(self.ways)
        ]
        for pair, row in enumerate(takes):
            model.add(sum(row) == numbers[pair])
        model.minimize(sum(self._costs(model, takes, vehicles)))
        proof = proving.minimised(
            model,
            lambda solver: [[solver.value(count) for count in row] for row in takes],
            self.title,
            seed=seed,
            limit_s=_LIMIT_S,
        )
        answer = self._named(proof.solution)
        share = proof.bound / proof.value if proof.value else 1.0
        value = self.value(answer)
        return Proof(answer, value, value if proof.proved else value * share, proof.seconds)

    def again(self, seed: int) -> Proof[Ways]:  # noqa: ARG002 - HiGHS draws nothing
        """The same by HiGHS, without rounding: each platoon adds more to a road than the one before."""
        _, vehicles = self._equal()
        numbers = Counter(pair for pair, _ in self.platoons)
        taken = [(pair, way) for pair, ways in enumerate(self.ways) for way in range(len(ways))]
        costs, highest = [0.0] * len(taken), [numbers[pair] for pair, _ in taken]
        rows = [
            Row({at: 1.0 for at, (one, _) in enumerate(taken) if one == pair}, number, number)
            for pair, number in numbers.items()
        ]
        for number, road in enumerate(self.roads.roads):
            users = [at for at, (pair, way) in enumerate(taken) if number in self.ways[pair][way]]
            if not users:
                continue
            totals = [road.total(vehicles * count) for count in range(len(self.platoons) + 1)]
            steps = range(len(costs), len(costs) + len(self.platoons))
            rows.append(Row(dict.fromkeys(users, 1.0) | dict.fromkeys(steps, -1.0), 0.0, 0.0))
            costs += [after - before for before, after in pairwise(totals)]
            highest += [1] * len(steps)
        proof = linear.minimised(costs, rows, self.title, highest=highest)
        counts: list[list[int]] = [[] for _ in self.ways]
        for (pair, _), count in zip(taken, proof.solution[: len(taken)], strict=True):
            counts[pair].append(count)
        return Proof(self._named(counts), proof.value, proof.bound, proof.seconds)

    def _check(self) -> None:
        """Refuse before anything is built what no device takes, or what the exact methods cannot have.

        Raises:
            InvalidProblem: the platoons have not all equally many vehicles.
            TooLarge: they have too many ways.
        """
        self._equal()
        numbers = Counter(pair for pair, _ in self.platoons)
        variables = sum(numbers[pair] * len(ways) for pair, ways in enumerate(self.ways))
        users = Counter[int]()
        for pair, ways in enumerate(self.ways):
            for way in ways:
                users.update(dict.fromkeys(way, numbers[pair]))
        # all that use a road are coupled; other roads may add pairs
        most = max(users.values())
        check(variables, most * (most - 1) // 2, EFFORT, "traffic")

    def _equal(self) -> tuple[int, float]:
        """How many platoons there are, and the vehicles of each.

        Raises:
            InvalidProblem: they have not all equally many.
        """
        if len({vehicles for _, vehicles in self.platoons}) > 1:
            raise InvalidProblem(
                "the demand does not divide into equal platoons",
                hint="give a --platoon that divides every demand",
            )
        return len(self.platoons), self.platoons[0][1]

    def _costs(self, model: Any, takes: list[list[Any]], vehicles: float) -> list[Any]:
        """A variable for each road: its vehicle minutes, rounded to hundredths."""
        costs = []
        for number, road in enumerate(self.roads.roads):
            users = [
                count
                for ways, row in zip(self.ways, takes, strict=True)
                for way, count in zip(ways, row, strict=True)
                if number in way
            ]
            if not users:
                continue
            table = [round(100 * road.total(vehicles * count)) for count in range(len(self.platoons) + 1)]
            cost = model.new_int_var(0, table[-1], "")
            model.add_element(sum(users), table, cost)
            costs.append(cost)
        return costs

    def _named(self, counts: Sequence[Sequence[int]]) -> Ways:
        ways = [[way for way, count in enumerate(row) for _ in range(count)] for row in counts]
        return tuple(ways[pair].pop(0) for pair, _ in self.platoons)

    def shown(self, ours: Ways, theirs: Ways) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Volumes of the roads, and the ways that are taken."""
        names = tuple(f"{road.start}–{road.end}" for road in self.roads.roads)
        x = tuple(map(float, range(len(names))))
        series = tuple(
            Series(
                method,
                x,
                tuple(
                    volume / road.capacity
                    for road, volume in zip(self.roads.roads, self.volumes(answer), strict=True)
                ),
                style="bars",
            )
            for method, answer in (("fleet", ours), (self.baseline, theirs))
        )
        figure = Figure("traffic", "Volume over capacity", "road", "volume / capacity", series, names)
        pairs = [pair for pair, _ in self.platoons]
        counts = [Counter(zip(pairs, one, strict=True)) for one in (ours, theirs)]
        rows = tuple(
            (f"{one.start} to {one.end}", self._spelled(way), counts[0][pair, at], counts[1][pair, at])
            for pair, one in enumerate(self.demand)
            for at, way in enumerate(self.ways[pair])
        )
        ways = Table("Platoons on each way", ("from and to", "way", "fleet", self.baseline), rows)
        return (self._compared(ours, theirs), ways), (figure,)

    def _compared(self, ours: Ways, theirs: Ways) -> Table:
        """What all lose, beside traffic that splits at will over all ways."""
        rows: list[tuple[str, float, float]] = []
        total = sum(one.vehicles for one in self.demand)
        answers = (
            ("fleet, in platoons", self.value(ours)),
            (f"{self.baseline}, in platoons", self.value(theirs)),
            ("system optimum, vehicles split at will", self.optimum.minutes),
            ("user equilibrium, each driver for herself", self.selfish.minutes),
        )
        for name, minutes in answers:
            rows.append((name, minutes, minutes / total))
        return Table(
            "Time lost and driven", ("who goes how", "all [veh min]", "each, mean [min]"), tuple(rows)
        )

    @cached_property
    def optimum(self) -> Assignment:
        """The system optimum of vehicles that split at will over all ways."""
        return assigned(self.roads, self.demand, selfish=False)

    @cached_property
    def selfish(self) -> Assignment:
        """The user equilibrium, likewise."""
        return assigned(self.roads, self.demand, selfish=True)

    def _spelled(self, way: tuple[int, ...]) -> str:
        roads = [self.roads.roads[road] for road in way]
        return " ".join((roads[0].start, *(road.end for road in roads)))

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know."""
        best, selfish = self.optimum.minutes, self.selfish.minutes
        return (
            "The model has parabolas in place of v t₀ (1 + 0.15 (v/c)⁴); answers are judged by the latter.",
            "What is minimised is the time of all; some may go a longer way than they would choose.",
            f"System optimum, vehicles split at will: {best:.6g} veh min.",
            f"User equilibrium, each on a shortest way: {selfish:.6g}, {selfish / best:.4f} times as much.",
            f"Platoons of {self.platoons[0][1]:g} vehicles cannot split, and may so need more than both.",
        )

    @property
    def weights(self) -> dict[str, str]:
        """The weight."""
        return {"weight of a platoon without one way": f"{self.weight * self.scale:.4g} veh min"}


def _parabola(road: Road) -> tuple[float, float]:
    """Slope s and bend b of the s v + b v² nearest to the time of a road up to 1.5 times its capacity."""
    volumes = np.linspace(0.0, _FITTED_TO * road.capacity, 31)
    times = np.array([road.total(float(volume)) for volume in volumes])
    (slope, bend), *_ = np.linalg.lstsq(np.column_stack((volumes, volumes**2)), times, rcond=None)
    return float(slope), float(bend)
