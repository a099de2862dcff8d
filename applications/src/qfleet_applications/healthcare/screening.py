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
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Report
from qfleet_applications.healthcare import feature_maps, screening_report, site, validation
from qfleet_applications.healthcare.cohorts import Cohort
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.kernels import FleetKernels, Kernels
from qfleet_applications.healthcare.reduction import Reduction
from qfleet_applications.healthcare.screening_report import Screened, Settings
from qfleet_applications.healthcare.site import SiteKernels
from qfleet_applications.healthcare.validation import Outcome
from qfleet_applications.healthcare.wording import Placement

T = TypeVar("T")
ZZ = "fidelity kernel, ZZ map"
PRODUCT = "fidelity kernel without entanglement"
PROJECTED = "projected kernel, ZZ map"
RBF = "RBF-SVM"


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
            InvalidProblem: see ``Reduction``.
            TooLarge: the local engine does not hold the states.
        """
        _ = self.reduction
        if self.placement == "data-local":
            site.check_width(self.components)

    @cached_property
    def reduction(self) -> Reduction:
        """The folds, and the components in each."""
        return Reduction(self.cohort, self.components, self.seed)

    @property
    def title(self) -> str:
        """What it is about."""
        return f"Screening of {self.cohort.name}, {self.components} components"

    @property
    def qubits(self) -> int:
        """A qubit for each component."""
        return self.components

    def requests(self) -> tuple[JobRequest, ...]:
        """A job for each fold and map; none where data stay."""
        if self.placement == "data-local":
            return ()
        return tuple(
            request
            for points in self.reduction.angles
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
        angles = self.reduction.angles
        zz, timed = self._timed(lambda: source.fidelities(angles, "zz"))
        product, more = self._timed(lambda: source.fidelities(angles, "product"))
        projected, most = self._timed(lambda: source.projections(angles))
        plain = [values / math.sqrt(2) for values in projected]
        quantum = (
            self._outcome(ZZ, zz, timed),
            self._outcome(PRODUCT, product, more),
            self._outcome(PROJECTED, plain, most),
        )
        classical = (
            self._gaussian(),
            self._outcome(validation.LOGISTIC, self.reduction.standardised, 0.0),
        )
        return Screened(quantum, classical, tuple(zz), self.reduction.parts)

    def _outcome(self, method: str, matrices: list[Floats], before: float) -> Outcome:
        judge = validation.precomputed if method in {ZZ, PRODUCT} else validation.features
        labels, parts = self.cohort.labels, self.reduction.parts
        found, seconds = self._timed(lambda: judge(method, matrices, labels, parts))
        return replace(found, seconds=before + seconds)

    def _gaussian(self) -> Outcome:
        cohort, parts = self.cohort, self.reduction.parts
        found, seconds = self._timed(
            lambda: validation.gaussian(RBF, self.components, cohort.rows, cohort.labels, parts)
        )
        return replace(found, seconds=seconds)

    def _timed(self, work: Callable[[], T]) -> tuple[T, float]:
        began = self.clock()
        found = work()
        return found, self.clock() - began
