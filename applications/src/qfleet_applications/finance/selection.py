"""Choosing k of n assets in equal parts: mean and variance with a cardinality constraint, as a QUBO.

    f(x) = q xᵀΣx / k² - μᵀx / k,   x ∈ {0, 1}ⁿ, Σ x = k

(Markowitz, J. Finance 7, 77, 1952, with equal weights). The constraint becomes a penalty A (Σ x - k)². To put
a string with d assets too many or too few right takes d flips, and a flip changes f by at most
m = max_i (|f_i| + Σ_j |f_ij|); so with A > m no string that breaks the constraint is a minimum.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.finance.circuits import Vector

MARGIN = 1.1
"""How much the penalty exceeds what it must."""


@dataclass(frozen=True)
class Selection:
    """Which ``choose`` of the ``assets`` to hold; means and covariances are per year."""

    assets: tuple[str, ...]
    means: Vector
    covariances: Vector
    choose: int
    aversion: float

    def __post_init__(self) -> None:
        if not 1 <= self.choose < len(self.assets):
            raise InvalidProblem(
                f"{self.choose} of {len(self.assets)} assets is no choice",
                hint=f"--choose takes 1 to {len(self.assets) - 1}",
            )
        if not 0.0 <= self.aversion <= 1e6:
            raise InvalidProblem(f"--aversion {self.aversion:g} is not within 0 to 1e+06")

    @property
    def size(self) -> int:
        """The number of assets."""
        return len(self.assets)

    @cached_property
    def linear(self) -> Vector:
        """The coefficients f_i, with the diagonal of Σ."""
        held = self.aversion * np.diag(self.covariances) / self.choose**2
        return np.asarray(held - self.means / self.choose)

    @cached_property
    def quadratic(self) -> Vector:
        """The coefficients f_ij of pairs i < j, an upper triangle."""
        return np.triu(2.0 * self.aversion * self.covariances / self.choose**2, 1)

    @property
    def penalty(self) -> float:
        """A: above what any flip can gain."""
        pairs = np.abs(self.quadratic + self.quadratic.T).sum(axis=1)
        return MARGIN * float((np.abs(self.linear) + pairs).max())

    def objective(self, chosen: Sequence[int]) -> float:
        """F of a choice of assets by number."""
        x = self._bits(chosen)
        return float(self.linear @ x + x @ self.quadratic @ x)

    def yearly(self, chosen: Sequence[int]) -> tuple[float, float]:
        """Mean return and volatility of a choice, per year."""
        return self.weighted(self._bits(chosen) / len(chosen))

    def weighted(self, weights: Vector) -> tuple[float, float]:
        """Mean return and volatility of weights of all assets, per year."""
        return float(self.means @ weights), math.sqrt(max(0.0, float(weights @ self.covariances @ weights)))

    def penalised(self) -> tuple[Vector, Vector, float]:
        """Linear and quadratic coefficients with the penalty, and the offset, scaled to 1 at most."""
        penalty = self.penalty
        linear = self.linear + penalty * (1.0 - 2.0 * self.choose)
        quadratic = self.quadratic + np.triu(np.full((self.size, self.size), 2.0 * penalty), 1)
        scale = float(max(np.abs(linear).max(), np.abs(quadratic).max()))
        return linear / scale, quadratic / scale, penalty * self.choose**2 / scale

    def repaired(self, chosen: Sequence[int]) -> tuple[int, ...]:
        """A choice of the right size: assets added or left out one by one, each time as f likes best."""
        held = set(chosen)
        while len(held) != self.choose:
            if len(held) > self.choose:
                options = [held - {one} for one in sorted(held)]
            else:
                options = [held | {one} for one in range(self.size) if one not in held]
            held = min(options, key=lambda one: self.objective(sorted(one)))
        return tuple(sorted(held))

    def _bits(self, chosen: Sequence[int]) -> npt.NDArray[np.float64]:
        found = np.zeros(self.size)
        found[list(chosen)] = 1.0
        return found


def of_returns(
    assets: tuple[str, ...], returns: Vector, *, per_year: float, choose: int, aversion: float
) -> Selection:
    """From simple returns of successive periods, shape (periods, assets).

    Means and covariances are those of the sample (with n - 1), times the periods of a year.
    """
    if not 0.1 <= per_year <= 1000.0:
        raise InvalidProblem(f"--per-year {per_year:g} is not within 0.1 to 1000")
    if len(assets) < 2:
        raise InvalidProblem("a portfolio is chosen from two assets or more")
    covariances = np.atleast_2d(np.cov(returns, rowvar=False)) * per_year
    return Selection(assets, returns.mean(axis=0) * per_year, covariances, choose, aversion)
