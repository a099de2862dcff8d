"""The disjunction effect: people act one way whatever they know, and another way while they do not know.

If someone does something with probability p₁ knowing that an event happened, and p₂ knowing that it did
not, the law of total probability puts the probability between p₁ and p₂ while the event is unknown.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import optimize  # type: ignore[import-untyped] # ships no types

from qfleet_applications.errors import InvalidData
from qfleet_applications.frame.columns import Column, read

Parameters: TypeAlias = NDArray[np.float64]
Shares: TypeAlias = Callable[[Parameters], tuple[float, float, float]]

_CONDITIONS = ("known_1", "known_2", "unknown")
COLUMNS = (
    Column("experiment", kind="text"),
    *(Column(f"{what}_{one}", kind="integer", low=0) for one in _CONDITIONS for what in ("n", "yes")),
)
_SMALLEST = 1e-12
_STARTS = 12


@dataclass(frozen=True, slots=True)
class Experiment:
    """Those who acted, of all, knowing the event, knowing its opposite, and not knowing."""

    name: str
    people: tuple[int, int, int]
    acted: tuple[int, int, int]

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of those who acted."""
        one, two, three = (yes / of for yes, of in zip(self.acted, self.people, strict=True))
        return one, two, three


class Violation(NamedTuple):
    """How far the unknown lies outside of what is known, 0 where it does not; its z score and one-sided p."""

    distance: float
    z: float
    p: float


class Fit(NamedTuple):
    """A model at its most likely parameters: probabilities of acting under each condition."""

    model: str
    free: int
    log_likelihood: float
    probabilities: tuple[float, float, float]

    @property
    def aic(self) -> float:
        """Akaike's criterion; lower is better."""
        return 2 * self.free - 2 * self.log_likelihood

    def bic(self, people: int) -> float:
        """Schwarz's criterion; lower is better."""
        return self.free * math.log(people) - 2 * self.log_likelihood


def violation(experiment: Experiment) -> Violation:
    """Test the law of total probability against its nearer bound."""
    one, two, unknown = experiment.shares
    distance, bound = max((min(one, two) - unknown, 0 if one < two else 1), (unknown - max(one, two), 2))
    if distance <= 0:
        return Violation(0.0, 0.0, 1.0)
    near = bound if bound < 2 else (0 if one > two else 1)
    spread = math.sqrt(sum(_variance(experiment, place) for place in (near, 2)))
    z = distance / spread if spread else math.inf
    return Violation(distance, z, math.erfc(z / math.sqrt(2)) / 2)


def mixture(experiment: Experiment) -> Fit:
    """Markov model: who does not know acts as one of those who do, p = w p₁ + (1 − w) p₂."""

    def shares(parameters: Parameters) -> tuple[float, float, float]:
        one, two, weight = (float(value) for value in 1 / (1 + np.exp(-parameters)))
        return one, two, weight * one + (1 - weight) * two

    return _most_likely("mixture of both", 3, experiment, shares)


def separate(experiment: Experiment) -> Fit:
    """Not knowing is a condition of its own, as in every classical account by reasons or by effort."""
    shares = experiment.shares
    return Fit("three rates of their own", 3, log_likelihood(experiment, shares), shares)


def interference(experiment: Experiment) -> Fit:
    """Quantum model: not knowing is a superposition of both, p = (p₁ + p₂)/2 + c.

    The two states after thinking are orthogonal, so that |c| ≤ min(√(p₁ p₂), √((1−p₁)(1−p₂))): more than
    that no unitary can do, however far the data lie (Busemeyer and Bruza, Quantum Models of Cognition and
    Decision, 2012, chapter 9, have the sum; the bound follows from the norms).
    """

    def shares(parameters: Parameters) -> tuple[float, float, float]:
        one, two = (float(value) for value in 1 / (1 + np.exp(-parameters[:2])))
        return one, two, (one + two) / 2 + most_interference(one, two) * math.tanh(float(parameters[2]))

    return _most_likely("interference of both", 3, experiment, shares)


def most_interference(one: float, two: float) -> float:
    """The largest |c| of two orthogonal states that act with these probabilities."""
    return min(math.sqrt(one * two), math.sqrt((1 - one) * (1 - two)))


def log_likelihood(experiment: Experiment, shares: tuple[float, float, float]) -> float:
    """Binomial log-likelihood without its constants."""
    total = 0.0
    for people, acted, share in zip(experiment.people, experiment.acted, shares, strict=True):
        inside = min(max(share, _SMALLEST), 1 - _SMALLEST)
        total += acted * math.log(inside) + (people - acted) * math.log(1 - inside)
    return total


def load(file: Path) -> tuple[Experiment, ...]:
    """Read experiments from a CSV file with the columns ``COLUMNS``.

    Raises:
        InvalidData: it is not one, or more acted than there were.
    """
    frame = read(file, COLUMNS)
    found = []
    for row in range(frame.rows):
        people, acted = (
            tuple(int(frame.numbers(f"{what}_{one}")[row]) for one in _CONDITIONS) for what in ("n", "yes")
        )
        for one, of, yes in zip(_CONDITIONS, people, acted, strict=True):
            if of == 0 or yes > of:
                raise InvalidData(
                    file, f"{yes} of {of} cannot be", line=frame.lines[row], column=f"yes_{one}"
                )
        found.append(Experiment(frame.texts("experiment")[row], people, acted))  # type: ignore[arg-type] # three each
    return tuple(found)


def _variance(experiment: Experiment, place: int) -> float:
    share = experiment.shares[place]
    return share * (1 - share) / experiment.people[place]


def _most_likely(model: str, free: int, experiment: Experiment, shares: Shares) -> Fit:
    starts = np.random.default_rng(0).uniform(-2, 2, (_STARTS, free))

    def cost(parameters: Parameters) -> float:
        return -log_likelihood(experiment, shares(parameters))

    found = min(
        (optimize.minimize(cost, start, method="Nelder-Mead") for start in starts), key=lambda it: it.fun
    )
    return Fit(model, free, -float(found.fun), shares(found.x))
