"""How a study of risk is told: both answers, the error of the model, and a plot of the distribution."""

import numpy as np

from qfleet_applications.finance import calls, past_report
from qfleet_applications.finance.assessment import Assessment, Findings
from qfleet_applications.finance.estimating import Estimate
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

NOTES = (
    "Quantum states are simulated, so times say nothing about quantum hardware.",
    calls.NOTE,
    "Whatever fits into simulated qubits can be enumerated exactly, as it is here, and needs no estimate.",
    "Not investment advice.",
)


def report(study: Assessment, found: Findings) -> Report:
    """The report of a study."""
    tables = [_measures(study, found)]
    tables.append(calls.table((found.calls,)))
    added, notes = _past(study) if study.past is not None else ((_model_error(study, found),), ())
    terms = study.terms
    return Report(
        pack="finance",
        command="risk",
        title=study.title,
        comparisons=comparisons(study, found),
        tables=(*tables, *added),
        figures=(_figure(study, found),),
        notes=(*notes, *_undecided(study, found), *NOTES),
        settings=study.source
        | {
            "level": f"{terms.level:g}",
            "epsilon": f"{terms.epsilon:g}",
            "confidence": f"{terms.confidence:g}, all intervals together",
            "seed": str(terms.seed),
            "qubits": str(study.qubits),
        },
        versions=versions("numpy"),
    )


def comparisons(study: Assessment, found: Findings) -> tuple[Comparison, ...]:
    """Against the exact computation by what stays uncertain, against Monte Carlo by calls."""
    unit = study.terms.unit
    half = found.mean.half
    uncertain = Comparison(
        problem=f"{study.title}, expected loss",
        quantity="uncertainty (half the interval)",
        unit=unit,
        goal="lower",
        fleet=Measured("amplitude estimation", half, half, half, found.calls.quantum_seconds, kind=QUANTUM),
        classical=Measured("exact enumeration", 0.0, 0.0, 0.0, found.exact_seconds),
        interval="the uncertainty itself is a number without one",
    )
    return (uncertain, *found.calls.comparisons)


def _measures(study: Assessment, found: Findings) -> Table:
    losses, tail, level = study.exposure.losses, found.tail, study.terms.level
    place = losses.quantile(level)
    return Table(
        f"Risk at {level:.6g}, in {study.terms.unit}",
        ("measure", "amplitude estimation", "low", "high", "exact", "Monte Carlo"),
        (
            _row("expected loss", found.mean, losses.mean, found.calls.simulated[0].mean),
            _row("value at risk (VaR)", tail.value, losses.at(place), None),
            _row(f"P(loss ≤ {tail.value.value:.6g})", tail.below, losses.below(tail.place), None),
            _row("mean beyond the VaR (CVaR)", tail.beyond, losses.beyond(place), None),
            _row("expected shortfall", tail.shortfall, losses.shortfall(level), None),
        ),
    )


def _row(name: str, found: Estimate, exact: float, drawn: float | None) -> tuple[Cell, ...]:
    return (name, found.value, found.low, found.high, exact, drawn)


def _model_error(study: Assessment, found: Findings) -> Table:
    """The linearised circuit beside exact conditional independence: what the angles' first order costs."""
    assert study.linear is not None
    assert study.book is not None
    assert found.linear is not None
    exact, linear, place = study.exposure.losses, study.linear.losses, found.tail.place
    rows: list[tuple[Cell, ...]] = []
    for name, right, wrong, estimate in (
        ("expected loss", exact.mean, linear.mean, found.linear[0]),
        (
            f"P(loss ≤ {found.tail.value.value:.6g})",
            exact.below(place),
            linear.below(place),
            found.linear[1],
        ),
    ):
        rows.append((name, right, wrong, wrong - right, estimate.value, estimate.low, estimate.high))
    mean = study.book.mean
    rows.append(("expected loss, continuous factor", mean, None, exact.mean - mean, None, None, None))
    columns = ("quantity", "exact", "linearised", "model error", "linearised, estimated", "low", "high")
    return Table("Model error of the linearised circuit, and of the factor's grid", columns, tuple(rows))


def _past(study: Assessment) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """The tables and words on what is known of the past."""
    assert study.past is not None
    past, terms = study.past, study.terms
    tables, notes = past_report.tested(past, terms.level)
    grid = past_report.grid_error(study.exposure.losses, past, terms.level, terms.unit)
    return (grid, past_report.resampled(past, terms.level, terms.unit, terms.seed), *tables), notes


def _figure(study: Assessment, found: Findings) -> Figure:
    losses = study.exposure.losses
    seen = sorted(found.search.seen.items())
    shown = losses.most + 1
    values = tuple(float(value) for value in losses.values[:shown])
    return Figure(
        "distribution",
        study.title,
        f"loss in {study.terms.unit}",
        "P(loss ≤ x)",
        (
            Series(
                "exact",
                values,
                tuple(float(total) for total in np.cumsum(losses.probabilities)[:shown]),
                style="steps",
            ),
            Series(
                "amplitude estimation",
                tuple(losses.at(place) for place, _ in seen),
                tuple(one.value for _, one in seen),
                tuple(one.low for _, one in seen),
                tuple(one.high for _, one in seen),
                style="points",
            ),
            Series("level", (values[0], values[-1]), (study.terms.level,) * 2),
        ),
    )


def _undecided(study: Assessment, found: Findings) -> tuple[str, ...]:
    low, high = found.search.bounds()
    if low == high:
        return ()
    losses, unit = study.exposure.losses, study.terms.unit
    return (
        (
            f"The estimates leave open which of the losses {losses.at(low):.6g} to {losses.at(high):.6g} "
            f"{unit} is the value at risk; a smaller --epsilon tells them apart."
        ),
    )
