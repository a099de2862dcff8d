"""What a report on past losses adds: the grid's error, a bootstrap of the measures, and a backtest."""

import math

import numpy as np

from qfleet_applications.finance import backtest, bootstrap
from qfleet_applications.finance.backtest import Backtest, Ratio
from qfleet_applications.finance.histories import Past
from qfleet_applications.finance.losses import Losses
from qfleet_applications.frame.report import Cell, Table

REJECTED = 0.05
"""A p-value below this rejects."""
FEW = 5.0
"""Fewer expected exceedances than this make the χ² of the tests a rough guess."""


def grid_error(losses: Losses, past: Past, level: float, unit: str) -> Table:
    """What rounding to the register's grid changes."""
    place = losses.quantile(level)
    raw = bootstrap.measures(past.losses, level)
    rows: list[tuple[Cell, ...]] = [
        ("expected loss", raw.mean, losses.mean, losses.mean - raw.mean),
        ("value at risk", raw.value, losses.at(place), losses.at(place) - raw.value),
    ]
    if (past.losses > raw.value).any():
        rows.append(("mean beyond it", raw.beyond, losses.beyond(place), losses.beyond(place) - raw.beyond))
    return Table(
        f"Error of the grid of {1 << losses.qubits} losses, {losses.step:.4g} {unit} apart",
        ("measure", "all past losses", "on the grid", "error"),
        tuple(rows),
    )


def resampled(past: Past, level: float, unit: str, seed: int) -> Table:
    """The measures of all past losses, with the intervals of the bootstrap."""
    found = bootstrap.measures(past.losses, level)
    drawn = bootstrap.resample(past.losses, level, days=past.days, seed=seed)
    low, high = drawn.low, drawn.high
    return Table(
        f"How sure the past is, in {unit}: 95 % intervals of {drawn.resamples} resamples by blocks "
        f"of {drawn.block} losses",
        ("measure", "all past losses", "low", "high"),
        (
            ("expected loss", found.mean, low.mean, high.mean),
            ("value at risk", found.value, low.value, high.value),
            ("mean beyond it", found.beyond, low.beyond, high.beyond),
        ),
    )


def tested(past: Past, level: float) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """The backtest as a table and in words; in words alone where the past is too short."""
    found = backtest.run(past.losses, level, window=past.window, days=past.days)
    if found is None:
        needed = past.window + past.days * backtest.LEAST_TESTED
        short = (
            f"No backtest: with a window of {past.window} losses it needs {needed} of them, and there are "
            f"{len(past.losses)}. A smaller --window needs fewer."
        )
        return (), (short,)
    rows = (
        _row("share of exceedances (Kupiec)", found.coverage),
        _row("their independence (Christoffersen)", found.independence),
    )
    title = (
        f"Backtest: {found.exceeded} of {found.periods} losses exceeded the value at risk of the "
        f"{found.window} before; {found.expected:.1f} were due"
    )
    return (Table(title, ("test", "likelihood ratio", "p-value", "at 5 %"), rows),), _words(found, level)


def _row(name: str, ratio: Ratio) -> tuple[Cell, ...]:
    if math.isnan(ratio.chance):
        return (name, None, None, "too few to tell")
    return (name, ratio.value, ratio.chance, "rejected" if ratio.chance < REJECTED else "not rejected")


def _words(found: Backtest, level: float) -> tuple[str, ...]:
    more = "more" if found.exceeded > found.expected else "fewer"
    verdict = (
        f"rejects the value at risk: losses exceed it {more} often than it says"
        if found.coverage.chance < REJECTED
        else "does not reject the value at risk, which is no proof of it"
    )
    first = (
        f"Backtest of the historical value at risk, each from the {found.window} losses before it: "
        f"{found.exceeded} exceedances, {found.expected:.1f} due ({found.alike:.1f} from such a window if "
        f"all losses were drawn alike). Kupiec's test {verdict} (p = {found.coverage.chance:.2g})."
    )
    told = [first]
    if found.independence.chance < REJECTED:
        told.append(
            f"Exceedances follow each other more or less often than chance has it (p = "
            f"{found.independence.chance:.2g}): the past in equal weights is blind to calm and storm."
        )
    if found.expected < FEW:
        told.append(f"Only {found.expected:.1f} exceedances were due: p-values by χ² are rough.")
    if (1.0 - level) * found.window < 1.0 - 1e-9:
        told.append(
            f"{found.window} losses have no quantile at {level:g}: the backtest takes the largest; give "
            f"--window {math.ceil(np.nextafter(1.0 / (1.0 - level), 0.0))} or more."
        )
    return tuple(told)
