"""How sure a figure is, and how well probabilities are calibrated."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats  # type: ignore[import-untyped] # ships no types

from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.validation import Ints

BINS = 8


def wilson(right: int, number: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, J. Am. Stat. Assoc. 22, 209, 1927)."""
    found = stats.binomtest(right, number).proportion_ci(0.95, "wilson")
    return float(found.low), float(found.high)


def mcnemar(one: Ints, other: Ints, labels: Ints) -> tuple[int, int, float]:
    """Rows that only one method gets right, those that only the other does, and the exact two-sided p.

    McNemar, Psychometrika 12, 153 (1947), by the binomial distribution.
    """
    first = int(np.sum((one == labels) & (other != labels)))
    second = int(np.sum((one != labels) & (other == labels)))
    if first + second == 0:
        return 0, 0, 1.0
    return first, second, float(stats.binomtest(first, first + second).pvalue)


def over_folds(values: Floats) -> tuple[float, float]:
    """The 95 % interval of a mean over k folds of one cross-validation.

    The t interval with the variance times 1/k + 1/(k - 1), since training sets overlap
    (Nadeau and Bengio, Mach. Learn. 52, 239, 2003).
    """
    number = len(values)
    wide = math.sqrt(float(values.var(ddof=1)) * (1 / number + 1 / (number - 1)))
    reach = float(stats.t.ppf(0.975, number - 1)) * wide
    return float(values.mean()) - reach, float(values.mean()) + reach


@dataclass(frozen=True)
class Reliability:
    """Bins of told probabilities: their mean, the share that came true, and how many rows."""

    told: tuple[float, ...]
    came: tuple[float, ...]
    rows: tuple[int, ...]

    @property
    def error(self) -> float:
        """The expected calibration error: |told - came|, weighted with the rows."""
        gaps = [abs(one - other) * n for one, other, n in zip(self.told, self.came, self.rows, strict=True)]
        return math.fsum(gaps) / sum(self.rows)


def reliability(probability: Floats, labels: Ints) -> Reliability:
    """Probabilities in ``BINS`` equal intervals; those without rows are left out."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    there = [number for number in range(BINS) if (bins == number).any()]
    return Reliability(
        tuple(float(probability[bins == number].mean()) for number in there),
        tuple(float(labels[bins == number].mean()) for number in there),
        tuple(int((bins == number).sum()) for number in there),
    )


def brier(probability: Floats, labels: Ints) -> float:
    """The mean square of probability less outcome (Brier, Mon. Weather Rev. 78, 1, 1950)."""
    return float(np.mean((probability - labels) ** 2))
