"""Mutual information of columns, the plug-in estimate in bits, over bins that hold equally many rows."""

import numpy as np

from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.validation import Ints

BINS = 5


def binned(column: Floats) -> Ints:
    """The bin of each value; equal values share one, so that few different values make few bins."""
    edges = np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, column, side="right").astype(np.int64)


def mutual(one: Ints, other: Ints) -> float:
    """I(one; other) = Σ p(a, b) log₂ (p(a, b) / (p(a) p(b)))."""
    joint = np.zeros((int(one.max()) + 1, int(other.max()) + 1))
    np.add.at(joint, (one, other), 1.0 / len(one))
    apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    there = joint > 0
    return float(np.sum(joint[there] * np.log2(joint[there] / apart[there])))


def tables(rows: Floats, labels: Ints) -> tuple[Floats, Floats]:
    """Relevance I(feature; label), shape (features,), and redundancy I(feature; feature) with diagonal 0."""
    bins = [binned(column) for column in rows.T]
    relevance = np.array([mutual(one, labels) for one in bins])
    redundancy = np.zeros((len(bins), len(bins)))
    for at, one in enumerate(bins):
        for before in range(at):
            redundancy[at, before] = redundancy[before, at] = mutual(one, bins[before])
    return relevance, redundancy
