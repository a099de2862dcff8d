"""``survival-risk``: a risk from a quantum kernel, beside Cox's model and other classical ones."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from qfleet import JobRequest
from qfleet_applications.errors import InvalidProblem
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import (
    QUANTUM,
    Comparison,
    Figure,
    Kind,
    Measured,
    Report,
    Series,
    Table,
)
from qfleet_applications.frame.versions import versions
from qfleet_applications.healthcare import assessing, feature_maps, scaling, site, survival, wording
from qfleet_applications.healthcare.cohorts import Cohort
from qfleet_applications.healthcare.kernels import FleetKernels, Kernels
from qfleet_applications.healthcare.reduction import Reduction
from qfleet_applications.healthcare.site import SiteKernels
from qfleet_applications.healthcare.survival import Risks
from qfleet_applications.healthcare.wording import Placement

INTERVAL = "95 % interval of the mean over five folds, for overlapping training sets (Nadeau and Bengio 2003)"
RIDGE = "ridge on the ZZ fidelity kernel"


@dataclass(frozen=True)
class SurvivalStudy:
    """A cohort with times, how many principal components, and where kernels are computed."""

    cohort: Cohort
    components: int = 3
    placement: Placement = "fleet"
    seed: int = 0
    local: Kernels = field(default_factory=SiteKernels)
    clock: Callable[[], float] = time.perf_counter

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            InvalidProblem: there are no times, or none to compare; and see ``Reduction``.
            TooLarge: the local engine does not hold the states.
        """
        if self.cohort.times is None:
            raise InvalidProblem(f"{self.cohort.name} has no times", hint="name their column with --time")
        survival.check(self.cohort, self.reduction.parts, self.seed)
        if self.placement == "data-local":
            site.check_width(self.components)

    @cached_property
    def reduction(self) -> Reduction:
        """The folds, stratified by events, and the components in each."""
        return Reduction(self.cohort, self.components, self.seed)

    @property
    def title(self) -> str:
        """What it is about."""
        return f"Survival risk in {self.cohort.name}, {self.components} components"

    @property
    def qubits(self) -> int:
        """A qubit for each component."""
        return self.components

    def requests(self) -> tuple[JobRequest, ...]:
        """A job for each fold; none where data stay."""
        if self.placement == "data-local":
            return ()
        return tuple(feature_maps.kernel(points, "zz", seed=self.seed) for points in self.reduction.angles)

    def conduct(self, desk: Runner) -> Report:
        """Judge all methods on the same folds."""
        source: Kernels = FleetKernels(desk, self.seed) if self.placement == "fleet" else self.local
        rows, seed, parts = self.cohort.rows, self.seed, self.reduction.parts
        every = [scaling.standardised(rows[part.train], rows) for part in parts]
        few, angles = self.reduction.standardised, self.reduction.angles
        methods: tuple[Callable[[], Risks], ...] = (
            lambda: survival.by_kernel(RIDGE, source.fidelities(angles, "zz"), self.cohort, parts, seed),
            lambda: survival.cox("Cox, same components", few, self.cohort, parts),
            lambda: survival.cox("Cox, all features", every, self.cohort, parts),
            lambda: survival.by_kernel(
                "ridge on a Gaussian kernel", survival.gaussian(few), self.cohort, parts, seed
            ),
            lambda: survival.logistic("logistic regression, same components", few, self.cohort, parts),
        )
        return self._report([self._timed(method) for method in methods])

    def _timed(self, work: Callable[[], Risks]) -> Risks:
        began = self.clock()
        found = work()
        return replace(found, seconds=self.clock() - began)

    def _report(self, found: list[Risks]) -> Report:
        ours, *others = found
        others.sort(key=lambda one: -one.concordance)
        rows = tuple(
            (one.method, one.concordance, *assessing.over_folds(one.concordances), one.seconds)
            for one in found
        )
        best = others[0]
        by = best.concordance - ours.concordance
        who = "classical" if by > 0 else "quantum"
        verdict = (
            f"The {who} model has the higher concordance on these folds: {best.method} "
            f"{best.concordance:.3f}, {ours.method} {ours.concordance:.3f}. The best classical one was taken "
            f"after all were judged."
        )
        return Report(
            pack="healthcare",
            command="survival-risk",
            title=self.title,
            comparisons=tuple(
                Comparison(
                    self.title,
                    "concordance",
                    "",
                    "higher",
                    _measured(ours, QUANTUM),
                    _measured(one),
                    INTERVAL,
                    wording.place(self.placement),
                )
                for one in others
            ),
            tables=(Table("Concordance", ("method", "concordance", "low", "high", "seconds"), rows),),
            figures=(self._figure(ours, best),),
            notes=(verdict, *wording.notes(self.placement)),
            settings={
                "seed": str(self.seed),
                "rows": str(len(self.cohort.labels)),
                "events": str(int(self.cohort.labels.sum())),
                "components": str(self.components),
                "placement": self.placement,
                "ridge": ", ".join(f"{value:g}" for value in survival.RIDGES),
            },
            versions=versions("lifelines", "scikit-learn", "numpy"),
        )

    def _figure(self, *methods: Risks) -> Figure:
        from lifelines import KaplanMeierFitter  # noqa: PLC0415 - slow

        assert self.cohort.times is not None
        series = []
        for one in methods:
            high = one.risk > np.median(one.risk)
            for name, rows in (("higher", high), ("lower", ~high)):
                curve = KaplanMeierFitter().fit(self.cohort.times[rows], self.cohort.labels[rows])
                steps = curve.survival_function_
                x, y = tuple(map(float, steps.index)), tuple(map(float, steps.iloc[:, 0]))
                series.append(Series(f"{one.method}, {name} half", x, y, style="steps"))
        title = "Without event, by halves of the risk that was told (Kaplan-Meier)"
        return Figure("survival", title, "days", "share without event", tuple(series))


def _measured(one: Risks, kind: Kind = "classical") -> Measured:
    low, high = assessing.over_folds(one.concordances)
    return Measured(one.method, one.concordance, low, high, one.seconds, kind=kind)
