"""What ``screen`` and ``survival-risk`` share: folds of a cohort, its components and angles in each of them.

Everything that is fitted sees the training rows of its fold alone.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.healthcare import scaling, validation
from qfleet_applications.healthcare.cohorts import Cohort
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.validation import OUTER, Fold

LARGEST_ROWS = 2000
"""Rows whose kernel, with both triangles, a job may have."""


@dataclass(frozen=True)
class Reduction:
    """A cohort of n rows and how many principal components stand for its features."""

    cohort: Cohort
    components: int
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            InvalidProblem: more components than features or training rows, too many rows, or all equal.
        """
        number, features = self.cohort.rows.shape
        # the smallest training set lacks the largest fold
        most = min(features, number - -(-number // OUTER))
        if not 1 <= self.components <= most:
            told = f"{self.components} components of {features} features and {number} rows"
            raise InvalidProblem(told, hint=f"ask for 1 to {most}")
        if number > LARGEST_ROWS:
            told = f"the kernel of {number} rows is too large; at most {LARGEST_ROWS}"
            raise InvalidProblem(told, hint="ask for a part with --rows")
        if not np.ptp(self.cohort.rows, axis=0).any():
            told = f"{self.cohort.name}: all rows have the same features, so none tells them apart"
            raise InvalidProblem(told, hint="give columns that differ between rows")

    @cached_property
    def parts(self) -> tuple[Fold, ...]:
        """The outer folds, stratified by labels."""
        return validation.folds(self.cohort.labels, self.seed)

    @cached_property
    def reduced(self) -> list[Floats]:
        """For each fold the components (n, components) of all rows."""
        rows = self.cohort.rows
        return [scaling.components(rows[part.train], rows, self.components) for part in self.parts]

    @cached_property
    def angles(self) -> list[Floats]:
        """For each fold the components scaled to [0, 1]."""
        pairs = zip(self.reduced, self.parts, strict=True)
        return [scaling.angles(rows[part.train], rows) for rows, part in pairs]

    @cached_property
    def standardised(self) -> list[Floats]:
        """For each fold the components with mean 0 and variance 1."""
        pairs = zip(self.reduced, self.parts, strict=True)
        return [scaling.standardised(rows[part.train], rows) for rows, part in pairs]
