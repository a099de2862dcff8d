"""Whether the value at risk would have held: each day's from the days before it, against what came.

Exceedances are counted and put to two tests: Kupiec's of their share (J. Derivatives 3(2), 73, 1995) and
Christoffersen's of their independence (Int. Econ. Rev. 39, 841, 1998), both by likelihood ratios that follow
χ² of one degree of freedom for many days.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qfleet_applications.finance.circuits import Vector

LEAST_TESTED = 50
"""Fewer periods than this are not tested."""
_AT_ONCE = 1 << 12
"""Windows that are sorted together."""


@dataclass(frozen=True)
class Ratio:
    """A likelihood ratio and its p-value; for independence nan where no two days could tell."""

    value: float
    chance: float


@dataclass(frozen=True)
class Backtest:
    """``exceeded`` of ``periods`` losses were above the value at risk of the ``window`` before them.

    ``alike`` would be if all losses were drawn alike: the k-th of n is exceeded with the chance
    (n + 1 - k)/(n + 1), which for a short window is more than 1 - level.
    """

    window: int
    periods: int
    exceeded: int
    expected: float
    alike: float
    coverage: Ratio
    independence: Ratio


def run(losses: Vector, level: float, *, window: int, days: int) -> Backtest | None:
    """Test historical simulation over losses that are each taken over ``days`` prices; None for too few.

    A day's window ends before the loss that it is for begins, and tested losses do not overlap: only every
    ``days``-th is.
    """
    tested = np.arange(window + days - 1, len(losses), days)
    if len(tested) < LEAST_TESTED:
        return None
    rank = max(1, math.ceil(level * window - 1e-9)) - 1
    windows = np.lib.stride_tricks.sliding_window_view(losses, window)[tested - window - days + 1]
    values = np.concatenate(
        [
            np.partition(windows[first : first + _AT_ONCE], rank, axis=1)[:, rank]
            for first in range(0, len(tested), _AT_ONCE)
        ]
    )
    hits = losses[tested] > values
    exceeded, periods = int(hits.sum()), len(hits)
    return Backtest(
        window,
        periods,
        exceeded,
        (1.0 - level) * periods,
        (window - rank) / (window + 1) * periods,
        kupiec(exceeded, periods, 1.0 - level),
        christoffersen([bool(hit) for hit in hits]),
    )


def kupiec(exceeded: int, periods: int, share: float) -> Ratio:
    """Whether ``share`` is exceeded as often as it should be: -2 ln(L(share) / L(exceeded / periods))."""
    seen = exceeded / periods
    return _ratio(_log_likelihood(exceeded, periods, share), _log_likelihood(exceeded, periods, seen))


def christoffersen(hits: Sequence[bool]) -> Ratio:
    """Whether an exceedance is as likely after one as after none, for a Markov chain of first order."""
    pairs = list(itertools.pairwise(hits))
    after_none = [after for before, after in pairs if not before]
    after_one = [after for before, after in pairs if before]
    if not after_none or not after_one:
        return Ratio(math.nan, math.nan)
    both = sum(after_none) + sum(after_one)
    apart = sum(
        _log_likelihood(sum(group), len(group), sum(group) / len(group)) for group in (after_none, after_one)
    )
    return _ratio(_log_likelihood(both, len(pairs), both / len(pairs)), apart)


def _log_likelihood(hits: int, tries: int, share: float) -> float:
    rare = hits * math.log(share) if hits else 0.0
    return rare + ((tries - hits) * math.log1p(-share) if tries > hits else 0.0)


def _ratio(bound: float, free: float) -> Ratio:
    value = max(0.0, 2.0 * (free - bound))
    return Ratio(value, math.erfc(math.sqrt(value / 2.0)))  # χ² of one degree beyond the value
