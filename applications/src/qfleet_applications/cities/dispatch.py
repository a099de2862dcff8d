"""Generating units, and the cheapest way to share a load among those that run (economic dispatch)."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

_STEPS = 100


class Unit(NamedTuple):
    """Limits in MW; cost per hour of running at p: fixed + linear p + quadratic p²; and cost to start."""

    name: str
    minimum: float
    maximum: float
    fixed: float
    linear: float
    quadratic: float
    startup: float

    def at(self, price: float) -> float:
        """The power at which the marginal cost is ``price``, within the limits."""
        if self.quadratic <= 0:
            return self.maximum if price > self.linear else self.minimum
        return min(self.maximum, max(self.minimum, (price - self.linear) / (2 * self.quadratic)))

    def cost(self, power: float) -> float:
        """Cost of an hour."""
        return self.fixed + self.linear * power + self.quadratic * power**2


def shared(units: Sequence[Unit], load: float) -> list[float] | None:
    """Power of each unit at equal marginal cost; None where no sharing meets the load.

    The λ-iteration of Wood and Wollenberg, *Power Generation, Operation and Control*, chapter 3.
    """
    low_power, high_power = sum(unit.minimum for unit in units), sum(unit.maximum for unit in units)
    if not low_power <= load <= high_power:
        return None
    low = min((unit.linear for unit in units), default=0.0)
    high = max((unit.linear + 2 * unit.quadratic * unit.maximum for unit in units), default=0.0) + 1.0
    for _ in range(_STEPS):
        price = (low + high) / 2
        if sum(unit.at(price) for unit in units) < load:
            low = price
        else:
            high = price
    powers = [unit.at(high) for unit in units]
    return _balanced(units, powers, load)


def _balanced(units: Sequence[Unit], powers: list[float], load: float) -> list[float]:
    """Take away what a unit with constant marginal cost gives too much at the price."""
    over = sum(powers) - load
    for at in sorted(range(len(units)), key=lambda at: (-units[at].linear, at)):
        if over > 0 and (units[at].quadratic <= 0 or over < 1e-6 * max(load, 1.0)):
            less = min(over, powers[at] - units[at].minimum)
            powers[at] -= less
            over -= less
    return powers


def sets(units: Sequence[Unit], load: float) -> list[tuple[float, tuple[int, ...]]]:
    """Every set of running units that can meet a load, with its cost of an hour, the cheapest first."""
    found = []
    for on in product((0, 1), repeat=len(units)):
        running = [unit for unit, bit in zip(units, on, strict=True) if bit]
        powers = shared(running, load)
        if powers is not None:
            costs = (unit.cost(power) for unit, power in zip(running, powers, strict=True))
            found.append((sum(costs), on))
    return sorted(found)


def starting(units: Sequence[Unit], before: Sequence[int], after: Sequence[int]) -> float:
    """What it costs to go from one set to another."""
    return sum(unit.startup for unit, was, now in zip(units, before, after, strict=True) if now and not was)
