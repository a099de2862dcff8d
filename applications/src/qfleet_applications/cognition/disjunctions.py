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

from qfleet_applications.cognition.scores import pooled_z
from qfleet_applications.errors import InvalidData
from qfleet_applications.frame.columns import Column, read

Logits: TypeAlias = NDArray[np.float64]
Shares: TypeAlias = tuple[float, float, float]

_MOST = 1e9
"""More answers than that were not given."""
_CONDITIONS = ("known_1", "known_2", "unknown")
COLUMNS = (
    Column("experiment", kind="text"),
    *(
        Column(f"{what}_{one}", kind="integer", low=0, high=_MOST)
        for one in _CONDITIONS
        for what in ("n", "yes")
    ),
)
_SMALLEST = 1e-12


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
    probabilities: Shares

    @property
    def aic(self) -> float:
        """Akaike's criterion; lower is better."""
        return 2 * self.free - 2 * self.log_likelihood

    def bic(self, people: int) -> float:
        """Schwarz's criterion; lower is better."""
        return self.free * math.log(people) - 2 * self.log_likelihood


def violation(experiment: Experiment) -> Violation:
    """Test the law of total probability against its nearer bound, by two shares with a pooled variance."""
    one, two, unknown = experiment.shares
    distance, bound = max((min(one, two) - unknown, 0 if one < two else 1), (unknown - max(one, two), 2))
    if distance <= 0:
        return Violation(0.0, 0.0, 1.0)
    near = bound if bound < 2 else (0 if one > two else 1)
    acted, people = experiment.acted, experiment.people
    z = abs(pooled_z((acted[near], acted[2]), (people[near], people[2])))
    return Violation(distance, z, math.erfc(z / math.sqrt(2)) / 2)


def one_rate(experiment: Experiment) -> Fit:
    """Nobody minds the event: one rate under all conditions."""
    rate = sum(experiment.acted) / sum(experiment.people)
    return _judged("one rate", 1, experiment, (rate, rate, rate))


def even_mixture(experiment: Experiment) -> Fit:
    """Who does not know acts as if either were as likely: p = (p₁ + p₂)/2, as for a fair coin.

    It is what is left of the quantum model without interference.
    """

    def shares(one: float, two: float) -> Shares:
        return one, two, (one + two) / 2

    return _searched("even mixture of both", 2, experiment, shares)


def mixture(experiment: Experiment) -> Fit:
    """Markov model: who does not know acts as one of those who do, p = w p₁ + (1 − w) p₂.

    Where the observed p is not between p₁ and p₂, the most likely w is 0 or 1, and two conditions are pooled.
    """
    name, found = "mixture of both", [experiment.shares]
    if violation(experiment).distance > 0:
        found = [_pooled(experiment, known) for known in (0, 1)]
    fits = [_judged(name, 3, experiment, shares) for shares in found]
    return max(fits, key=lambda fit: fit.log_likelihood)


def separate(experiment: Experiment) -> Fit:
    """Not knowing is a condition of its own, as in every classical account by reasons or by effort."""
    return _judged("three rates of their own", 3, experiment, experiment.shares)


def classical_fits(experiment: Experiment) -> tuple[Fit, ...]:
    """Every classical model."""
    return tuple(model(experiment) for model in (one_rate, even_mixture, mixture, separate))


def interference(experiment: Experiment) -> Fit:
    """Quantum model: not knowing is a superposition of both, p = (p₁ + p₂)/2 + c.

    The two states after thinking are orthogonal, so that |c| ≤ min(√(p₁ p₂), √((1−p₁)(1−p₂))): more than
    that no unitary can do, however far the data lie (Busemeyer and Bruza, Quantum Models of Cognition and
    Decision, 2012, chapter 9, have the sum; the bound follows from the norms). Where the data lie beyond it,
    the most likely c is at the bound.
    """
    name, (one, two, unknown) = "interference of both", experiment.shares
    needed = unknown - (one + two) / 2
    if abs(needed) <= most_interference(one, two):
        return _judged(name, 3, experiment, experiment.shares)

    def shares(one: float, two: float) -> Shares:
        return one, two, (one + two) / 2 + math.copysign(most_interference(one, two), needed)

    return _searched(name, 3, experiment, shares)


def most_interference(one: float, two: float) -> float:
    """The largest |c| of two orthogonal states that act with these probabilities."""
    return min(math.sqrt(one * two), math.sqrt((1 - one) * (1 - two)))


def log_likelihood(experiment: Experiment, shares: Shares) -> float:
    """Binomial log-likelihood without its constants."""
    total = 0.0
    for people, acted, share in zip(experiment.people, experiment.acted, shares, strict=True):
        inside = min(max(share, _SMALLEST), 1 - _SMALLEST)
        total += acted * math.log(inside) + (people - acted) * math.log(1 - inside)
    return total


def load(file: Path) -> tuple[Experiment, ...]:
    """Read experiments from a CSV file with the columns ``COLUMNS``.

    Raises:
        InvalidData: it is not one, or more acted than there were, or two experiments have one name.
    """
    frame = read(file, COLUMNS)
    found: list[Experiment] = []
    names: set[str] = set()
    for row in range(frame.rows):
        people, acted = (
            tuple(int(frame.numbers(f"{what}_{one}")[row]) for one in _CONDITIONS) for what in ("n", "yes")
        )
        line, name = frame.lines[row], frame.texts("experiment")[row]
        for one, of, yes in zip(_CONDITIONS, people, acted, strict=True):
            if of == 0:
                raise InvalidData(file, "nobody was asked", line=line, column=f"n_{one}")
            if yes > of:
                raise InvalidData(file, f"{yes} of {of} cannot be", line=line, column=f"yes_{one}")
        if name in names:
            told = f"an experiment {name!r} stands there before"
            raise InvalidData(file, told, line=line, column="experiment", hint="give each its own name")
        names.add(name)
        found.append(Experiment(name, people, acted))  # type: ignore[arg-type] # three each
    return tuple(found)


def _pooled(experiment: Experiment, known: int) -> Shares:
    """The shares if not knowing is as one of the known conditions."""
    acted, people, shares = experiment.acted, experiment.people, list(experiment.shares)
    shares[known] = shares[2] = (acted[known] + acted[2]) / (people[known] + people[2])
    return shares[0], shares[1], shares[2]


def _judged(model: str, free: int, experiment: Experiment, shares: Shares) -> Fit:
    return Fit(model, free, log_likelihood(experiment, shares), shares)


def _searched(model: str, free: int, experiment: Experiment, shares: Callable[[float, float], Shares]) -> Fit:
    """The most likely p₁ and p₂, from which the third follows; from the observed ones and from the middle."""

    def at(logits: Logits) -> Shares:
        one, two = (float(value) for value in 0.5 + 0.5 * np.tanh(0.5 * logits))
        return shares(one, two)

    observed = np.clip(experiment.shares[:2], 0.01, 0.99)
    starts = [np.log(observed / (1 - observed)), np.zeros(2)]
    found = min(
        (
            optimize.minimize(
                lambda logits: -log_likelihood(experiment, at(logits)), start, method="Nelder-Mead",
                options={"xatol": 1e-6, "fatol": 1e-9},
            )
            for start in starts
        ),
        key=lambda it: it.fun,
    )  # fmt: skip
    return _judged(model, free, experiment, at(found.x))
