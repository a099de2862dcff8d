"""Nested cross-validation of classifiers: what is chosen or fitted sees the training rows of its fold alone.

Outer folds are stratified and drawn with the seed; C is searched in three inner folds, in the rows' order.
Probabilities are Platt's (Advances in Large Margin Classifiers, 61, 1999), fitted to decisions on rows that
were left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import base
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from qfleet_applications.healthcare import scaling
from qfleet_applications.healthcare.feature_maps import Floats

Ints = npt.NDArray[np.int64]
OUTER, INNER = 5, 3
PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""Values of C; of equal ones the smallest is taken."""
LOGISTIC = "logistic regression"
_SOLVER = "newton-cholesky"
"""Quick where there are more rows than features."""


@dataclass(frozen=True)
class Fold:
    """Row numbers of one fold: what is trained on, what is tested on."""

    train: Ints
    test: Ints


@dataclass(frozen=True)
class Outcome:
    """What a method says of each row by the model that has not seen it.

    ``predicted`` (n,) are classes 0 and 1, ``probability`` (n,) those of class 1, ``accuracies`` (folds,).
    ``models`` are the fitted ones.
    """

    method: str
    predicted: Ints
    probability: Floats
    accuracies: Floats
    models: tuple[Any, ...]
    seconds: float = 0.0

    @property
    def accuracy(self) -> float:
        """The mean over the folds."""
        return float(self.accuracies.mean())


def folds(labels: Ints, seed: int) -> tuple[Fold, ...]:
    """Stratified folds of all rows."""
    split = StratifiedKFold(OUTER, shuffle=True, random_state=seed)
    return tuple(Fold(train, test) for train, test in split.split(np.zeros(len(labels)), labels))


def precomputed(method: str, kernels: Sequence[Floats], labels: Ints, parts: Sequence[Fold]) -> Outcome:
    """An SVM on a kernel matrix (n, n) for each fold."""
    pairs = [
        (kernel[np.ix_(part.train, part.train)], kernel[np.ix_(part.test, part.train)])
        for kernel, part in zip(kernels, parts, strict=True)
    ]
    return _outcome(method, SVC(kernel="precomputed"), pairs, labels, parts)


def features(method: str, sets: Sequence[Floats], labels: Ints, parts: Sequence[Fold]) -> Outcome:
    """An SVM with a Gaussian kernel, or logistic regression, on features (n, k) for each fold."""
    model = LogisticRegression(solver=_SOLVER) if method == LOGISTIC else SVC(kernel="rbf", gamma="scale")
    pairs = [(rows[part.train], rows[part.test]) for rows, part in zip(sets, parts, strict=True)]
    return _outcome(method, model, pairs, labels, parts)


def gaussian(method: str, components: int, rows: Floats, labels: Ints, parts: Sequence[Fold]) -> Outcome:
    """An SVM with a Gaussian kernel on principal components of ``rows`` (n, features), scaled to [0, 1].

    A kernel that a device computed has its scaling from the outer fold; here each inner fold fits its own, as
    nested cross-validation is meant.
    """
    model = scaling.pipeline(components, SVC(kernel="rbf", gamma="scale"))
    return _outcome(method, model, [(rows[part.train], rows[part.test]) for part in parts], labels, parts)


def _outcome(
    method: str, model: Any, pairs: Sequence[tuple[Floats, Floats]], labels: Ints, parts: Sequence[Fold]
) -> Outcome:
    predicted = np.zeros(len(labels), dtype=np.int64)
    probability = np.zeros(len(labels))
    models, accuracies = [], []
    for (train, test), part in zip(pairs, parts, strict=True):
        best, platt = _fitted(model, train, labels[part.train])
        decisions = best.decision_function(test)
        predicted[part.test] = decisions > 0
        probability[part.test] = platt.predict_proba(decisions[:, None])[:, 1]
        accuracies.append(float((predicted[part.test] == labels[part.test]).mean()))
        models.append(best)
    return Outcome(method, predicted, probability, np.array(accuracies), tuple(models))


def _fitted(model: Any, train: Floats, labels: Ints) -> tuple[Any, Any]:
    """The model with the best C over inner folds, and Platt's, of its decisions on rows left out there."""
    inner = list(StratifiedKFold(INNER).split(train, labels))
    most, penalty, left_out = -1.0, 0.0, np.zeros(len(labels))
    for tried in PENALTIES:
        decisions = np.zeros(len(labels))
        for known, held in inner:
            fitted = _with(model, tried).fit(_rows(model, train, known, known), labels[known])
            decisions[held] = fitted.decision_function(_rows(model, train, held, known))
        right = (decisions > 0) == labels
        share = float(np.mean([right[held].mean() for _, held in inner]))
        if share > most:
            most, penalty, left_out = share, tried, decisions
    best = _with(model, penalty).fit(train, labels)
    return best, LogisticRegression(solver=_SOLVER).fit(left_out[:, None], labels)


def _with(model: Any, penalty: float) -> Any:
    place = f"{model.steps[-1][0]}__C" if isinstance(model, Pipeline) else "C"
    return base.clone(model).set_params(**{place: penalty})


def _rows(model: Any, train: Floats, rows: Ints, columns: Ints) -> Floats:
    """Rows of features, or of a kernel with the columns that a model knows."""
    return train[np.ix_(rows, columns)] if getattr(model, "kernel", "") == "precomputed" else train[rows]
