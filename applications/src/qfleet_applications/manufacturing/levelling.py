"""The classical search that CP-SAT's plan of maintenance begins at: annealing of the starts themselves.

CP-SAT alone hardly improves on a greedy plan of dozens of machines in seconds. Annealing that moves one
machine's start at a time (Satoh and Nara, IEEE Trans. Power Syst. 6, 850, 1991) needs neither bits nor
penalties, and is what a sampler of bits must be measured against.
"""

import math
from collections.abc import Sequence

import numpy as np

from qfleet_applications.manufacturing.calendar import Plant

Random = np.random.Generator
STEPS = 3000
"""Moves that are tried for each machine."""
RUNS = 4
"""With as many, it takes about as long as the fleet's search."""
HOT, COLD = 5.0, 1.0 / 6.0
"""First and last temperature, in mean squares of the capacities: those of the bits' annealing."""


def annealed(plant: Plant, starts: Sequence[int], chance: Random) -> tuple[int, ...]:
    """The plan of least sum of squares on ``RUNS`` ways from ``starts``, which it is never worse than."""
    return min((_run(plant, starts, chance) for _ in range(RUNS)), key=plant.squares)


def _run(plant: Plant, starts: Sequence[int], chance: Random) -> tuple[int, ...]:
    number, now = len(plant.machines), list(starts)
    levels, gained, most, best = plant.levels(now), 0, 0, tuple(starts)
    scale = math.fsum(machine.capacity**2 for machine in plant.machines) / number
    steps = STEPS * number
    draws = zip(
        chance.integers(number, size=steps).tolist(),
        chance.random(steps).tolist(),
        (scale * np.geomspace(HOT, COLD, steps) * -np.log1p(-chance.random(steps))).tolist(),
        strict=True,
    )
    for one, share, allowed in draws:
        times = plant.starts(one)
        old, new = now[one], times[int(share * len(times))]
        rise = _moved(levels, plant, one, (old, new))
        # Metropolis: an exponential draw times the temperature is the rise that is allowed
        if rise > allowed:
            _moved(levels, plant, one, (new, old))
            continue
        now[one] = new
        gained -= rise
        if gained > most:
            most, best = gained, tuple(now)
    return best


def _moved(levels: list[int], plant: Plant, one: int, ends: tuple[int, int]) -> int:
    """Move a machine's maintenance from one start to another; by how much the sum of squares rises."""
    capacity, periods = plant.machines[one].capacity, plant.machines[one].periods
    rise = 0
    for period in range(ends[0], ends[0] + periods):
        rise += capacity * (capacity - 2 * levels[period])
        levels[period] -= capacity
    for period in range(ends[1], ends[1] + periods):
        rise += capacity * (capacity + 2 * levels[period])
        levels[period] += capacity
    return rise
