"""A risk from a kernel, and how well risks order patients, in nested cross-validation.

The kernel model is ridge regression on martingale residuals of a model without features, δ - H(t) with the
Nelson-Aalen hazard H (Therneau, Grambsch and Fleming, Biometrika 77, 147, 1990): at zero they are the slope
of Cox's partial likelihood in the risks. Concordance is Harrell's (J. Am. Med. Assoc. 247, 2543, 1982).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from lifelines import CoxPHFitter, NelsonAalenFitter
from lifelines.utils import concordance_index
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import StratifiedKFold

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.healthcare.cohorts import Cohort
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.validation import INNER, Fold, Ints

RIDGES = (0.1, 1.0, 10.0, 100.0)
"""Weights of the penalty, of which inner folds choose."""
COX_PENALTY = 0.01
Known: TypeAlias = tuple[Floats, Ints]
"""Times (n,) and events (n,)."""


@dataclass(frozen=True)
class Risks:
    """The concordance in each outer fold, and the risk (n,) of each row by the model that has not seen it."""

    method: str
    concordances: Floats
    risk: Floats
    seconds: float = 0.0

    @property
    def concordance(self) -> float:
        """The mean over the folds."""
        return float(self.concordances.mean())


def concordance(risk: Floats, known: Known) -> float:
    """The share of comparable pairs of which the earlier event has the higher risk; ties count half."""
    return float(concordance_index(known[0], -risk, known[1]))


def check(cohort: Cohort, parts: Sequence[Fold], seed: int) -> None:
    """Refuse a cohort in which a fold, outer or inner, has no two patients to compare.

    Raises:
        InvalidProblem: there is such a fold.
    """
    for part in parts:
        known = _known(cohort, part.train)
        tests = [
            _known(cohort, part.test),
            *((known[0][held], known[1][held]) for _, held in _inner(known, seed)),
        ]
        for times, events in tests:
            ended = times[events == 1]
            if not len(ended) or ended.min() >= times.max():
                told = f"{cohort.name}: in a fold no event comes before the end of another's observation"
                raise InvalidProblem(
                    told, hint="risks cannot be judged; give more rows, with times that differ"
                )


def residuals(known: Known) -> Floats:
    """Martingale residuals (n,) of a model without features: events less the hazard until then."""
    hazard = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(known[0], known[1])
    found: Floats = known[1] - hazard.predict(known[0]).to_numpy()
    return found


def by_kernel(
    method: str, kernels: Sequence[Floats], cohort: Cohort, parts: Sequence[Fold], seed: int
) -> Risks:
    """Kernel ridge regression on a matrix (n, n) for each fold, of all rows."""
    numbered = dict(enumerate(kernels))

    def told(at: int, part: Fold) -> Floats:
        inside = numbered[at][np.ix_(part.train, part.train)]
        across = numbered[at][np.ix_(part.test, part.train)]
        known = _known(cohort, part.train)
        ridge = _ridge(inside, known, seed)
        return across @ _weights(inside, residuals(known), ridge)

    return _judged(method, told, cohort, parts)


def gaussian(rows: Sequence[Floats]) -> list[Floats]:
    """Gaussian kernels of standardised rows (n, k), of the width that scikit-learn calls ``scale``: 1 / k."""
    return [rbf_kernel(one, gamma=1.0 / one.shape[1]) for one in rows]


def cox(method: str, sets: Sequence[Floats], cohort: Cohort, parts: Sequence[Fold]) -> Risks:
    """Cox's proportional hazards on features (n, k) for each fold, with a small ridge."""
    import pandas as pd  # noqa: PLC0415 - slow

    def told(at: int, part: Fold) -> Floats:
        known = _known(cohort, part.train)
        table = pd.DataFrame(sets[at][part.train]).assign(time=known[0], event=known[1])
        fitted = CoxPHFitter(penalizer=COX_PENALTY).fit(table, "time", "event")
        found: Floats = sets[at][part.test] @ fitted.params_.to_numpy()
        return found

    return _judged(method, told, cohort, parts)


def logistic(method: str, sets: Sequence[Floats], cohort: Cohort, parts: Sequence[Fold]) -> Risks:
    """Logistic regression of an event before the median time; who left before it without one is left out."""

    def told(at: int, part: Fold) -> Floats:
        times, events = _known(cohort, part.train)
        horizon = float(np.median(times))
        early = (times <= horizon) & (events == 1)
        counted = early | (times > horizon)
        if len(set(early[counted])) < 2:
            return np.zeros(len(part.test))  # tells nobody apart: a concordance of one half
        model: Any = LogisticRegression(solver="newton-cholesky").fit(
            sets[at][part.train][counted], early[counted]
        )
        found: Floats = model.decision_function(sets[at][part.test])
        return found

    return _judged(method, told, cohort, parts)


def _judged(method: str, told: Callable[[int, Fold], Floats], cohort: Cohort, parts: Sequence[Fold]) -> Risks:
    risk = np.zeros(len(cohort.labels))
    found = []
    for at, part in enumerate(parts):
        risk[part.test] = told(at, part)
        found.append(concordance(risk[part.test], _known(cohort, part.test)))
    return Risks(method, np.array(found), risk)


def _ridge(inside: Floats, known: Known, seed: int) -> float:
    """The penalty with the best concordance over inner folds; of equal ones the largest."""
    scores = dict.fromkeys(RIDGES, 0.0)
    for train, held in _inner(known, seed):
        goal = residuals((known[0][train], known[1][train]))
        for ridge in RIDGES:
            risk = inside[np.ix_(held, train)] @ _weights(inside[np.ix_(train, train)], goal, ridge)
            scores[ridge] += concordance(risk, (known[0][held], known[1][held]))
    return max(sorted(RIDGES, reverse=True), key=scores.__getitem__)


def _inner(known: Known, seed: int) -> list[tuple[Ints, Ints]]:
    """Rows to train on, and those that are held back."""
    split = StratifiedKFold(INNER, shuffle=True, random_state=seed)
    return list(split.split(known[0], known[1]))


def _weights(kernel: Floats, goal: Floats, ridge: float) -> Floats:
    return np.asarray(np.linalg.solve(kernel + ridge * np.eye(len(goal)), goal), dtype=np.float64)


def _known(cohort: Cohort, rows: Ints) -> Known:
    assert cohort.times is not None
    return cohort.times[rows], cohort.labels[rows]
