"""What a benchmark returns: rows of one table, medians with their spread, and ratios of one run.

A figure is never a test: it depends on the machine. A ratio depends on it less.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Median of several repeats, with the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    def text(self, unit: str) -> str:
        """Spell it with a unit, for example ``"4.6 ms (4.4–5.1)"``."""
        return f"{number(self.median)} {unit} ({number(self.least)}–{number(self.greatest)})"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row: what was measured, for us and for the peer, their ratio, and the goal.

    ``peer`` and ``ratio`` are empty where there is nothing to compare with. ``met`` is None for a
    figure without a goal.
    """

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    goal: str = ""
    met: bool | None = None


def spread(repeats: Sequence[float]) -> Spread:
    """Summarise repeats; there must be at least one."""
    return Spread(statistics.median(repeats), min(repeats), max(repeats))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ratios ours ÷ theirs, pair by pair: each pair was measured one right after the other."""
    return spread([mine / other for mine, other in zip(ours, theirs, strict=True)])


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def table(figures: Sequence[Figure]) -> str:
    """Spell rows as a Markdown table."""
    lines = [
        "| figure | qfleet | compared with | ratio | goal | met |",
        "|---|---|---|---|---|---|",
    ]
    answers = {True: "yes", False: "**no**", None: ""}
    lines += [
        f"| {figure.what} | {figure.ours} | {figure.peer} | {figure.ratio} | {figure.goal} "
        f"| {answers[figure.met]} |"
        for figure in figures
    ]
    return "\n".join(lines)
