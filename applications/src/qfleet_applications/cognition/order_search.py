"""The search for a model's most likely parameters, from several starts."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import optimize  # type: ignore[import-untyped] # ships no types

Parameters: TypeAlias = NDArray[np.float64]

_FOUND_AGAIN = 3
"""A search ends when the best place was reached this often."""
_FLAT = 1e-3
"""The slope per radian or logit at which one descent ends; the cost is off by about its square then."""
_SAME = 1e-5
"""Costs that differ by less are of one place."""


def lowest(
    cost: Callable[[Parameters], Any], starts: Parameters, enough: float, *, slope: bool
) -> Parameters:
    """The parameters of the least cost; likelihoods of such models have more than one top.

    ``cost`` returns −ln L, and its gradient too if ``slope``. The search ends early where the cost is down to
    ``enough``, which a bound says, or where the best place was found again and again.
    """
    best: tuple[float, Parameters] = (np.inf, starts[0])
    times = 0
    for start in starts:
        found = optimize.minimize(cost, start, method="BFGS", jac=slope, options={"gtol": _FLAT})
        times = 1 if found.fun < best[0] - _SAME else times + (found.fun < best[0] + _SAME)
        best = min(best, (float(found.fun), found.x), key=lambda one: one[0])
        if best[0] < enough + _SAME or times >= _FOUND_AGAIN:
            break
    return best[1]
