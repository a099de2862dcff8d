"""How far measures of past losses could be off because the past is but one: a block bootstrap.

Losses of days that follow each other depend on each other, so blocks of them are drawn, with the end of the
past tied to its beginning (circular block bootstrap: Politis, Romano, in Exploring the Limits of Bootstrap,
Wiley 1992, p. 263). Intervals are percentiles (Efron 1979). None of them covers a future unlike the past.
"""

import math
from dataclasses import dataclass

import numpy as np

from qfleet_applications.finance.circuits import Vector

RESAMPLES = 1000
SHARE = 0.95
"""What the intervals hold; the ends are the 25th and 975th of a thousand."""
_MOST_DRAWN = 50_000_000
"""Losses drawn in all: a very long past is resampled less often."""
_LEAST = 200


@dataclass(frozen=True)
class Measures:
    """Mean, value at risk, and the mean beyond it, of losses that are all as likely."""

    mean: float
    value: float
    beyond: float


@dataclass(frozen=True)
class Resampled:
    """Intervals of the measures, and how they were made."""

    low: Measures
    high: Measures
    block: int
    resamples: int


def measures(losses: Vector, level: float) -> Measures:
    """Measures of losses, shape (n,): the ⌈level n⌉-th smallest, and E[L | L > it], itself where none is."""
    rank = max(1, math.ceil(level * len(losses) - 1e-9)) - 1
    value = float(np.partition(losses, rank)[rank])
    above = losses[losses > value]
    return Measures(float(losses.mean()), value, float(above.mean()) if len(above) else value)


def resample(losses: Vector, level: float, *, days: int, seed: int) -> Resampled:
    """Resample blocks of ∛n losses, or ``days`` where those are more, over which each loss is taken."""
    count = len(losses)
    block = min(count, max(days, round(count ** (1.0 / 3.0)), 1))
    turns = max(_LEAST, min(RESAMPLES, _MOST_DRAWN // count))
    rng = np.random.default_rng(seed)
    tied = np.concatenate((losses, losses[: block - 1]))
    offsets = np.arange(block)
    found = np.empty((turns, 3))
    for turn in range(turns):
        starts = rng.integers(count, size=-(-count // block))
        drawn = tied[(starts[:, None] + offsets).reshape(-1)[:count]]
        one = measures(drawn, level)
        found[turn] = one.mean, one.value, one.beyond
    low, high = np.quantile(found, ((1.0 - SHARE) / 2.0, (1.0 + SHARE) / 2.0), axis=0)
    return Resampled(Measures(*map(float, low)), Measures(*map(float, high)), block, turns)
