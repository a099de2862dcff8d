"""Why a patient was put in a class: the support vectors that are nearest in the kernel, and what they add.

The decision of an SVM is Σ αᵢ yᵢ K(x, xᵢ) + b over its support vectors; each term is what one known record
speaks for (positive) or against class 1.
"""

from dataclasses import dataclass

import numpy as np

from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.validation import Fold, Outcome

NEAREST = 3


@dataclass(frozen=True)
class Witness:
    """A support vector: its row, its fidelity with the patient, and its term in the decision."""

    row: int
    fidelity: float
    term: float


@dataclass(frozen=True)
class Explanation:
    """A patient's row, what the classifier says, and the nearest witnesses; ``decision`` is the whole sum."""

    row: int
    decision: float
    probability: float
    witnesses: tuple[Witness, ...]


def least_certain(outcome: Outcome, number: int) -> list[int]:
    """Rows whose probabilities are nearest to one half."""
    return [int(row) for row in np.argsort(np.abs(outcome.probability - 0.5), kind="stable")[:number]]


def explain(row: int, outcome: Outcome, kernels: tuple[Floats, ...], parts: tuple[Fold, ...]) -> Explanation:
    """Explain a row by the model of the fold that has not seen it."""
    at = next(number for number, part in enumerate(parts) if row in part.test)
    model, train = outcome.models[at], parts[at].train
    supports = train[model.support_]
    fidelities = kernels[at][row, supports]
    terms = model.dual_coef_[0] * fidelities
    nearest = np.argsort(-fidelities, kind="stable")[:NEAREST]
    witnesses = tuple(Witness(int(supports[n]), float(fidelities[n]), float(terms[n])) for n in nearest)
    decision = float(terms.sum() + model.intercept_[0])
    return Explanation(row, decision, float(outcome.probability[row]), witnesses)
