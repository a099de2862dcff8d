"""A distribution of losses on an even grid, and the measures of risk that it has."""

from dataclasses import dataclass

import numpy as np

from qfleet_applications.finance.circuits import Vector

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Losses:
    """Losses ``first + v * step`` with ``probabilities[v]``, v = 0 … 2^n - 1, none beyond v = ``most``."""

    first: float
    step: float
    probabilities: Vector
    most: int

    @property
    def qubits(self) -> int:
        """The width of a register that holds v."""
        return len(self.probabilities).bit_length() - 1

    @property
    def values(self) -> Vector:
        """The loss at each v."""
        return np.asarray(self.first + self.step * np.arange(len(self.probabilities)), dtype=np.float64)

    @property
    def mean(self) -> float:
        """The expected loss."""
        return float(self.probabilities @ self.values)

    def at(self, place: float) -> float:
        """The loss at v."""
        return self.first + self.step * place

    def below(self, place: int) -> float:
        """P(loss ≤ its value at v)."""
        return float(self.probabilities[: place + 1].sum())

    def quantile(self, level: float) -> int:
        """The v of the value at risk: the smallest with P(loss ≤ value) ≥ level, 0 < level < 1."""
        reached = np.cumsum(self.probabilities) >= level - _ROUNDING
        return int(np.argmax(reached)) if reached.any() else self.most

    def excess(self, place: int) -> float:
        """E[(loss - value at v)⁺]."""
        over = np.clip(np.arange(len(self.probabilities)) - place, 0, None)
        return float(self.probabilities @ over) * self.step

    def beyond(self, place: int) -> float:
        """E[loss | loss > value at v]: the CVaR where v is the value at risk's."""
        share = 1.0 - self.below(place)
        return self.at(place) + (self.excess(place) / share if share > _ROUNDING else 0.0)

    def shortfall(self, level: float) -> float:
        """Expected shortfall, VaR + E[(L - VaR)⁺]/(1 - level).

        Rockafellar and Uryasev, J. Risk 2(3), 21 (2000).
        """
        place = self.quantile(level)
        return self.at(place) + self.excess(place) / (1.0 - level)
