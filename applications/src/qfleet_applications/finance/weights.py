"""Free weights: what the equal parts of a choice cost, as a convex quadratic programme with its proof.

    minimise f(w) = q wᵀΣw - μᵀw,   w ≥ 0, Σ w = 1, w_i = 0 outside the choice

(Markowitz, J. Finance 7, 77, 1952). SciPy's SLSQP solves it. Its word is not taken: f is convex, so no
weights are better than f(w) - max_s ∇f(w)ᵀ(w - s) over the corners s (Frank, Wolfe, Nav. Res. Logist. Q. 3,
95, 1956; the duality gap of Jaggi, ICML 2013, equation 2), which is computed from w alone.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qfleet_applications.errors import UnexpectedResult
from qfleet_applications.finance.circuits import Vector
from qfleet_applications.finance.selection import Selection

MOST_SUBSETS = 500
"""Choices whose weights are all optimised; each takes about two milliseconds."""
_HELD = 1e-7
"""Weights below this are left out when the support is solved exactly."""
_GAP = 1e-6
"""The largest gap that is a proof, as a share of the largest coefficient of f."""
_ROUNDING = 1e-8
"""A gap that is none, as a share of the same."""


@dataclass(frozen=True)
class Weighted:
    """Weights of all assets, their f, and a bound below which there is none of the same choice."""

    weights: Vector
    objective: float
    bound: float

    @property
    def chosen(self) -> tuple[int, ...]:
        """The assets that are held."""
        return tuple(int(one) for one in np.flatnonzero(self.weights > _HELD))


def best(selection: Selection, chosen: Sequence[int]) -> Weighted:
    """The best weights of some assets, given by number.

    Raises:
        UnexpectedResult: the solver's weights are not proven to be the best.
    """
    places = list(chosen)
    squares = selection.aversion * selection.covariances[np.ix_(places, places)]
    means = selection.means[places]
    scale = max(float(np.abs(squares).max()), float(np.abs(means).max()), 1e-300)
    squares, means = squares / scale, means / scale
    start = _solved(squares, means)
    parts = min((start, _exact(squares, means, start)), key=lambda one: _value(squares, means, one))
    slope = 2.0 * squares @ parts - means
    gap = max(0.0, float(slope @ parts - slope.min()))
    gap = gap if gap > _ROUNDING else 0.0
    if gap > _GAP:
        raise UnexpectedResult(f"the weights of {len(places)} assets are proven to {gap:.1e} of f only")
    weights = np.zeros(selection.size)
    weights[places] = parts
    value = _value(squares, means, parts)
    return Weighted(weights, value * scale, (value - gap) * scale)


def best_of_subsets(selection: Selection) -> Weighted | None:
    """The best weights of any ``choose`` assets, by optimising those of each subset; None for too many."""
    if math.comb(selection.size, selection.choose) > MOST_SUBSETS:
        return None
    subsets = itertools.combinations(range(selection.size), selection.choose)
    found = [best(selection, places) for places in subsets]
    first = min(found, key=lambda one: one.objective)
    return Weighted(first.weights, first.objective, min(one.bound for one in found))


def _value(squares: Vector, means: Vector, parts: Vector) -> float:
    return float(parts @ squares @ parts - means @ parts)


def _solved(squares: Vector, means: Vector) -> Vector:
    from scipy import optimize  # type: ignore[import-untyped]  # noqa: PLC0415 - ships no types; slow import

    size = len(means)
    found = optimize.minimize(
        lambda parts: _value(squares, means, parts),
        np.full(size, 1.0 / size),
        jac=lambda parts: 2.0 * squares @ parts - means,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * size,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": np.ones_like},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    return _onto_simplex(np.asarray(found.x, dtype=np.float64))


def _exact(squares: Vector, means: Vector, start: Vector) -> Vector:
    """The minimum on the support of ``start``, from the linear equations of Lagrange."""
    held = np.flatnonzero(start > _HELD)
    size = len(held)
    equations = np.ones((size + 1, size + 1))
    equations[:size, :size] = 2.0 * squares[np.ix_(held, held)]
    equations[size, size] = 0.0
    solution = np.linalg.lstsq(equations, np.append(means[held], 1.0), rcond=None)[0][:size]
    if (solution < 0.0).any():
        return start
    parts = np.zeros_like(start)
    parts[held] = solution
    return _onto_simplex(parts)


def _onto_simplex(parts: Vector) -> Vector:
    """What rounding did to signs and sum, put right."""
    kept = np.clip(parts, 0.0, None)
    total = float(kept.sum())
    return np.asarray(kept / total) if total > 0.0 else np.full_like(parts, 1.0 / len(parts))
