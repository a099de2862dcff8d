"""``disjunction``: is acting without knowing outside of what the law of total probability allows?"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from qfleet import ExpectResultView, JobRequest
from qfleet_applications.cognition import disjunctions
from qfleet_applications.cognition.disjunctions import Experiment, Fit, Shares
from qfleet_applications.cognition.scores import COUNTS, wilson
from qfleet_applications.errors import UnexpectedResult
from qfleet_applications.frame.desk import Runner, expect
from qfleet_applications.frame.report import (
    QUANTUM,
    Cell,
    Comparison,
    Figure,
    Measured,
    Report,
    Series,
    Table,
)
from qfleet_applications.frame.versions import versions

_CONDITIONS = ("event known", "opposite known", "unknown")
_PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
input float act;
input float memory_if_acting;
input float memory_if_not;
qubit[2] q;
ry(act) q[0];
x q[0];
cry(memory_if_acting) q[0], q[1];
x q[0];
cry(memory_if_not) q[0], q[1];
"""
NOTES = (
    "The quantum model is a statement about probabilities of acts, not about physics in brains.",
    (
        "Two orthogonal states can interfere only within the bound that the report prints; where the "
        "data lie beyond it, the quantum model misses them, and the table says by how much."
    ),
    (
        "Interference and three rates of their own have the same number of parameters: the data of "
        "one experiment cannot tell them apart where interference reaches them. What is tested is the "
        "mixture."
    ),
    (
        "The effect in the gamble of 1992 was not found again by Kühberger and others (2001), Lambdin and "
        "Burdsal (2007) and Ziano and others (2021); where nothing is to be explained, the model "
        "with the fewest parameters is the best, and it is classical."
    ),
    (
        "Answers are counted as independent. Where the same people answered under all conditions, z and its "
        "p are only approximate; 444 games of 80 people are worth fewer than 444 answers."
    ),
)


