"""Classical models in which what people say depends on what they think and on the place of the question.

Four kinds of people think yes or no of A and of B. What each says, in either order, is a rule of the first
and the second question, whichever they are: so both questions are treated alike, and the QQ equality follows
from that symmetry alone. The probabilities are (2, 4) = M · joint with a matrix M of the rules.
"""

import itertools
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qfleet_applications.cognition.order_fits import SWAP, Fit, Probabilities, equality, judged
from qfleet_applications.cognition.order_search import Parameters, lowest
from qfleet_applications.cognition.orders import Survey

Matrix: TypeAlias = NDArray[np.float64]
Rule: TypeAlias = Callable[[bool, bool], tuple[bool, bool]]

_KINDS = ((True, True), (True, False), (False, True), (False, False))
_REACHED = 1e-5
"""A log-likelihood that is closer than this to its bound has reached it."""
_WEAK = -2.0
"""The logit of a small share, from which searches for one start; its negative is that of a large one."""


def repeat_choice(survey: Survey) -> Fit:
    """Classical account of Kellen, Singmann and Batchelder, Decision 5, 323 (2018), in its simplest form.

    One joint distribution; with probability r the second answer only repeats the first. It fulfils the QQ
    equality without anything quantum.
    """
    return _fitted(survey, "joint distribution, answers repeated", (_REPEAT,), (_WEAK, 0.0, -_WEAK))


def by_place(survey: Survey) -> Fit:
    """Classical account with as many parameters as the quantum one.

    One joint distribution of what people think. Of those who think differently of both questions, a share r
    says twice what they think of the first one (of the second if r < 0); of those who think yes of both, a
    share t says no to the first one (to the second if t < 0). Kellen and others point out in general that
    symmetry of this kind yields the equality; this member of the family is ours.
    """
    name = "joint distribution, answers by place"
    bound = equality(survey).log_likelihood
    fits = []
    for changes in itertools.product((_REPEAT, _ANTICIPATE), (_DENY_FIRST, _DENY_SECOND)):
        fits.append(_fitted(survey, name, changes, (_WEAK, 0.0)))
        if fits[-1].log_likelihood > bound - _REACHED:
            break
    return max(fits, key=lambda fit: fit.log_likelihood)


def place_probabilities(joint: Parameters, repeats: float, denies: float) -> Probabilities:
    """Probabilities of ``by_place``: what people think, in the cells of the order AB; r and t in −1 … 1."""
    rules = _PLAIN + abs(repeats) * (_REPEAT if repeats > 0 else _ANTICIPATE)
    rules = rules + abs(denies) * (_DENY_FIRST if denies > 0 else _DENY_SECOND)
    found: Probabilities = (rules @ joint).reshape(2, 4)
    return found


def _fitted(survey: Survey, name: str, changes: tuple[Matrix, ...], logits: tuple[float, ...]) -> Fit:
    """The most likely shares of people who follow each changed rule; searches begin at these logits."""
    counts = np.array([survey.ab, survey.ba], dtype=float).ravel()

    def cost(parameters: Parameters) -> tuple[float, Parameters]:
        joint, shares = _natural(parameters)
        told = _rules(changes, shares)
        seen = np.maximum(told @ joint, 1e-12)
        weights = counts / seen
        by_joint = told.T @ weights
        by_share = np.array([weights @ change @ joint for change in changes])
        slope = np.append((joint * (by_joint - joint @ by_joint))[:3], by_share * shares * (1 - shares))
        return -float(counts @ np.log(seen)), -slope

    pooled = np.array(survey.ab, dtype=float) + np.array(survey.ba, dtype=float)[SWAP] + 0.5
    odds = np.log(pooled[:3] / pooled[3])
    starts = np.array([[*odds, *[logit] * len(changes)] for logit in logits])
    searched = _natural(lowest(cost, starts, -equality(survey).log_likelihood, slope=True))
    # nobody follows a changed rule: no search may end worse than that
    unchanged = ((pooled - 0.5) / (pooled - 0.5).sum(), np.zeros(len(changes)))
    fits = []
    for joint, shares in (searched, unchanged):
        found = (_rules(changes, shares) @ joint).reshape(2, 4)
        natural = (*map(float, joint), *map(float, shares))
        fits.append(judged(name, 3 + len(changes), survey, found, natural))
    return max(fits, key=lambda fit: fit.log_likelihood)


def _rules(changes: tuple[Matrix, ...], shares: Parameters) -> Matrix:
    rules: Matrix = _PLAIN + sum(share * change for share, change in zip(shares, changes, strict=True))
    return rules


def _natural(parameters: Parameters) -> tuple[Parameters, Parameters]:
    """Four probabilities from three logits, and shares from theirs; no overflow."""
    weights = np.exp(np.append(parameters[:3], 0.0) - max(parameters[:3].max(), 0.0))
    return weights / weights.sum(), 0.5 + 0.5 * np.tanh(0.5 * parameters[3:])


def _matrix(rule: Rule) -> Matrix:
    """Who says what by a rule, (8, 4): the cells of both orders, by the kind of people."""
    found = np.zeros((8, 4))
    for place, (of_a, of_b) in enumerate(_KINDS):
        found[_KINDS.index(rule(of_a, of_b)), place] = 1.0
        found[4 + _KINDS.index(rule(of_b, of_a)), place] = 1.0
    return found


_PLAIN = _matrix(lambda first, second: (first, second))
_REPEAT = _matrix(lambda first, _: (first, first)) - _PLAIN
_ANTICIPATE = _matrix(lambda _, second: (second, second)) - _PLAIN
_DENY_FIRST = _matrix(lambda first, second: (first and not second, second)) - _PLAIN
_DENY_SECOND = _matrix(lambda first, second: (first, second and not first)) - _PLAIN
