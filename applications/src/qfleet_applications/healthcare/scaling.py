"""From features to angles: standardised, onto principal components, and those scaled to [0, 1].

Fitted to the training rows alone; a row beyond their range goes beyond [0, 1], which a feature map bears.
"""

from typing import Any

from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from qfleet_applications.healthcare.feature_maps import Floats


def components(train: Floats, rows: Floats, number: int) -> Floats:
    """Principal components (n, number) of ``rows``, standardised as ``train``."""
    found: Floats = make_pipeline(StandardScaler(), _axes(number)).fit(train).transform(rows)
    return found


def pipeline(number: int, model: Any) -> Pipeline:
    """A model with all that comes before it, fitted to whatever rows it is given."""
    return make_pipeline(StandardScaler(), _axes(number), MinMaxScaler(), model)


def angles(train: Floats, rows: Floats) -> Floats:
    """Columns scaled so that those of ``train`` lie within [0, 1]."""
    found: Floats = MinMaxScaler().fit(train).transform(rows)
    return found


def standardised(train: Floats, rows: Floats) -> Floats:
    """Columns with mean 0 and variance 1 over ``train``."""
    found: Floats = StandardScaler().fit(train).transform(rows)
    return found


def _axes(number: int) -> PCA:
    # the full decomposition: a randomised one would need a seed of its own
    return PCA(number, svd_solver="full")
