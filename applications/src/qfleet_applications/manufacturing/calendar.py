"""Maintenance: each machine is out for some periods in a row; when is the load met most evenly?

Levelised reserve (Christiaanse and Palmer, IEEE Trans. PAS 91, 149, 1972; Dahal and McDonald 1997): the sum
of squares of load and outage over the periods is least. What is out in sum is fixed, so that this minimises
the variance of the reserve too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.qubo.model import Qubo


class Machine(NamedTuple):
    """A machine: what it gives, for how many periods it is out, and the first and last that it may be."""

    name: str
    capacity: int
    periods: int
    earliest: int
    latest: int


@dataclass(frozen=True)
class Plant:
    """Machines and the load of each period, in whole ``unit``."""

    name: str
    machines: tuple[Machine, ...]
    load: tuple[int, ...]
    unit: str = ""

    def __post_init__(self) -> None:
        for one in range(len(self.machines)):
            if not self.starts(one):
                machine, last = self.machines[one], len(self.load)
                raise InvalidProblem(
                    f"{self.name}: machine {machine.name} is out for {machine.periods} periods, and may be "
                    f"from {machine.earliest + 1} to {min(machine.latest + 1, last)}",
                    hint="widen its window",
                )

    @property
    def capacity(self) -> int:
        """What all machines give together."""
        return sum(machine.capacity for machine in self.machines)

    def starts(self, one: int) -> range:
        """Periods at which a machine's maintenance may begin."""
        machine = self.machines[one]
        last = min(machine.latest, len(self.load) - 1)
        return range(machine.earliest, last - machine.periods + 2)

    def levels(self, starts: Sequence[int | None]) -> list[int]:
        """Load and outage of each period; a machine without a start is never out."""
        levels = list(self.load)
        for machine, start in zip(self.machines, starts, strict=True):
            if start is not None:
                for period in range(start, start + machine.periods):
                    levels[period] += machine.capacity
        return levels

    def spread(self, starts: Sequence[int]) -> float:
        """Standard deviation of the reserve over the periods."""
        return self.spread_of(self.squares(starts))

    def spread_of(self, squares: float) -> float:
        """Standard deviation of the reserve where the sum of squares is ``squares``; the mean is fixed."""
        total = sum(self.load) + sum(machine.capacity * machine.periods for machine in self.machines)
        number = len(self.load)
        return math.sqrt(max(0.0, (squares * number - total**2) / number**2))

    def squares(self, starts: Sequence[int]) -> int:
        """What is minimised."""
        return sum(level**2 for level in self.levels(starts))


def greedy(plant: Plant) -> list[int]:
    """A first plan: the machine with most outage first, each where the sum of squares grows least."""
    starts: list[int | None] = [None] * len(plant.machines)
    machines = plant.machines
    for one in sorted(
        range(len(starts)), key=lambda one: (-machines[one].capacity * machines[one].periods, one)
    ):
        starts[one] = _least(plant, starts, one, plant.starts(one))
    return [start for start in starts if start is not None]


def _least(plant: Plant, starts: Sequence[int | None], one: int, times: Sequence[int]) -> int:
    """Of some starts of a machine, the first with the least load and outage."""
    levels, periods = plant.levels(starts), plant.machines[one].periods
    return min(times, key=lambda start: sum(levels[start : start + periods]))


SHARE = 0.3
"""Weight of a machine without one start, as a share of what is safe."""


@dataclass(frozen=True)
class Block:
    """The machines ``free`` are planned anew while the others stay at ``starts``."""

    plant: Plant
    starts: tuple[int, ...]
    free: tuple[int, ...]
    choices: int = 1000
    share: float = SHARE

    @cached_property
    def fixed(self) -> list[int]:
        """Load and outage of each period without the free machines."""
        return self.plant.levels([None if one in self.free else at for one, at in enumerate(self.starts)])

    @cached_property
    def times(self) -> list[list[int]]:
        """Starts that each free machine may have: its own, and those where the load is least."""
        return [self._times(one) for one in self.free]

    def _times(self, one: int) -> list[int]:
        span = self.plant.machines[one].periods
        ranked = sorted(
            self.plant.starts(one),
            key=lambda start: (start != self.starts[one], sum(self.fixed[start : start + span]), start),
        )
        return sorted(ranked[: self.choices])

    def weight(self, one: int) -> float:
        """Weight of a machine without one start: a share of what its overlaps with free ones can cost.

        With costs counted from each machine's cheapest start, leaving it out never saves more than the whole
        of that. Annealers move more freely below, and what they break is repaired.
        """
        machine = self.plant.machines[one]
        others = (self.plant.machines[other] for other in self.free if other != one)
        overlaps = math.fsum(other.capacity * min(other.periods, machine.periods) for other in others)
        return self.share * max(2.0 * machine.capacity * overlaps, float(machine.capacity) ** 2) / self.scale

    @property
    def scale(self) -> float:
        """Energies are divided by this, the mean square of the outages."""
        return math.fsum(self.plant.machines[one].capacity ** 2 for one in self.free) / len(self.free)


def model(block: Block) -> tuple[Qubo, list[list[int]]]:
    """The block's model, a bit for each machine and start, and the bits of each free machine."""
    plant, qubo = block.plant, Qubo()
    rows: list[list[int]] = []
    out: list[list[tuple[int, float]]] = [[] for _ in block.fixed]
    for one, times in zip(block.free, block.times, strict=True):
        machine = plant.machines[one]
        rows.append(qubo.variables(f"{machine.name} from {start + 1}" for start in times))
        for bit, start in zip(rows[-1], times, strict=True):
            for period in range(start, start + machine.periods):
                out[period].append((bit, float(machine.capacity)))
    for level, terms in zip(block.fixed, out, strict=True):
        # (level + Σ)² without level²
        for bit, capacity in terms:
            qubo.add(bit, capacity * (capacity + 2 * level) / block.scale)
        for (bit, capacity), (other, second) in combinations(terms, 2):
            qubo.couple(bit, other, 2 * capacity * second / block.scale)
    for one, row in zip(block.free, rows, strict=True):
        # every valid state has one start of each machine: what the cheapest costs may be left out
        cheapest = min(qubo.linear[bit] for bit in row)
        for bit in row:
            qubo.add(bit, -cheapest)
        qubo.exactly_one(row, block.weight(one))
    return qubo, rows


def read(block: Block, rows: Sequence[Sequence[int]], bits: Sequence[int]) -> tuple[tuple[int, ...], bool]:
    """The plan that a state means, and whether it was valid.

    A machine with several starts gets that of them where load and outage are least, one without any of all
    that it may have; the machine with most outage first.
    """
    starts: list[int | None] = list(block.starts)
    open_: list[tuple[int, list[int]]] = []
    for one, row, times in zip(block.free, rows, block.times, strict=True):
        chosen = [start for bit, start in zip(row, times, strict=True) if bits[bit]]
        starts[one] = chosen[0] if len(chosen) == 1 else None
        if len(chosen) != 1:
            open_.append((one, chosen or times))
    machines = block.plant.machines
    for one, times in sorted(open_, key=lambda pair: -machines[pair[0]].capacity * machines[pair[0]].periods):
        starts[one] = _least(block.plant, starts, one, times)
    return tuple(start for start in starts if start is not None), not open_
