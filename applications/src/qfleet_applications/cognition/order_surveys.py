"""``order-effects --all``: does the QQ equality hold over many surveys, and which model describes them best?

One survey says little: where order has no effect every model fits. Over many, the squared scores add up
to a χ², and so do the likelihoods of a model that has parameters of its own in every survey.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from qfleet import JobRequest
from qfleet_applications.cognition import order_circuit, order_fits, order_models
from qfleet_applications.cognition.order_fits import Fit
from qfleet_applications.cognition.order_study import NOTES, as_measured, classical_fits, rounded
from qfleet_applications.cognition.orders import Survey, qq, similarity
from qfleet_applications.cognition.scores import COUNTS
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison, Figure, Measured, Report, Series, Table
from qfleet_applications.frame.versions import versions

_UNLIKELY = 0.05
_NOTE = (
    "Surveys count as independent here. Those that were picked because order had an effect are not "
    "a sample of all surveys, and one poll in twenty exceeds its 95 % interval by chance."
)


@dataclass(frozen=True)
class SurveysStudy:
    """Many surveys, each fitted by every model."""

    surveys: tuple[Survey, ...]
    seed: int
    source: str

    title = "Order effects of many surveys"
    qubits = order_circuit.QUBITS

    def requests(self) -> tuple[JobRequest, ...]:
        """One job with all fitted models in both orders; angles are not known before the fits."""
        share = np.full((2, 4), 0.25)
        any_fit = Fit("", 5, 0.0, share, (0.1, 0.2, 0.3, 0.4, 0.5))
        return (order_circuit.request([any_fit] * len(self.surveys)),)

    def conduct(self, desk: Runner) -> Report:
        """Fit every survey, run all fitted quantum models on the fleet, and add up."""
        began = time.perf_counter()
        fitted = [order_models.question_model(survey, self.seed) for survey in self.surveys]
        measured = order_circuit.probabilities(desk, fitted)
        quantum = tuple(map(as_measured, self.surveys, fitted, measured))
        took = time.perf_counter() - began
        began = time.perf_counter()
        classical = tuple(zip(*(classical_fits(one) for one in self.surveys), strict=True))
        others_took = time.perf_counter() - began
        rays = tuple(map(order_fits.reciprocity, self.surveys))
        models = (quantum, *classical)
        return Report(
            pack="cognition",
            command="order-effects",
            title=f"Order effects of {len(self.surveys)} surveys",
            comparisons=self._comparisons(models, (took, others_took)),
            tables=(self._tests(), self._models(models, rays), self._each(models)),
            figures=(self._figure(),),
            notes=(*NOTES, _NOTE, self._weight(models)),
            settings={"file": self.source, "seed": str(self.seed), "surveys": str(len(self.surveys))},
            versions=versions("numpy", "scipy"),
        )

    def _totals(self, models: Sequence[tuple[Fit, ...]], criterion: str) -> list[float]:
        return [math.fsum(self._scores(fits, criterion)) for fits in models]

    def _scores(self, fits: tuple[Fit, ...], criterion: str) -> list[float]:
        if criterion == "AIC":
            return [fit.aic for fit in fits]
        return [fit.bic(survey.people) for fit, survey in zip(fits, self.surveys, strict=True)]

    def _comparisons(
        self, models: Sequence[tuple[Fit, ...]], seconds: tuple[float, float]
    ) -> tuple[Comparison, ...]:
        found = []
        for criterion in ("AIC", "BIC"):
            totals = self._totals(models, criterion)
            above = [total - totals[-1] for total in totals]
            best = 1 + int(np.argmin(above[1:]))
            ours, other = (
                Measured(models[number][0].model, above[number], above[number] - COUNTS,
                         above[number] + COUNTS, took)
                for number, took in zip((0, best), seconds, strict=True)
            )  # fmt: skip
            quantity = f"total {criterion} less that of Markov chains"
            interval = f"{criterion} ± 1: differences below 2 do not count"
            problem = f"{len(self.surveys)} surveys"
            found.append(Comparison(problem, quantity, "", "lower", ours, other, interval))
        return tuple(found)

    def _weight(self, models: Sequence[tuple[Fit, ...]]) -> str:
        """How far the comparison by AIC hangs on one survey."""
        totals = self._totals(models, "AIC")
        best = models[1 + int(np.argmin(totals[1:]))]
        differences = np.array([fit.aic - other.aic for fit, other in zip(models[0], best, strict=True)])
        most = int(np.argmax(np.abs(differences)))
        total = float(differences.sum())
        return (
            f"The quantum model's total AIC less that of {best[0].model!r} is {total:.1f}, and "
            f"{total - differences[most]:.1f} without {self.surveys[most].name!r}, which weighs most."
        )

    def _tests(self) -> Table:
        number = len(self.surveys)
        tested = [qq(survey) for survey in self.surveys]
        total = math.fsum(one.z**2 for one in tested)
        effect = math.fsum(g2 for g2, _ in self._misfits(order_fits.no_order))
        rows = (
            ("surveys", number),
            ("people", sum(survey.people for survey in self.surveys)),
            ("effect of the order: sum of G²", round(effect, 2)),
            ("degrees of freedom", 3 * number),
            ("p of that sum", rounded(order_fits.tail(effect, 3 * number))),
            ("surveys with an effect of the order at p < 0.05", self._refuted(order_fits.no_order)),
            ("QQ equality: sum of z²", round(total, 2)),
            ("degrees of freedom", number),
            ("p of that sum", rounded(order_fits.tail(total, number))),
            (
                "surveys that refute any quantum model of rays at p < 0.05",
                self._refuted(order_fits.reciprocity),
            ),
            ("surveys that miss the equality at p < 0.05", sum(one.p < _UNLIKELY for one in tested)),
            ("expected by chance", round(_UNLIKELY * number, 1)),
            ("surveys that miss it after Holm's correction", _holm([one.p for one in tested])),
        )
        return Table("Before any model", ("figure", "value"), rows)

    def _models(self, models: Sequence[tuple[Fit, ...]], rays: tuple[Fit, ...]) -> Table:
        shown = (models[0], rays, *models[1:])
        near = [self._near(shown, criterion) for criterion in ("AIC", "BIC")]
        rows = []
        for place, fits in enumerate(shown):
            misfits = [
                order_fits.misfit(fit, saturated)[0] for fit, saturated in zip(fits, models[-1], strict=True)
            ]
            g2, left = math.fsum(misfits), sum(order_fits.SATURATED - fit.free for fit in fits)
            rows.append((
                fits[0].model, "quantum" if place < 2 else "classical", sum(fit.free for fit in fits),
                round(g2, 2), left,
                rounded(order_fits.tail(g2, left)) if left else None,
                *(round(math.fsum(self._scores(fits, of)), 2) for of in ("AIC", "BIC")),
                *(int(one[place]) for one in near),
            ))  # fmt: skip
        columns = ("model", "kind", "parameters", "G²", "degrees of freedom", "p of G²", "AIC", "BIC",
                   "surveys within 2 of the best AIC", "of the best BIC")  # fmt: skip
        return Table("Models over all surveys", columns, tuple(rows))

    def _misfits(self, model: Callable[[Survey], Fit]) -> list[tuple[float, float | None]]:
        return [order_fits.misfit(model(survey), order_fits.markov(survey)) for survey in self.surveys]

    def _refuted(self, model: Callable[[Survey], Fit]) -> int:
        """In how many surveys G² is too large for chance."""
        return sum(p is not None and p < _UNLIKELY for _, p in self._misfits(model))

    def _near(self, models: Sequence[tuple[Fit, ...]], criterion: str) -> list[int]:
        """In how many surveys each model is as good as the best, as far as differences count."""
        scores = np.array([self._scores(fits, criterion) for fits in models])
        return [int(count) for count in (scores < scores.min(axis=0) + 2 * COUNTS).sum(axis=1)]

    def _each(self, models: Sequence[tuple[Fit, ...]]) -> Table:
        rows = []
        for place, survey in enumerate(self.surveys):
            tested = qq(survey)
            effect = order_fits.misfit(order_fits.no_order(survey), models[-1][place])[0]
            best = min((fits[place] for fits in models[1:]), key=lambda fit: fit.aic)
            rows.append((
                survey.name, survey.people, round(effect, 2), round(tested.q, 4), round(tested.low, 4),
                round(tested.high, 4), round(tested.z, 3), round(similarity(survey), 4), best.model,
                round(models[0][place].aic - best.aic, 2) + 0.0,
            ))  # fmt: skip
        columns = ("survey", "people", "G² of order", "q", "from", "to", "z", "similarity",
                   "best classical by AIC", "AIC of the quantum model above it")  # fmt: skip
        return Table("Surveys", columns, tuple(rows))

    def _figure(self) -> Figure:
        tested = [qq(survey) for survey in self.surveys]
        series = Series(
            "q with its 95 % interval",
            tuple(_size(survey) for survey in self.surveys),
            tuple(one.q for one in tested),
            tuple(one.low for one in tested),
            tuple(one.high for one in tested),
            "points",
        )
        reach = (0.0, max(series.x))
        zero = Series("the QQ equality", reach, (0.0, 0.0))
        return Figure("equality", "The QQ equality", "size of the order effect", "q", (zero, series))


def _size(survey: Survey) -> float:
    """The larger of both diagonals' sums of |context effects| (Wang and others, PNAS 111, 9431 (2014))."""
    ab, ba = (np.array(counts) / sum(counts) for counts in (survey.ab, survey.ba))
    context = np.abs(ab - ba[order_fits.SWAP])
    return float(max(context[0] + context[3], context[1] + context[2]))


def _holm(chances: list[float]) -> int:
    """How many are rejected at 0.05 together: Holm, Scandinavian Journal of Statistics 6, 65 (1979)."""
    for rank, p in enumerate(sorted(chances)):
        if p > _UNLIKELY / (len(chances) - rank):
            return rank
    return len(chances)
