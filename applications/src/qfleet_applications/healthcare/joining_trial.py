"""``join try``: what joining gains and costs, on bundled data cut into sites, with every row judged once.

Landmarks do not depend on rows: each kernel is evaluated once, and its rows are dealt to folds and sites.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qfleet_applications.frame.report import Measured, Report, Table
from qfleet_applications.frame.versions import versions
from qfleet_applications.healthcare import (
    assessing,
    joining,
    joining_files,
    joining_study,
    landmarks,
    wording,
)
from qfleet_applications.healthcare.cohorts import Cohort
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.joining_study import Judged
from qfleet_applications.healthcare.landmarks import Landmarks
from qfleet_applications.healthcare.site import SiteKernels
from qfleet_applications.healthcare.validation import Fold, Ints, folds

BUNDLED = ("worst area", "worst smoothness", "mean texture")
"""The features of the plane that W. N. Street and others publish with the data."""
RANGES = (np.array([185.2, 0.07117, 9.71]), np.array([4254.0, 0.2226, 39.28]))
"""Their lows and highs, from the table that is published with the data."""
POINTS = 12
LINEAR = "linear least squares, joined from sums of the features"


@dataclass(frozen=True)
class JoinTrial:
    """A cohort whose training rows are cut into ``sites`` in each outer fold."""

    cohort: Cohort
    sites: int = 3
    seed: int = 0
    local: SiteKernels = field(default_factory=SiteKernels)
    clock: Callable[[], float] = time.perf_counter

    @cached_property
    def landmarks(self) -> Landmarks:
        """Drawn from the published ranges of the bundled data's features."""
        return landmarks.drawn(RANGES, BUNDLED, POINTS, len(BUNDLED), self.seed)

    @cached_property
    def rows(self) -> Floats:
        """The features of the landmarks, (n, 3)."""
        return self.cohort.rows[:, [self.cohort.features.index(name) for name in BUNDLED]]

    @cached_property
    def parts(self) -> tuple[Fold, ...]:
        """The outer folds."""
        return folds(self.cohort.labels, self.seed)

    def conduct(self) -> Report:
        """Give, join and judge in each fold, by all sites and by each alone.

        Raises:
            InvalidProblem: a site would have too few rows.
        """
        every = tuple(range(self.sites))
        groups = [("all sites joined", every), *((f"site {at + 1} alone", (at,)) for at in every)]
        judged = [Judged({}, {}) for _ in groups]
        for kernel, block in joining_files.blocks(self.landmarks, self.local).items():
            began = self.clock()
            known = joining.evaluated(self.rows, self.landmarks, block)
            own = block(self.landmarks.own_angles, self.landmarks.own_angles)
            for one, (_, sites) in zip(judged, groups, strict=True):
                one.decisions[kernel] = self._decisions(known, own, sites)
                one.seconds[kernel] = self.clock() - began
        return self._report([name for name, _ in groups], judged, self._linear(every))

    def _linear(self, sites: tuple[int, ...]) -> Measured:
        """Least squares on the features themselves, of sums too, and of fewer numbers."""
        began = self.clock()
        angles = self.landmarks.angles(self.rows)
        known = np.column_stack([np.ones(len(angles)), angles])
        predicted = (self._decisions(known, np.eye(known.shape[1]), sites) > 0).astype(np.int64)
        seconds = self.clock() - began
        return joining_study.measured(LINEAR, predicted, self.cohort.labels, seconds)

    def _decisions(self, known: Floats, own: Floats, sites: tuple[int, ...]) -> Floats:
        labels = self.cohort.labels
        found = np.zeros(len(labels))
        for part in self.parts:
            split = StratifiedKFold(self.sites, shuffle=True, random_state=self.seed)
            cut = [part.train[rows] for _, rows in split.split(part.train, labels[part.train])]
            given = [joining.summed(known[cut[at]], labels[cut[at]], self.landmarks) for at in sites]
            found[part.test] = known[part.test] @ joining.joined(given, own)
        return found

    def _report(self, names: list[str], judged: list[Judged], linear: Measured) -> Report:
        labels, joined = self.cohort.labels, judged[0]
        title = f"Joined screening of {self.cohort.name}, {self.sites} sites"
        main = joining_study.compared(title, joined, labels)
        table = tuple(
            (name, round(one.accuracy("zz", labels), 4), round(one.accuracy("gaussian", labels), 4))
            for name, one in zip(names, judged, strict=True)
        )
        ours, theirs, chance = assessing.mcnemar(joined.predicted("zz"), joined.predicted("gaussian"), labels)
        verdict = (
            f"Of the rows on which the two kernels differ, {ours} go to the ZZ kernel and {theirs} to the "
            f"Gaussian one (exact McNemar test, p = {chance:.2g})."
        )
        return Report(
            pack="healthcare",
            command="join try",
            title=title,
            comparisons=(
                main,
                *(msgspec.structs.replace(main, classical=one) for one in (linear, self._pooled())),
            ),
            tables=(
                Table("Accuracy over five folds", ("trained by", "ZZ kernel", "Gaussian kernel"), table),
            ),
            notes=(verdict, wording.NO_DEVICE, wording.STAYED_JOINED, wording.JOINED_LEAKS),
            settings={
                "seed": str(self.seed),
                "sites": str(self.sites),
                "rows": str(len(labels)),
                "landmarks": f"{POINTS} ({self.landmarks.digest})",
                "features": ", ".join(BUNDLED),
                "ridge": f"{joining.RIDGE:g}",
            },
            versions=versions("scikit-learn", "numpy"),
        )

    def _pooled(self) -> Measured:
        labels, began = self.cohort.labels, self.clock()
        predicted: Ints = np.zeros(len(labels), dtype=np.int64)
        for part in self.parts:
            model = make_pipeline(StandardScaler(), LogisticRegression())
            predicted[part.test] = model.fit(self.rows[part.train], labels[part.train]).predict(
                self.rows[part.test]
            )
        name = "logistic regression, all rows in one place"
        return joining_study.measured(name, predicted, labels, self.clock() - began)
