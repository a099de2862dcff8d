"""The report of ``screen``: accuracies, calibration, the ablation, and why patients were put in a class."""

from dataclasses import dataclass

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
from qfleet_applications.healthcare import assessing, explaining, wording
from qfleet_applications.healthcare.cohorts import Cohort
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.validation import INNER, OUTER, PENALTIES, Fold, Ints, Outcome
from qfleet_applications.healthcare.wording import Placement

INTERVAL = "95 % Wilson interval over all rows, each judged once by a model that has not seen it"


LEVEL = 0.05
"""Of the test that says who wins."""


@dataclass(frozen=True)
class Screened:
    """What all methods say, the ZZ map first and the ablation second, and its kernels (n, n) of the folds."""

    quantum: tuple[Outcome, ...]
    classical: tuple[Outcome, ...]
    kernels: tuple[Floats, ...]
    parts: tuple[Fold, ...]


@dataclass(frozen=True)
class Settings:
    """What was asked."""

    cohort: Cohort
    components: int
    placement: Placement
    patients: int
    seed: int


def report(asked: Settings, found: Screened) -> Report:
    """Judge what was found."""
    labels = asked.cohort.labels
    title = f"Screening of {asked.cohort.name}, {asked.components} components"
    best = max(found.classical, key=lambda outcome: outcome.accuracy)
    pairs = [(found.quantum[0], best), *((one, best) for one in found.quantum[1:])]
    pairs += [(found.quantum[0], other) for other in found.classical if other is not best]
    return Report(
        pack="healthcare",
        command="screen",
        title=title,
        comparisons=tuple(
            Comparison(
                title,
                "accuracy",
                "",
                "higher",
                _measured(one, labels, QUANTUM),
                _measured(other, labels),
                INTERVAL,
                wording.place(asked.placement),
            )
            for one, other in pairs
        ),
        tables=(_methods(found, labels), _explained(asked, found)),
        figures=(_accuracies(found), _calibration(found, labels, best)),
        notes=(
            *verdicts(found, best, labels),
            *wording.repeated(asked.cohort.rows),
            *wording.notes(asked.placement),
        ),
        settings={
            "seed": str(asked.seed),
            "rows": str(len(labels)),
            "components": str(asked.components),
            "placement": asked.placement,
            "folds": f"{OUTER} outer, {INNER} inner, stratified",
            "C": ", ".join(f"{value:g}" for value in PENALTIES),
        },
        versions=versions("scikit-learn", "numpy"),
    )


def _measured(outcome: Outcome, labels: Ints, kind: Kind = "classical") -> Measured:
    low, high = assessing.wilson(int((outcome.predicted == labels).sum()), len(labels))
    return Measured(outcome.method, outcome.accuracy, low, high, outcome.seconds, kind=kind)


def verdicts(found: Screened, best: Outcome, labels: Ints) -> tuple[str, ...]:
    """Who is ahead and whether that counts, what entanglement adds, and a caveat."""
    zz, plain = found.quantum[:2]
    ours, theirs, chance = assessing.mcnemar(zz.predicted, best.predicted, labels)
    by = best.accuracy - zz.accuracy
    who = "classical" if by > 0 else "quantum"
    wins = "wins" if chance < LEVEL else "is ahead by no more than chance explains"
    first = (
        f"The {who} model {wins} on these folds: {best.method} {best.accuracy:.3f}, {zz.method} "
        f"{zz.accuracy:.3f}. Of the rows on which they differ, {ours} go to the kernel and {theirs} to "
        f"{best.method} (exact McNemar test, p = {chance:.2g})."
        if by
        else f"{best.method} and {zz.method} have the same accuracy on these folds, {zz.accuracy:.3f}."
    )
    gain = zz.accuracy - plain.accuracy
    change = f"entanglement adds {gain:.3f}" if gain > 0 else f"entanglement takes {-gain:.3f} away"
    ablation = (
        f"Ablation: without entanglement the fidelity kernel has {plain.accuracy:.3f}, with it "
        f"{zz.accuracy:.3f}; {change}. Without it the states are products, which need no quantum computer."
    )
    caveat = (
        f"The stronger classical model was taken after both were judged, which favours it a little. States "
        f"of {zz.method} were simulated, exactly and without noise."
    )
    return first, ablation, caveat


def _methods(found: Screened, labels: Ints) -> Table:
    rows = tuple(
        (
            outcome.method,
            QUANTUM if any(outcome is one for one in found.quantum) else "classical",
            round(outcome.accuracy, 4),
            round(assessing.brier(outcome.probability, labels), 4),
            round(assessing.reliability(outcome.probability, labels).error, 4),
            round(outcome.seconds, 3),
        )
        for outcome in (*found.quantum, *found.classical)
    )
    columns = ("method", "kind", "accuracy", "Brier score", "calibration error", "seconds")
    return Table("Methods on the same folds", columns, rows)


def _explained(asked: Settings, found: Screened) -> Table:
    zz, names = found.quantum[0], asked.cohort.names
    rows = []
    for row in explaining.least_certain(zz, asked.patients):
        one = explaining.explain(row, zz, found.kernels, found.parts)
        near = (
            f"{names[w.row]} (class {asked.cohort.labels[w.row]}, {w.fidelity:.3f}, {w.term:+.2f})"
            for w in one.witnesses
        )
        known, told = int(asked.cohort.labels[row]), int(zz.predicted[row])
        rows.append(
            (names[row], told, known, round(one.probability, 3), round(one.decision, 3), ", ".join(near))
        )
    columns = (
        "record",
        "class told",
        "class known",
        "probability of 1",
        "decision",
        "nearest support vectors (class, fidelity, term)",
    )
    return Table("The least certain, explained by their nearest support vectors", columns, tuple(rows))


def _accuracies(found: Screened) -> Figure:
    every = (*found.quantum, *found.classical)
    series = tuple(
        Series(
            f"fold {fold + 1}",
            tuple(map(float, range(len(every)))),
            tuple(float(outcome.accuracies[fold]) for outcome in every),
            style="points",
        )
        for fold in range(len(found.parts))
    )
    names = tuple(outcome.method.replace(" kernel", "").replace(", ", "\n") for outcome in every)
    return Figure("accuracy", "Accuracy in each outer fold", "method", "accuracy", series, names)


def _calibration(found: Screened, labels: Ints, best: Outcome) -> Figure:
    series = [Series("perfect", (0.0, 1.0), (0.0, 1.0))]
    for outcome in (found.quantum[0], best):
        bins = assessing.reliability(outcome.probability, labels)
        series.append(Series(outcome.method, bins.told, bins.came, style="points"))
    return Figure(
        "calibration", "Calibration", "told probability of class 1", "share of class 1", tuple(series)
    )
