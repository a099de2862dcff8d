"""Unit commitment: which generating units run in which hour, so that fuel and starts cost least?

A bit for each hour and each of the cheapest sets of units that can meet its load; the cost of an hour is that
of the economic dispatch of the set, exactly, and what is started between two hours couples their bits. The
constraint is one-hot by hour. The baseline has all sets in all hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from qfleet_applications.cities.dispatch import Unit, sets, shared, starting
from qfleet_applications.errors import InvalidProblem, TooLarge
from qfleet_applications.frame.report import Figure, Series, Table
from qfleet_applications.qubo import linear, proving
from qfleet_applications.qubo.linear import Row
from qfleet_applications.qubo.model import Qubo
from qfleet_applications.qubo.proving import Proof
from qfleet_applications.qubo.sampling import Effort

EFFORT = Effort(reads=64, sweeps=1000, keep=64)
SHARE = 0.5
"""Annealers move more freely below the whole, and what they break is repaired."""
LARGEST_UNITS = 10
"""More units have more than 1,024 sets in an hour."""

Plan = tuple[tuple[int, ...], ...]
"""For each hour and unit, whether it runs."""


@dataclass(frozen=True)
class Grid:
    """Units and hourly loads in MW; ``choices`` sets of units an hour are in the model."""

    name: str
    units: tuple[Unit, ...]
    load: tuple[float, ...]
    choices: int = 10
    command: str = "grid"
    baseline: str = "CP-SAT"
    second: str = "HiGHS"

    def __post_init__(self) -> None:
        if len(self.units) > LARGEST_UNITS:
            sets_ = 1 << len(self.units)
            raise TooLarge(
                f"{len(self.units)} units have {sets_} sets an hour and need {sets_ * len(self.load)} "
                f"variables; at most {LARGEST_UNITS} units are taken",
                qubits=sets_ * len(self.load),
                hint="put units of one kind together",
            )
        for hour, found in enumerate(self.sets):
            if not found:
                load = f"the load of {self.load[hour]:g} MW in hour {hour + 1}"
                raise InvalidProblem(f"no set of units can meet {load}")

    @property
    def title(self) -> str:
        """What it is about."""
        return f"Commitment of {len(self.units)} units of {self.name} for {len(self.load)} hours"

    @property
    def quantity(self) -> tuple[str, str]:
        """What is minimised."""
        return "cost", "$"

    @cached_property
    def sets(self) -> list[list[tuple[float, tuple[int, ...]]]]:
        """Every possible set of each hour with its cost, the cheapest first."""
        return [sets(self.units, load) for load in self.load]

    @cached_property
    def chosen(self) -> list[list[tuple[float, tuple[int, ...]]]]:
        """The sets of each hour that are in the model."""
        return [found[: self.choices] for found in self.sets]

    @property
    def weight(self) -> float:
        """Weight of an hour without one set: a share of its range of costs and the dearest start."""
        spread = max(found[-1][0] - found[0][0] for found in self.chosen)
        return SHARE * (spread + max(unit.startup for unit in self.units))

    def model(self) -> Qubo:
        """The model, costs counted from the cheapest set of each hour."""
        qubo = Qubo()
        rows: list[list[int]] = []
        for hour, found in enumerate(self.chosen):
            rows.append(qubo.variables(f"hour {hour + 1}: {''.join(map(str, on))}" for _, on in found))
            for bit, (cost, _) in zip(rows[-1], found, strict=True):
                qubo.add(bit, cost - found[0][0])
            qubo.offset += found[0][0]
            qubo.exactly_one(rows[-1], self.weight)
        for hour in range(1, len(rows)):
            for bit, (_, before) in zip(rows[hour - 1], self.chosen[hour - 1], strict=True):
                for other, (_, after) in zip(rows[hour], self.chosen[hour], strict=True):
                    qubo.couple(bit, other, starting(self.units, before, after))
        return qubo

    def read(self, bits: Sequence[int]) -> tuple[Plan, bool]:
        """The plan of a state; an hour without one set takes what costs least after the hour before."""
        plan: list[tuple[int, ...]] = []
        valid, at = True, 0
        for found in self.chosen:
            marked = [one for one, bit in zip(found, bits[at : at + len(found)], strict=True) if bit]
            valid &= len(marked) == 1
            before = plan[-1] if plan else (1,) * len(self.units)
            plan.append(self._next(before, marked or found))
            at += len(found)
        return tuple(plan), valid

    def _next(
        self, before: tuple[int, ...], found: Sequence[tuple[float, tuple[int, ...]]]
    ) -> tuple[int, ...]:
        return min(found, key=lambda one: (one[0] + starting(self.units, before, one[1]), one))[1]

    def value(self, answer: Plan) -> float:
        """Fuel and starts; what runs in the first hour runs already."""
        costs = [{on: cost for cost, on in found} for found in self.sets]
        fuel = sum(cost[on] for cost, on in zip(costs, answer, strict=True))
        return fuel + sum(starting(self.units, *pair) for pair in pairwise(answer))

    def exact(self, seed: int) -> Proof[Plan]:
        """The best of all sets in all hours, in cents."""
        model = proving.constraints()
        rows = [[model.new_bool_var("") for _ in found] for found in self.sets]
        runs = []
        for row, found in zip(rows, self.sets, strict=True):
            model.add_exactly_one(row)
            marked = list(zip(row, found, strict=True))
            runs.append([sum(bit for bit, (_, on) in marked if on[unit]) for unit in range(len(self.units))])
        costs = [
            round(100 * cost) * bit
            for row, found in zip(rows, self.sets, strict=True)
            for bit, (cost, _) in zip(row, found, strict=True)
        ]
        for before, after in pairwise(runs):
            for unit, (was, now) in zip(self.units, zip(before, after, strict=True), strict=True):
                start = model.new_bool_var("")
                model.add(start >= now - was)
                costs.append(round(100 * unit.startup) * start)
        model.minimize(sum(costs))
        proof = proving.minimised(
            model,
            lambda solver: tuple(
                next(on for bit, (_, on) in zip(row, found, strict=True) if solver.boolean_value(bit))
                for row, found in zip(rows, self.sets, strict=True)
            ),
            self.title,
            seed=seed,
        )
        value = self.value(proof.solution)
        return Proof(proof.solution, value, value if proof.proved else proof.bound / 100, proof.seconds)

    def again(self, seed: int) -> Proof[Plan]:  # noqa: ARG002 - HiGHS draws nothing
        """The same by HiGHS, without rounding to cents."""
        costs = [cost for found in self.sets for cost, _ in found]
        sets_ = [on for found in self.sets for _, on in found]
        rows, runs, at = [], [], 0
        for found in self.sets:
            bits = range(at, at + len(found))
            rows.append(Row(dict.fromkeys(bits, 1.0), 1.0, 1.0))
            runs.append([[bit for bit in bits if sets_[bit][unit]] for unit in range(len(self.units))])
            at += len(found)
        for before, after in pairwise(runs):
            for unit, was, now in zip(self.units, before, after, strict=True):
                factors = dict.fromkeys(now, -1.0) | dict.fromkeys(was, 1.0) | {len(costs): 1.0}
                rows.append(Row(factors, 0.0, 2.0))
                costs.append(unit.startup)
        proof = linear.minimised(costs, rows, self.title)
        plan = tuple(on for on, bit in zip(sets_, proof.solution[: len(sets_)], strict=True) if bit)
        return Proof(plan, proof.value, proof.bound, proof.seconds)

    def shown(self, ours: Plan, theirs: Plan) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Which units run when, and what each gives."""
        rows = tuple((unit.name, _hours(ours, at), _hours(theirs, at)) for at, unit in enumerate(self.units))
        powers = [self._powers(on, load) for on, load in zip(ours, self.load, strict=True)]
        # the last hour is as wide as the others
        powers.append(powers[-1])
        x = tuple(float(hour + 1) for hour in range(len(powers)))
        series = tuple(
            Series(unit.name, x, tuple(row[at] for row in powers), style="steps")
            for at, unit in enumerate(self.units)
        )
        figure = Figure(
            "grid", "What each unit gives in the fleet's plan", "beginning of the hour", "power [MW]", series
        )
        return (Table("Units by hour, # running", ("unit", "fleet", self.baseline), rows),), (figure,)

    def _powers(self, on: Sequence[int], load: float) -> list[float]:
        running = [at for at, bit in enumerate(on) if bit]
        found = shared([self.units[at] for at in running], load) or []
        powers = dict(zip(running, found, strict=True))
        return [powers.get(at, 0.0) for at in range(len(self.units))]

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know."""
        return (
            f"In the model are the {self.choices} cheapest sets of units of each hour; the baseline has all.",
            "Transmission, reserve, ramps and minimum times of running and standing are left out.",
            "What runs in the first hour runs already: its start costs nothing.",
        )

    @property
    def weights(self) -> dict[str, str]:
        """The weight."""
        return {"weight of an hour without one set": f"{self.weight:.4g} $"}


def _hours(plan: Plan, unit: int) -> str:
    return "".join("#" if on[unit] else "." for on in plan)
