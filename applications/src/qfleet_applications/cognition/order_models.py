"""Models of answers in both orders, each fitted by maximum likelihood and judged by AIC and BIC.

A model gives the probabilities of the four cells in either order, (2, 4), from free parameters.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import optimize  # type: ignore[import-untyped] # ships no types

from qfleet_applications.cognition.orders import Survey

Probabilities: TypeAlias = NDArray[np.float64]
Parameters: TypeAlias = NDArray[np.float64]

_SMALLEST = 1e-12
_STARTS = 24
_SWAP = [0, 2, 1, 3]
"""A cell of the order AB as a cell of the order BA."""


@dataclass(frozen=True)
class Fit:
    """A model at its most likely parameters. ``log_likelihood`` leaves the multinomial constants out."""

    model: str
    free: int
    log_likelihood: float
    probabilities: Probabilities
    parameters: tuple[float, ...] = ()

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2k − 2 ln L; lower is better."""
        return 2 * self.free - 2 * self.log_likelihood

    def bic(self, people: int) -> float:
        """Schwarz's criterion, k ln n − 2 ln L; lower is better."""
        return self.free * math.log(people) - 2 * self.log_likelihood


def log_likelihood(survey: Survey, probabilities: Probabilities) -> float:
    """Σ counts × ln p, over both orders."""
    counts = np.array([survey.ab, survey.ba], dtype=float)
    return float(np.sum(counts * np.log(np.maximum(probabilities, _SMALLEST))))


def no_order(survey: Survey) -> Fit:
    """Bayesian model without an effect: one joint distribution of both answers, whatever the order."""
    counts = np.array(survey.ab, dtype=float) + np.array(survey.ba, dtype=float)[_SWAP]
    joint = counts / counts.sum()
    return _fit("one joint distribution", 3, survey, np.array([joint, joint[_SWAP]]))


def markov(survey: Survey) -> Fit:
    """Markov model: a first answer, then a second by a transition that depends on it; own ones in each order.

    With two answers to two questions it has as many parameters as the data, so it fits all that there is.
    """
    shares = [np.array(counts) / sum(counts) for counts in (survey.ab, survey.ba)]
    return _fit("Markov chain in each order", 6, survey, np.array(shares))


def repeat_choice(survey: Survey, seed: int) -> Fit:
    """Classical account of Kellen, Singmann and Batchelder, Decision 5, 323 (2018), in its simplest form.

    One joint distribution; with probability r the second answer only repeats the first. It fulfils the QQ
    equality without anything quantum.
    """
    found, parameters = _most_likely(survey, _repeating, 4, seed)
    return _fit("joint distribution, answers repeated", 4, survey, found, parameters)


def question_model(survey: Survey, seed: int) -> Fit:
    """The quantum question model, in the smallest form that reaches all data with the QQ equality.

    Two subspaces of dimension 2 in a space of 4: two planes at angles θ₁, θ₂, a state with weights cos² and
    sin² of ω on the planes, at φ₁, φ₂ from "yes to A". Parameters: ω, θ₁, θ₂, φ₁, φ₂ in radians.
    """
    found, parameters = _most_likely(survey, question_probabilities, 5, seed)
    return _fit("quantum question model", 5, survey, found, parameters)


def one_ray(survey: Survey, seed: int) -> Fit:
    """The same with one-dimensional answers: "yes" and "no" are rays in a plane. Usually refuted."""

    def in_a_plane(parameters: Parameters) -> Probabilities:
        return question_probabilities(np.array([0.0, parameters[0], 0.0, parameters[1], 0.0]))

    found, parameters = _most_likely(survey, in_a_plane, 2, seed)
    return _fit("quantum model of two rays", 2, survey, found, parameters)


def question_probabilities(parameters: Parameters) -> Probabilities:
    """Probabilities of the quantum question model, by projecting twice (Lüders' rule)."""
    weight, angles, states = np.cos(parameters[0]) ** 2, parameters[1:3], parameters[3:5]
    found = np.zeros((2, 4))
    for share, theta, phi in zip((weight, 1 - weight), angles, states, strict=True):
        same, other = np.cos(theta) ** 2, np.sin(theta) ** 2
        for order, at in enumerate((phi, phi - theta)):
            yes, no = np.cos(at) ** 2, np.sin(at) ** 2
            found[order] += share * np.array([yes * same, yes * other, no * other, no * same])
    return found


def _repeating(parameters: Parameters) -> Probabilities:
    weights = np.exp(np.append(parameters[:3], 0.0) - max(parameters[:3].max(), 0.0))
    joint, repeats = weights / weights.sum(), 1 / (1 + np.exp(-parameters[3]))
    found = []
    for cells in (joint, joint[_SWAP]):
        yes = cells[0] + cells[1]
        found.append((1 - repeats) * cells + repeats * np.array([yes, 0.0, 0.0, 1 - yes]))
    return np.array(found)


def _most_likely(
    survey: Survey, model: Callable[[Parameters], Probabilities], free: int, seed: int
) -> tuple[Probabilities, Parameters]:
    """The best of several searches; the likelihood of such models has more than one top."""
    random = np.random.default_rng(seed)

    def cost(parameters: Parameters) -> float:
        return -log_likelihood(survey, model(parameters))

    starts = random.uniform(-1.5, 1.5, (_STARTS, free))
    found = min((optimize.minimize(cost, start, method="BFGS") for start in starts), key=lambda it: it.fun)
    return model(found.x), found.x


def _fit(
    name: str, free: int, survey: Survey, probabilities: Probabilities, parameters: Parameters | None = None
) -> Fit:
    chosen = () if parameters is None else tuple(float(value) for value in parameters)
    return Fit(name, free, log_likelihood(survey, probabilities), probabilities, chosen)
