"""How a model of answers in both orders is judged, and those models whose best fit has a closed form.

A model gives the probabilities of the four cells in either order, (2, 4), from free parameters. All are
fitted to the same counts, by the multinomial likelihood of each order.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped] # ships no types

from qfleet_applications.cognition.orders import Survey

Probabilities: TypeAlias = NDArray[np.float64]

SWAP = [0, 2, 1, 3]
"""A cell of the order AB as a cell of the order BA."""
SATURATED = 6
"""Free probabilities in two tables of four cells."""
_SMALLEST = 1e-12


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
    counts = np.array(survey.ab, dtype=float) + np.array(survey.ba, dtype=float)[SWAP]
    joint = counts / counts.sum()
    return judged("one joint distribution", 3, survey, np.array([joint, joint[SWAP]]))


def markov(survey: Survey) -> Fit:
    """Markov model: a first answer, then a second by a transition that depends on it; own ones in each order.

    With two answers to two questions it has as many parameters as the data, so it fits all that there is.
    """
    shares = [np.array(counts) / sum(counts) for counts in (survey.ab, survey.ba)]
    return judged("Markov chain in each order", SATURATED, survey, np.array(shares))


def equality(survey: Survey) -> Fit:
    """Any probabilities that fulfil the QQ equality: the people who changed are pooled over the orders.

    No theory, but what every theory with the equality is bounded by; its G² to the saturated model, on one
    degree of freedom, is the χ² test of Wang and Busemeyer, Topics in Cognitive Science 5, 689 (2013).
    """
    counts = np.array([survey.ab, survey.ba], dtype=float)
    changed = counts[:, 1:3].sum() / counts.sum()
    found = np.zeros((2, 4))
    for cells, share in (([1, 2], changed), ([0, 3], 1 - changed)):
        of = counts[:, cells].sum(axis=1, keepdims=True)
        found[:, cells] = share * np.where(of > 0, counts[:, cells] / np.maximum(of, 1.0), 0.5)
    return judged("nothing but the QQ equality", 5, survey, found)


def reciprocity(survey: Survey) -> Fit:
    """The bound of all quantum models whose answers are rays: the second answer agrees with a share s always.

    |⟨a|b⟩|² = |⟨b|a⟩|² makes s one number for both orders and both first answers, the Grand Reciprocity
    equations of Boyer-Kassem, Duchêne and Guerci, Mathematical Social Sciences 80, 33 (2016). The shares of
    yes to the first question are free, although a state binds them further: no such model can fit better.
    """
    counts = np.array([survey.ab, survey.ba], dtype=float)
    agrees = counts[:, [0, 3]].sum() / counts.sum()
    yes = counts[:, :2].sum(axis=1) / counts.sum(axis=1)
    second = np.array([agrees, 1 - agrees, 1 - agrees, agrees])
    found = np.column_stack([yes, yes, 1 - yes, 1 - yes]) * second
    return judged("any quantum model of rays", 3, survey, found)


def misfit(fit: Fit, saturated: Fit) -> tuple[float, float | None]:
    """G² of a fit, and its p by χ² on the degrees of freedom that are left; no p where none is."""
    left = saturated.free - fit.free
    g2 = max(2 * (saturated.log_likelihood - fit.log_likelihood), 0.0)
    return g2, tail(g2, left) if left else None


def tail(chi_square: float, freedom: int) -> float:
    """The probability of more than this under χ²."""
    return float(special.chdtrc(freedom, chi_square))


def judged(
    name: str, free: int, survey: Survey, probabilities: Probabilities, parameters: tuple[float, ...] = ()
) -> Fit:
    """A model with the likelihood of its probabilities."""
    return Fit(name, free, log_likelihood(survey, probabilities), probabilities, parameters)
