"""``order-effects``: does the order of two questions change the answers, and which theory says how?"""

import time
from dataclasses import dataclass

import numpy as np

from qfleet import JobRequest
from qfleet_applications.cognition import order_circuit, order_fits, order_models, order_places
from qfleet_applications.cognition.order_fits import Fit
from qfleet_applications.cognition.orders import Survey, qq, similarity
from qfleet_applications.cognition.scores import COUNTS, wilson
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import QUANTUM, Comparison, Figure, Measured, Report, Series, Table
from qfleet_applications.frame.versions import versions

_BESIDE = 0.15
"""How far from the middle of its bar a model's point is drawn, so that equal ones are both seen."""
_CELLS = ("yes, yes", "yes, no", "no, yes", "no, no")
NOTES = (
    (
        "A quantum model of judgement is a statement about probabilities of answers. It says nothing "
        "about quantum physics in brains, and nothing here measures consciousness."
    ),
    (
        "Boyer-Kassem, Duchêne and Guerci, Mathematical Social Sciences 80, 33 (2016): models whose "
        "answers are rays (one dimension) must fulfil equations between conditional probabilities that "
        "most surveys violate; what any model of rays could reach at best is shown here too. Larger "
        "subspaces escape that test by having more parameters."
    ),
    (
        "Kellen, Singmann and Batchelder, Decision 5, 323 (2018): the QQ equality does not single out "
        "quantum models; classical ones in which people treat the first and the second question "
        "alike, whichever it is, fulfil it as well. Two of these are fitted here: one with a parameter "
        "less than the quantum model, and one of ours with as many."
    ),
    (
        "The QQ equality was derived before it was tested and holds in most national surveys looked "
        "at (Wang, Solloway, Shiffrin and Busemeyer, PNAS 111, 9431 (2014)); a high p value does not "
        "prove it, and where order has hardly an effect every model has it."
    ),
    (
        "All models are fitted to the same counts by the same multinomial likelihood. A Markov chain in "
        "each order fits any data; what it costs is its parameters. People without a yes or no are not "
        "in the counts."
    ),
)


