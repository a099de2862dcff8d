"""``features``: feature selection as a model of bits on the fleet, beside the best set and a ranking.

No row is sent, only the model: mutual informations of whole columns, without names. Where data stay not even
that is. The usual sampler is tabu search, which is classical; every report says which one ran.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from qfleet import JobRequest
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison, Figure, Kind, Measured, Report, Series, Table
from qfleet_applications.frame.versions import versions
from qfleet_applications.healthcare import assessing, information, scaling, validation, wording
from qfleet_applications.healthcare.cohorts import Cohort
from qfleet_applications.healthcare.selection import MOST_CHOICES, Selection
from qfleet_applications.healthcare.site_sampling import SiteSampler
from qfleet_applications.healthcare.wording import Placement
from qfleet_applications.qubo import sampling
from qfleet_applications.qubo.sampling import Effort, State

EFFORT = Effort(method="tabu", reads=32, sweeps=500)
"""Tabu search holds the number of features better than annealing, which leaves a set only uphill."""
Chosen = tuple[int, ...]
_OPTIMISTIC = (
    "Features were chosen with all rows, those of the test folds too: the accuracies are for comparing sets, "
    "and too high for new patients."
)
_SENT = (
    "Sent to the fleet was the model alone, mutual informations of whole columns without names; no row. "
    "They can tell a little of rows where a cohort has few."
)
_STAYED = (
    "Placement data-local: the engine on the machine of the data sampled the model. Nothing went to the "
    "fleet, neither rows nor mutual informations."
)


@dataclass(frozen=True)
class FeatureStudy:
    """Choose ``number`` features of a cohort."""

    cohort: Cohort
    number: int = 5
    effort: Effort = EFFORT
    seed: int = 0
    placement: Placement = "fleet"
    local: SiteSampler = field(default_factory=SiteSampler)
    clock: Callable[[], float] = time.perf_counter

    @property
    def title(self) -> str:
        """What it is about."""
        return f"{self.number} of {len(self.cohort.features)} features of {self.cohort.name}"

    @property
    def qubits(self) -> int:
        """A qubit for each feature, which only QAOA needs."""
        return len(self.cohort.features) if self.effort.method == "qaoa" else 0

    @cached_property
    def selection(self) -> Selection:
        """The problem."""
        return Selection(*information.tables(self.cohort.rows, self.cohort.labels), self.number)

    def requests(self) -> tuple[JobRequest, ...]:
        """The one job; none where data stay."""
        if self.placement == "data-local":
            return ()
        return (self._request(),)

    def _request(self) -> JobRequest:
        qubo = self.selection.model()
        return sampling.request(qubo, self.effort, seed=self.seed, name=f"features {self.effort.method}")

    def conduct(self, desk: Runner) -> Report:
        """Sample, choose exactly and by ranking, and compare; accuracies are those of logistic regression."""
        began = self.clock()
        states = self._states(desk)
        ours = max((self.selection.read(state.bits) for state in states), key=self.selection.score)
        kind = self.effort.kind
        fleet = self._measured(self.effort.described, ours, self.clock() - began, self._sampler, kind)
        began = self.clock()
        exact = self.selection.exact()
        best = self.selection.greedy() if exact is None else exact
        method = "greedy choice" if exact is None else "exact, all sets tried"
        classical = self._measured(method, best, self.clock() - began)
        began = self.clock()
        ranked = self.selection.ranked()
        ranking = self._measured("ranking by mutual information", ranked, self.clock() - began)
        comparisons = tuple(
            Comparison(
                self.title,
                "score",
                "bit",
                "higher",
                fleet,
                other,
                "exact values",
                wording.place(self.placement),
            )
            for other in (classical, ranking)
        )
        return self._report(comparisons, ((fleet.method, ours), (method, best), (ranking.method, ranked)))

    def _states(self, desk: Runner) -> list[State]:
        """Low states of the model; ``desk`` is not used where data stay."""
        model = self.selection.model()
        if self.placement == "data-local":
            return self.local.states(model, self.effort, self.seed)
        return sampling.states(model, desk.run(self._request(), "features"))

    @property
    def _sampler(self) -> str:
        name = self.effort.described.split(",")[0]
        if self.effort.method == "qaoa":
            return f"{name} on simulated qubits"
        return f"{name}: a classical sampler, no qubits"

    def _measured(
        self, method: str, chosen: Chosen, seconds: float, note: str = "", kind: Kind = "classical"
    ) -> Measured:
        score = self.selection.score(chosen)
        return Measured(method, score, score, score, seconds, note, kind)

    def _report(self, comparisons: tuple[Comparison, ...], sets: Sequence[tuple[str, Chosen]]) -> Report:
        rows = []
        every = (*sets, ("all features", tuple(range(len(self.cohort.features)))))
        # methods often choose the same set, which is judged once
        judged = {chosen: self._accuracy(chosen) for chosen in dict.fromkeys(one for _, one in every)}
        for method, chosen in every:
            accuracy, low, high = judged[chosen]
            names = (
                ", ".join(self.cohort.features[at] for at in chosen) if len(chosen) == self.number else "all"
            )
            rows.append((method, self.selection.score(chosen), accuracy, low, high, names))
        columns = ("method", "score [bit]", "accuracy", "low", "high", "features")
        return Report(
            pack="healthcare",
            command="features",
            title=self.title,
            comparisons=comparisons,
            tables=(Table("Sets of features", columns, tuple(rows)),),
            figures=(self._figure(sets),),
            notes=self._notes(comparisons),
            settings={
                "seed": str(self.seed),
                "rows": str(len(self.cohort.labels)),
                "method": self.effort.described,
                "sampler": self._sampler,
                "placement": self.placement,
                "bins": str(information.BINS),
                "weight of another number of features": f"{self.selection.penalty:g}",
            },
            versions=versions("scikit-learn", "numpy"),
        )

    def _accuracy(self, chosen: Chosen) -> tuple[float, float, float]:
        labels, rows = self.cohort.labels, self.cohort.rows[:, list(chosen)]
        parts = validation.folds(labels, self.seed)
        sets = [scaling.standardised(rows[part.train], rows) for part in parts]
        found = validation.features(validation.LOGISTIC, sets, labels, parts)
        return (found.accuracy, *assessing.wilson(int((found.predicted == labels).sum()), len(labels)))

    def _figure(self, sets: Sequence[tuple[str, Chosen]]) -> Figure:
        selection = self.selection
        series = [
            Series(
                method,
                tuple(float(selection.redundancy[at, list(chosen)].sum()) for at in chosen),
                tuple(float(selection.relevance[at]) for at in chosen),
                style="points",
            )
            for method, chosen in sets
        ]
        x, y = "redundancy with the others of the set [bit]", "relevance [bit]"
        return Figure("features", "Features chosen", x, y, tuple(series))

    def _notes(self, comparisons: tuple[Comparison, ...]) -> tuple[str, ...]:
        gap = comparisons[0].classical.value - comparisons[0].fleet.value
        ours = self.effort.described.split(",")[0]
        first = f"The set of {ours} is the best of all."
        if gap > 1e-9:
            first = f"The set of {ours} is {gap:.3g} bit below the best of all."
        if self.selection.choices > MOST_CHOICES:
            first = f"{self.selection.choices} sets are too many to try; the greedy choice is no bound."
        sent = _SENT if self.placement == "fleet" else _STAYED
        return (first, self.effort.nature, _OPTIMISTIC, wording.NO_DEVICE, sent)
