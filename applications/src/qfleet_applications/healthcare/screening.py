"""``screen``: classifiers with quantum kernels, beside a Gaussian kernel and logistic regression.

All methods have the same outer and inner folds, and the same principal components. The projected kernel
is that of Huang et al., Nat. Commun. 12, 2631 (2021): a Gaussian of distances between the states of single
qubits, ‖ρ - ρ'‖² = ½ Σ (⟨P⟩ - ⟨P⟩')² over the Pauli operators.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from qfleet import JobRequest
from qfleet_applications.errors import InvalidProblem
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Report
from qfleet_applications.healthcare import feature_maps, scaling, screening_report, validation
from qfleet_applications.healthcare.cohorts import Cohort
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.kernels import FleetKernels, Kernels
from qfleet_applications.healthcare.screening_report import Screened, Settings
from qfleet_applications.healthcare.site import SiteKernels
from qfleet_applications.healthcare.validation import Fold, Outcome
from qfleet_applications.healthcare.wording import Placement

T = TypeVar("T")
ZZ = "fidelity kernel, ZZ map"
PRODUCT = "fidelity kernel without entanglement"
PROJECTED = "projected kernel, ZZ map"
RBF = "RBF-SVM"
LARGEST_ROWS = 2000
"""Rows whose kernel, with both triangles, a job may have."""


@dataclass(frozen=True)
class ScreenStudy:
    """A cohort, how many principal components, and where kernels are computed.

    ``patients`` is how many of the least certain are explained. ``local`` computes for data-local.
    """

    cohort: Cohort
    components: int = 2
    placement: Placement = "fleet"
    patients: int = 5
    seed: int = 0
    local: Kernels = field(default_factory=SiteKernels)
    clock: Callable[[], float] = time.perf_counter

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            InvalidProblem: more components than features, or too many rows.
        """
        number, features = self.cohort.rows.shape
        if not 1 <= self.components <= features:
            told = f"{self.components} components of {features} features"
            raise InvalidProblem(told, hint=f"ask for 1 to {features}")
        if number > LARGEST_ROWS:
            told = f"the kernel of {number} rows is too large; at most {LARGEST_ROWS}"
            raise InvalidProblem(told, hint="ask for a part with --rows")

    @property
    def title(self) -> str:
        """What it is about."""
        return f"Screening of {self.cohort.name}, {self.components} components"

    @property
    def qubits(self) -> int:
        """A qubit for each component."""
        return self.components

    @cached_property
    def parts(self) -> tuple[Fold, ...]:
        """The outer folds."""
        return validation.folds(self.cohort.labels, self.seed)

    @cached_property
    def reduced(self) -> list[Floats]:
        """The components of all rows, fitted to each fold's training rows."""
        rows = self.cohort.rows
        return [scaling.components(rows[part.train], rows, self.components) for part in self.parts]

    @cached_property
    def angles(self) -> list[Floats]:
        """Components scaled to [0, 1]."""
        return [
            scaling.angles(rows[part.train], rows)
            for rows, part in zip(self.reduced, self.parts, strict=True)
        ]

    def requests(self) -> tuple[JobRequest, ...]:
        """A job for each fold and map; none where data stay."""
        if self.placement == "data-local":
            return ()
        return tuple(
            request
            for points in self.angles
            for request in (
                feature_maps.kernel(points, "zz", seed=self.seed),
                feature_maps.kernel(points, "product", seed=self.seed),
                feature_maps.projections(points, seed=self.seed),
            )
        )

    def conduct(self, desk: Runner) -> Report:
        """Compute kernels, validate all methods, and compare."""
        asked = Settings(self.cohort, self.components, self.placement, self.patients, self.seed)
        return screening_report.report(asked, self.screened(desk))

    def screened(self, desk: Runner) -> Screened:
        """What all methods say of each row; ``desk`` is not used where data stay."""
        source: Kernels = FleetKernels(desk, self.seed) if self.placement == "fleet" else self.local
        zz, timed = self._timed(lambda: source.fidelities(self.angles, "zz"))
        product, more = self._timed(lambda: source.fidelities(self.angles, "product"))
        projected, most = self._timed(lambda: source.projections(self.angles))
        plain = [values / math.sqrt(2) for values in projected]
        standard = [
            scaling.standardised(rows[part.train], rows)
            for rows, part in zip(self.reduced, self.parts, strict=True)
        ]
        quantum = (
            self._outcome(ZZ, zz, timed),
            self._outcome(PRODUCT, product, more),
            self._outcome(PROJECTED, plain, most),
        )
        classical = (
            self._gaussian(),
            self._outcome(validation.LOGISTIC, standard, 0.0),
        )
        return Screened(quantum, classical, tuple(zz), self.parts)

    def _outcome(self, method: str, matrices: list[Floats], before: float) -> Outcome:
        judge = validation.precomputed if method in {ZZ, PRODUCT} else validation.features
        found, seconds = self._timed(lambda: judge(method, matrices, self.cohort.labels, self.parts))
        return replace(found, seconds=before + seconds)

    def _gaussian(self) -> Outcome:
        cohort = self.cohort
        found, seconds = self._timed(
            lambda: validation.gaussian(RBF, self.components, cohort.rows, cohort.labels, self.parts)
        )
        return replace(found, seconds=seconds)

    def _timed(self, work: Callable[[], T]) -> tuple[T, float]:
        began = self.clock()
        found = work()
        return found, self.clock() - began