@dataclass(frozen=True)
class DisjunctionStudy:
    """Experiments, each fitted by interference and by every classical model."""

    experiments: tuple[Experiment, ...]
    source: str

    title = "Disjunction effect"
    qubits = 2

    def requests(self) -> tuple[JobRequest, ...]:
        """One job with three points for each experiment, whose angles are known after the fit."""
        return (_request([(0.5, 0.5, 0.5)] * len(self.experiments)),)

    def conduct(self, desk: Runner) -> Report:
        """Fit, run the fitted interference on the fleet, and judge."""
        number = len(self.experiments)
        began = time.perf_counter()
        quantum = _measured(desk, self.experiments)
        took = (time.perf_counter() - began) / number
        began = time.perf_counter()
        classical = [disjunctions.classical_fits(experiment) for experiment in self.experiments]
        others_took = (time.perf_counter() - began) / number
        comparisons: list[Comparison] = []
        rows: list[tuple[Cell, ...]] = []
        for experiment, ours, others in zip(self.experiments, quantum, classical, strict=True):
            comparisons += _comparisons(experiment, ours, others, (took, others_took))
            rows += [_row(experiment, fit) for fit in (ours, *others)]
        columns = ("experiment", "model", "parameters", *_CONDITIONS, "AIC", "BIC")
        return Report(
            pack="cognition",
            command="disjunction",
            title="The disjunction effect",
            comparisons=tuple(comparisons),
            tables=(self._violations(), Table("Models", columns, tuple(rows))),
            figures=(self._figure(),),
            notes=NOTES,
            settings={"file": self.source},
            versions=versions("numpy", "scipy"),
        )

    def _violations(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for one in self.experiments:
            found = disjunctions.violation(one)
            bound = disjunctions.most_interference(*one.shares[:2])
            needed = abs(one.shares[2] - (one.shares[0] + one.shares[1]) / 2)
            shares = tuple(map(_rounded, one.shares))
            rows.append(
                (one.name, *shares, _rounded(found.distance), round(found.z, 2), f"{found.p:.2g}",
                 _rounded(needed), _rounded(bound))
            )  # fmt: skip
        columns = ("experiment", *_CONDITIONS, "outside by", "z", "one-sided p", "interference", "its bound")
        return Table("Against the law of total probability", columns, tuple(rows))

    def _figure(self) -> Figure:
        places = tuple(float(place) for place in range(len(self.experiments)))
        series = []
        for number, condition in enumerate(_CONDITIONS):
            shares = [one.shares[number] for one in self.experiments]
            ends = [wilson(one.acted[number], one.people[number]) for one in self.experiments]
            low, high = zip(*ends, strict=True)
            series.append(Series(condition, places, tuple(shares), low, high, "bars"))
        names = tuple(one.name for one in self.experiments)
        title = "Acting with and without knowing"
        return Figure("acting", title, "", "share who act, 95 %", tuple(series), names)


def _comparisons(
    experiment: Experiment, quantum: Fit, classical: tuple[Fit, ...], seconds: tuple[float, float]
) -> tuple[Comparison, ...]:
    answers = sum(experiment.people)
    by_aic = min(classical, key=lambda fit: fit.aic)
    by_bic = min(classical, key=lambda fit: fit.bic(answers))
    return tuple(
        Comparison(
            experiment.name,
            criterion,
            "",
            "lower",
            Measured(quantum.model, ours, ours - COUNTS, ours + COUNTS, seconds[0], kind=QUANTUM),
            Measured(other.model, its, its - COUNTS, its + COUNTS, seconds[1]),
            f"{criterion} ± 1: differences below 2 do not count",
        )
        for criterion, ours, other, its in (
            ("AIC", quantum.aic, by_aic, by_aic.aic),
            ("BIC", quantum.bic(answers), by_bic, by_bic.bic(answers)),
        )
    )


def _row(experiment: Experiment, fit: Fit) -> tuple[Cell, ...]:
    scores = (round(fit.aic, 2), round(fit.bic(sum(experiment.people)), 2))
    return (experiment.name, fit.model, fit.free, *map(_rounded, fit.probabilities), *scores)


def _measured(desk: Runner, experiments: tuple[Experiment, ...]) -> list[Fit]:
    """The fits of interference with the probabilities that the fleet computes."""
    fits = [disjunctions.interference(experiment) for experiment in experiments]
    result = expect(desk.run(_request([fit.probabilities for fit in fits]), "interference"), ExpectResultView)
    if len(result.items) != 3 * len(fits):
        raise UnexpectedResult(f"asked for {3 * len(fits)} points, got {len(result.items)}")
    acted = [(1 + item.values[0].value) / 2 for item in result.items]
    found = []
    for place, (experiment, fit) in enumerate(zip(experiments, fits, strict=True)):
        one, two, three = acted[3 * place : 3 * place + 3]
        shares = (one, two, three)
        found.append(Fit(fit.model, fit.free, disjunctions.log_likelihood(experiment, shares), shares))
    return found


def _request(shares: Sequence[Shares]) -> JobRequest:
    """Both states and their superposition, for each triple of shares."""
    points = tuple(point for triple in shares for point in _points(triple))
    return JobRequest(
        kind="circuit.expect", name="interference", program=_PROGRAM, observables=("Z0",), parameters=points
    )


def _points(shares: Shares) -> tuple[dict[str, float], ...]:
    """Angles of both states and their superposition: qubit 0 acts (outcome 0), qubit 1 remembers the event.

    Known 1 is v₁ = √p₁|act,0⟩ + √q₁|not,0⟩, known 2 is v₂ with the memory turned by α where it acts and β
    where it does not, such that ⟨v₁|v₂⟩ = 0; the unknown is (v₁ + v₂)/√2, spelled by its own three angles.
    """
    one, two, unknown = shares
    c = unknown - (one + two) / 2
    acting, not_acting = math.sqrt(one * two), math.sqrt((1 - one) * (1 - two))
    alpha = math.acos(max(-1.0, min(1.0, c / acting))) if acting else math.pi / 2
    beta = math.acos(max(-1.0, min(1.0, -c / not_acting))) if not_acting else math.pi / 2
    first = (2 * math.asin(math.sqrt(1 - one)), 0.0, 0.0)
    second = (2 * math.asin(math.sqrt(1 - two)), 2 * alpha, 2 * beta)
    both = _superposed(one, two, alpha, beta)
    names = ("act", "memory_if_acting", "memory_if_not")
    return tuple(dict(zip(names, angles, strict=True)) for angles in (first, second, both))


def _superposed(one: float, two: float, alpha: float, beta: float) -> tuple[float, float, float]:
    """The angles of (v₁ + v₂)/√2."""
    parts = []
    for p1, p2, turn in ((one, two, alpha), (1 - one, 1 - two, beta)):
        along = (math.sqrt(p1) + math.sqrt(p2) * math.cos(turn)) / math.sqrt(2)
        parts.append((along, math.sqrt(p2) * math.sin(turn) / math.sqrt(2)))
    acting, resting = (math.hypot(*part) for part in parts)
    return 2 * math.atan2(resting, acting), 2 * math.atan2(*parts[0][::-1]), 2 * math.atan2(*parts[1][::-1])


def _rounded(value: float) -> float:
    return round(value, 4)
