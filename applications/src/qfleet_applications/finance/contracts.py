"""European options on one asset or a basket: the lognormal grid, payoffs, and the closed form.

Prices at maturity are lognormal under the risk-neutral measure (Black, Scholes, J. Political Economy 81, 637,
1973). On a grid, each asset has 2^n even points in mean ± 3 (or so many) standard deviations, not below
0, weighted by the density; this is the construction of Stamatopoulos et al., Quantum 4, 291 (2020).
"""

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Literal, TypeAlias, get_args

import numpy as np

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.finance.circuits import Vector

Kind: TypeAlias = Literal["call", "put", "spread"]
KINDS: tuple[str, ...] = get_args(Kind)
DAYS = 365.0
MOST_QUBITS = 11
"""Of a grid and its payoff: each point of a grid is a gate or more, which the control plane compiles."""
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Asset:
    """One asset of a contract: its price now, its volatility per √year, and its weight in a basket."""

    spot: float
    volatility: float
    weight: float = 1.0


@dataclass(frozen=True)
class Contract:
    """A European option on Σ weight × price.

    A ``spread`` (of bulls) pays as a call does, at most ``cap`` - ``strike``.
    ``correlation`` is that of each two log prices.
    """

    name: str
    kind: Kind
    assets: tuple[Asset, ...]
    strike: float
    rate: float
    days: float
    cap: float = 0.0
    correlation: float = 0.0

    def __post_init__(self) -> None:
        least = -1.0 / (len(self.assets) - 1) if len(self.assets) > 1 else -1.0
        if self.kind not in KINDS:
            raise InvalidProblem(f"contract {self.name!r}: no kind {self.kind!r}; one of {', '.join(KINDS)}")
        if self.kind == "spread" and self.cap <= self.strike:
            raise InvalidProblem(
                f"contract {self.name!r}: a spread's cap {self.cap:g} must exceed its strike {self.strike:g}"
            )
        if len(self.assets) > 1 and not least < self.correlation < 1.0:
            raise InvalidProblem(
                f"contract {self.name!r}: {len(self.assets)} assets cannot all correlate by "
                f"{self.correlation:g}; above {least:g} and below 1"
            )

    @property
    def years(self) -> float:
        """Time to maturity, of years of 365 days."""
        return self.days / DAYS

    @property
    def discount(self) -> float:
        """What 1 at maturity is worth now."""
        return math.exp(-self.rate * self.years)

    @property
    def covariance(self) -> Vector:
        """Covariance of the log prices at maturity."""
        deviations = np.array([asset.volatility for asset in self.assets]) * math.sqrt(self.years)
        correlated = np.full((len(deviations),) * 2, self.correlation)
        np.fill_diagonal(correlated, 1.0)
        return np.asarray(correlated * np.outer(deviations, deviations))

    @property
    def log_means(self) -> Vector:
        """Means of the log prices at maturity."""
        drifts = [self.rate - asset.volatility**2 / 2.0 for asset in self.assets]
        spots = [asset.spot for asset in self.assets]
        return np.log(spots) + np.array(drifts) * self.years

    def payoff(self, basket: Vector) -> Vector:
        """What is paid at maturity for each value of the basket."""
        if self.kind == "put":
            return np.maximum(self.strike - basket, 0.0)
        paid = np.maximum(basket - self.strike, 0.0)
        return np.minimum(paid, self.cap - self.strike) if self.kind == "spread" else paid

    def exercised(self, basket: Vector) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Where the option is not let lapse; at the strike it is indifferent and counted as exercised."""
        return basket <= self.strike if self.kind == "put" else basket >= self.strike


@dataclass(frozen=True)
class Grid:
    """A contract on ``2**width`` points for each asset, within mean ± ``reach`` standard deviations.

    The first asset has the lowest bits of a point.
    """

    contract: Contract
    width: int
    reach: float = 3.0

    def __post_init__(self) -> None:
        if not 0.5 <= self.reach <= 10.0:
            raise InvalidProblem(f"a grid within ±{self.reach:g} standard deviations; 0.5 to 10 are possible")
        if not 1 <= self.width <= 10 or self.qubits > MOST_QUBITS:
            raise InvalidProblem(
                f"contract {self.contract.name!r}: {len(self.contract.assets)} assets on {self.width} qubits "
                f"each need {self.qubits} qubits; a price grid is written out up to {MOST_QUBITS}",
                hint="give fewer --qubits",
            )

    @property
    def qubits(self) -> int:
        """All prices, and one for the payoff."""
        return self.width * len(self.contract.assets) + 1

    @cached_property
    def prices(self) -> Vector:
        """Prices at each point, shape (points, assets)."""
        axes = [
            self._axis(mean, variance)
            for mean, variance in zip(self.contract.log_means, np.diag(self.contract.covariance), strict=True)
        ]
        return np.stack([mesh.reshape(-1) for mesh in np.meshgrid(*axes[::-1], indexing="ij")][::-1], axis=1)

    @cached_property
    def probabilities(self) -> Vector:
        """The joint lognormal density at the points, made to sum to 1."""
        prices = np.maximum(self.prices, 0.0)
        inside = (prices > 0.0).all(axis=1)
        logs = np.log(np.where(prices > 0.0, prices, 1.0))
        from_mean = logs - self.contract.log_means
        exponent = np.einsum("pi,ij,pj->p", from_mean, np.linalg.inv(self.contract.covariance), from_mean)
        weights = np.where(inside, np.exp(-exponent / 2.0 - logs.sum(axis=1)), 0.0)
        return np.asarray(weights / weights.sum())

    @cached_property
    def basket(self) -> Vector:
        """The value of the basket at each point."""
        return np.asarray(self.prices @ np.array([asset.weight for asset in self.contract.assets]))

    @property
    def payoff(self) -> Vector:
        """The payoff at each point."""
        return self.contract.payoff(self.basket)

    @property
    def expected(self) -> float:
        """The expected payoff, not discounted."""
        return float(self.probabilities @ self.payoff)

    @property
    def exercise(self) -> float:
        """The probability of exercise."""
        return float(self.probabilities @ self.contract.exercised(self.basket))

    def _axis(self, mean: float, variance: float) -> Vector:
        middle = math.exp(mean + variance / 2.0)
        deviation = middle * math.sqrt(math.expm1(variance))
        return np.linspace(
            max(0.0, middle - self.reach * deviation), middle + self.reach * deviation, 1 << self.width
        )


def closed_form(contract: Contract) -> float | None:
    """The price by Black and Scholes; None for a basket, which has no closed form."""
    if len(contract.assets) != 1:
        return None
    if contract.kind == "spread":
        return _call(contract, contract.strike) - _call(contract, contract.cap)
    call = _call(contract, contract.strike)
    if contract.kind == "call":
        return call
    asset = contract.assets[0]
    return call - asset.weight * asset.spot + contract.strike * contract.discount  # put-call parity


def sampled(contract: Contract, number: int, rng: np.random.Generator) -> Vector:
    """Discounted payoffs of so many draws of the continuous model."""
    return _paid(contract, rng.standard_normal((number, len(contract.assets))))


def at(contract: Contract, points: Vector) -> Vector:
    """Discounted payoffs of the continuous model at points of the unit cube, shape (points, assets)."""
    from scipy import special  # type: ignore[import-untyped]  # noqa: PLC0415 - ships no types; slow import

    return _paid(contract, np.asarray(special.ndtri(points)))


def _paid(contract: Contract, normals: Vector) -> Vector:
    factor = np.linalg.cholesky(contract.covariance)
    basket = np.exp(contract.log_means + normals @ factor.T) @ [asset.weight for asset in contract.assets]
    return contract.discount * contract.payoff(np.asarray(basket))


def _call(contract: Contract, strike: float) -> float:
    spot = contract.assets[0].weight * contract.assets[0].spot
    deviation = contract.assets[0].volatility * math.sqrt(contract.years)
    above = (math.log(spot / strike) + contract.rate * contract.years) / deviation + deviation / 2.0
    return spot * _NORMAL.cdf(above) - strike * contract.discount * _NORMAL.cdf(above - deviation)