@dataclass(frozen=True)
class OrderStudy:
    """One survey, fitted by every model."""

    survey: Survey
    seed: int
    source: str

    title = "Order effects"
    qubits = order_circuit.QUBITS

    def requests(self) -> tuple[JobRequest, ...]:
        """The fitted model in both orders; its angles are not known before the fit, its size is."""
        share = np.full((2, 4), 0.25)
        return (order_circuit.request((Fit("", 5, 0.0, share, (0.1, 0.2, 0.3, 0.4, 0.5)),)),)

    def conduct(self, desk: Runner) -> Report:
        """Fit, run the fitted quantum model on the fleet, and judge."""
        began = time.perf_counter()
        fitted = order_models.question_model(self.survey, self.seed)
        (measured,) = order_circuit.probabilities(desk, (fitted,))
        quantum = as_measured(self.survey, fitted, measured)
        took = time.perf_counter() - began
        began = time.perf_counter()
        classical = classical_fits(self.survey)
        others_took = time.perf_counter() - began
        rays = order_fits.reciprocity(self.survey)
        return Report(
            pack="cognition",
            command="order-effects",
            title=f"Order effects: {self.survey.name}",
            comparisons=self._comparisons(quantum, classical, (took, others_took)),
            tables=(self._tests(), self._models((quantum, rays, *classical)), self._cells(quantum)),
            figures=(self._figure(quantum, classical),),
            notes=NOTES,
            settings={"file": self.source, "seed": str(self.seed), "survey": self.survey.name},
            versions=versions("numpy", "scipy"),
        )

    def _comparisons(
        self, quantum: Fit, classical: tuple[Fit, ...], seconds: tuple[float, float]
    ) -> tuple[Comparison, ...]:
        people = self.survey.people
        by_aic = min(classical, key=lambda fit: fit.aic)
        by_bic = min(classical, key=lambda fit: fit.bic(people))
        found = (
            ("AIC", quantum, quantum.aic, by_aic, by_aic.aic),
            ("BIC", quantum, quantum.bic(people), by_bic, by_bic.bic(people)),
        )
        return tuple(
            Comparison(
                self.survey.name,
                criterion,
                "",
                "lower",
                Measured(ours.model, value, value - COUNTS, value + COUNTS, seconds[0], kind=QUANTUM),
                Measured(other.model, its, its - COUNTS, its + COUNTS, seconds[1]),
                f"{criterion} ± 1: differences below 2 do not count",
            )
            for criterion, ours, value, other, its in found
        )

    def _tests(self) -> Table:
        tested, shares = qq(self.survey), self.survey.marginals
        first, second = self.survey.first, self.survey.second
        saturated = order_fits.markov(self.survey)
        effect, of_effect = order_fits.misfit(order_fits.no_order(self.survey), saturated)
        equal, of_equal = order_fits.misfit(order_fits.equality(self.survey), saturated)
        rows = (
            (f"yes to {first!r}, asked first", shares.a_first),
            (f"yes to {first!r}, asked second", shares.a_second),
            (f"yes to {second!r}, asked first", shares.b_first),
            (f"yes to {second!r}, asked second", shares.b_second),
            ("G² of an effect of the order, 3 degrees of freedom", round(effect, 3)),
            ("p of that", rounded(of_effect)),
            ("q of the QQ equality", round(tested.q, 6)),
            ("q, lower end of 95 %", round(tested.low, 6)),
            ("q, upper end of 95 %", round(tested.high, 6)),
            ("pooled z of q", round(tested.z, 4)),
            ("two-sided p of z", rounded(tested.p)),
            ("G² of the QQ equality, 1 degree of freedom", round(equal, 4)),
            ("p of that", rounded(of_equal)),
            ("similarity index of the two questions", round(similarity(self.survey), 4)),
            ("people", self.survey.people),
        )
        return Table("Before any model", ("figure", "value"), rows)

    def _models(self, fits: tuple[Fit, ...]) -> Table:
        saturated = order_fits.markov(self.survey)
        rows = []
        for number, fit in enumerate(fits):
            g2, p = order_fits.misfit(fit, saturated)
            kind = "quantum" if number < 2 else "classical"
            left = saturated.free - fit.free
            scores = (round(fit.aic, 2), round(fit.bic(self.survey.people), 2))
            rows.append((fit.model, kind, fit.free, round(g2, 3), left, rounded(p), *scores))
        columns = ("model", "kind", "parameters", "G²", "degrees of freedom", "p of G²", "AIC", "BIC")
        return Table("Models", columns, tuple(rows))

    def _cells(self, quantum: Fit) -> Table:
        rows = []
        orders = ((self.survey.first, self.survey.ab), (self.survey.second, self.survey.ba))
        for (first, counts), predicted in zip(orders, quantum.probabilities, strict=True):
            for cell, count, share in zip(_CELLS, counts, predicted, strict=True):
                rows.append((first, cell, count, count / sum(counts), float(share)))
        columns = ("asked first", "answers", "people", "share", "quantum model (simulated)")
        return Table("Answers", columns, tuple(rows))

    def _figure(self, quantum: Fit, classical: tuple[Fit, ...]) -> Figure:
        places = tuple(float(place) for place in range(8))
        best = min(classical, key=lambda fit: fit.aic)
        counts = np.array([self.survey.ab, self.survey.ba], dtype=float)
        totals = counts.sum(axis=1, keepdims=True)
        shares = counts / totals
        ends = [[wilson(yes, sum(cells)) for yes in cells] for cells in (self.survey.ab, self.survey.ba)]
        low, high = np.moveaxis(np.array(ends), 2, 0)
        drawn = (
            ("observed, 95 %", shares, (low, high), "bars", 0.0),
            (quantum.model, quantum.probabilities, None, "points", -_BESIDE),
            (best.model, best.probabilities, None, "points", _BESIDE),
        )
        series = tuple(
            Series(
                label,
                tuple(place + beside for place in places),
                _flat(values),
                () if spread is None else _flat(spread[0]),
                () if spread is None else _flat(spread[1]),
                style,  # type: ignore[arg-type] # a literal above
            )
            for label, values, spread, style, beside in drawn
        )
        names = tuple(f"{order}: {cell}" for order in ("A first", "B first") for cell in _CELLS)
        return Figure("answers", self.survey.name, "order and answers", "share of people", series, names)


def classical_fits(survey: Survey) -> tuple[Fit, ...]:
    """Every classical model of one survey."""
    return (
        order_fits.no_order(survey),
        order_places.repeat_choice(survey),
        order_places.by_place(survey),
        order_fits.markov(survey),
    )


def as_measured(survey: Survey, fitted: Fit, measured: order_fits.Probabilities) -> Fit:
    """The same model with the probabilities that the fleet computed, and their likelihood."""
    return order_fits.judged(fitted.model, fitted.free, survey, measured, fitted.parameters)


def rounded(p: float | None) -> float | None:
    """A probability to three significant digits."""
    return None if p is None else float(f"{p:.3g}")


def _flat(values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> tuple[float, ...]:
    return tuple(float(value) for value in np.ravel(values))
