"""Monte Carlo as a quant would do it: plain draws, and Sobol points where the problem lets them.

Plain draws are the yardstick of the literature on amplitude estimation, and a weak one. In few dimensions
scrambled Sobol points (Owen, in Monte Carlo and Quasi-Monte Carlo Methods, Springer 1995, p. 299) err far
less. Their error is taken from independent scramblings, by Student's t.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from qfleet_applications.finance import estimating
from qfleet_applications.finance.circuits import Vector

MOST_DRAWN = 4_000_000
"""Draws that are really made: of more, the rest is counted alone."""
SCRAMBLINGS = 16
LEAST_POWER, MOST_POWER = 5, 16
"""Points of one scrambling are a power of two, and are doubled until the error is small enough."""
PLAIN, SOBOL = "Monte Carlo", "Monte Carlo with Sobol points"

Draw: TypeAlias = Callable[[int, np.random.Generator], Vector]
"""So many independent draws of what is averaged."""
Values: TypeAlias = Callable[[Vector], Vector]
"""From points in the unit cube, shape (points, dimensions), to what is averaged, shape (points,)."""


@dataclass(frozen=True)
class Simulation:
    """A mean to within ± ``half``, how many ``draws`` that took, and ``numbers`` to make one of them."""

    method: str
    draws: int
    numbers: int
    mean: float
    half: float
    seconds: float


@dataclass(frozen=True)
class Integrand:
    """What is averaged over the unit cube of some ``dimensions``."""

    values: Values
    dimensions: int


def plain(
    draw: Draw, deviation: float, precision: tuple[float, float], *, numbers: int, seed: int
) -> Simulation:
    """Independent draws of that standard deviation; ``precision`` is half the interval and its alpha."""
    half, alpha = precision
    began = time.perf_counter()
    draws = estimating.equal_draws(deviation, half, alpha)
    made = min(draws, MOST_DRAWN)
    mean = float(draw(made, np.random.default_rng(seed)).mean())
    reach = estimating.deviations(alpha) * deviation / math.sqrt(made)
    seconds = (time.perf_counter() - began) * draws / made
    method = PLAIN if made == draws else f"{PLAIN} ({made:,} made, the rest counted)"
    return Simulation(method, draws, numbers, mean, reach, seconds)


def as_precise(integrand: Integrand, half: float, alpha: float, seed: int) -> Simulation | None:
    """Sobol points until the mean is known to ± ``half`` but for a chance ``alpha``; None if it never is.

    ``draws`` are those of all tries, since nobody knows before how many it takes.
    """
    from scipy.stats import qmc  # type: ignore[import-untyped]  # noqa: F401, PLC0415 - not to be timed

    began = time.perf_counter()
    draws = 0
    for power in range(LEAST_POWER, MOST_POWER + 1):
        mean, reach, _ = averaged(integrand, power, alpha, seed)
        draws += SCRAMBLINGS << power
        if reach <= half:
            seconds = time.perf_counter() - began
            return Simulation(SOBOL, draws, integrand.dimensions, mean, reach, seconds)
    return None


def averaged(integrand: Integrand, power: int, alpha: float, seed: int) -> tuple[float, float, float]:
    """The mean over 2^power points in each scrambling, half its interval, and the deviation of one value."""
    from scipy import stats  # type: ignore[import-untyped]  # noqa: PLC0415 - ships no types; slow import

    found = np.stack(
        [integrand.values(_points(integrand.dimensions, power, seed, turn)) for turn in range(SCRAMBLINGS)]
    )
    error = float(found.mean(axis=1).std(ddof=1)) / math.sqrt(SCRAMBLINGS)
    reach = float(stats.t.ppf(1.0 - alpha / 2.0, SCRAMBLINGS - 1)) * error
    return float(found.mean()), reach, float(found.std())


def _points(dimensions: int, power: int, seed: int, turn: int) -> Vector:
    from scipy.stats import qmc  # noqa: PLC0415 - slow import

    rng = np.random.default_rng((seed, power, turn))
    sobol: Any = qmc.Sobol(dimensions, scramble=True, rng=rng)
    # no point on the border, where a quantile of the normal distribution is infinite
    return np.clip(np.asarray(sobol.random_base2(power), dtype=np.float64), 2.0**-53, 1.0 - 2.0**-53)
