"""A report in Markdown; its plots are files beside it.

What it shows is plain text, often a user's: what Markdown would read as a sign of its own is escaped.
"""

import re
from pathlib import Path
from urllib.parse import quote

from qfleet_applications.frame import drawing
from qfleet_applications.frame.durations import duration
from qfleet_applications.frame.report import Cell, Comparison, Figure, Report, Table

BASIS = (
    "Quantum states are simulated on the devices; annealing and tabu search are classical samplers that "
    "stand where a quantum annealer would."
)


_SIGNS = re.compile(r"[\\*\[]|<(?=[A-Za-z/!?])|\b_(?!\w)|(?<!\w)_")
"""Signs of Markdown in plain text; ``_`` within a word is none."""


def write(report: Report, file: Path) -> None:
    """Write a report, and its plots beside it under the file's name."""
    pictures = {one.name: f"{file.stem}-{one.name}.png" for one in report.figures}
    for one in report.figures:
        file.with_name(pictures[one.name]).write_bytes(drawing.png(one))
    file.write_text(text(report, pictures), encoding="utf-8")


def text(report: Report, pictures: dict[str, str] | None = None, *, most_columns: int | None = None) -> str:
    """A report; ``pictures`` gives the address of each figure by its name, others are left out.

    A table of more than ``most_columns`` columns becomes a list with an entry for each row.
    """
    parts = [f"# {_plain(report.title)}", *(_plain(one.sentence) for one in report.comparisons)]
    parts += [_comparisons(report.comparisons, most_columns)] if report.comparisons else []
    parts += [_table(one, most_columns) for one in report.tables]
    parts += [_figure(one, pictures[one.name]) for one in report.figures if pictures and one.name in pictures]
    if report.notes:
        parts += ["## What to know", "\n".join(f"- {_plain(note)}" for note in report.notes)]
    parts += ["## To get it again", _again(report)]
    return "\n\n".join(parts) + "\n"


def spelled(cell: Cell) -> str:
    """A cell as people read it."""
    if cell is None:
        return ""
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def comparison_table(comparisons: tuple[Comparison, ...]) -> Table:
    """Both answers of each comparison as rows."""
    columns = ("problem", "quantity", "method", "kind", "value", "interval", "time", "better")
    rows: list[tuple[Cell, ...]] = []
    for one in comparisons:
        for side, found in (("fleet", one.fleet), ("classical", one.classical)):
            value = f"{found.value:.6g}{f' {one.unit}' if one.unit else ''}"
            interval = "exact" if found.exact else f"{found.low:.5g} to {found.high:.5g}"
            method = f"{found.method}{f', {one.where}' if side == 'fleet' else ''}"
            better = "yes" if one.winner == side else ("equal" if one.winner == "neither" else "")
            problem = one.problem if side == "fleet" else ""
            quantity = f"{one.quantity}, {one.goal} is better" if side == "fleet" else ""
            rows.append(
                (problem, quantity, method, found.kind, value, interval, duration(found.seconds), better)
            )
    return Table("Quantum against classical", columns, tuple(rows))


def _plain(shown: str) -> str:
    return _SIGNS.sub(r"\\\g<0>", " ".join(shown.split("\n")))


def _comparisons(comparisons: tuple[Comparison, ...], most_columns: int | None) -> str:
    meanings = _plain("; ".join(sorted({one.interval for one in comparisons})))
    return f"{_table(comparison_table(comparisons), most_columns)}\n\nIntervals: {meanings}. {BASIS}"


def _table(table: Table, most_columns: int | None) -> str:
    rows = [tuple(spelled(cell) for cell in row) for row in table.rows]
    if most_columns is not None and len(table.columns) > most_columns:
        lines = [_entry(table.columns, row) for row in rows]
    else:
        lines = [_row(table.columns), "|" + "---|" * len(table.columns), *(_row(row) for row in rows)]
    return f"## {_plain(table.title)}\n\n" + "\n".join(lines)


def _entry(columns: tuple[str, ...], row: tuple[str, ...]) -> str:
    named = (f"{_plain(name)}: {_plain(cell)}" for name, cell in zip(columns, row, strict=True) if cell)
    return f"- {'; '.join(named)}"


def _row(cells: tuple[str, ...]) -> str:
    escaped = (_plain(cell).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _figure(figure: Figure, address: str) -> str:
    return f"![{_plain(figure.title)}]({quote(address)})"


def _again(report: Report) -> str:
    rows = [("command", f"qfleet app {report.pack} {report.command}")]
    rows += [*report.settings.items(), *((f"version of {name}", it) for name, it in report.versions.items())]
    rows += [("jobs", ", ".join(report.jobs) or "none"), ("time", duration(report.seconds))]
    lines = ["| | |", "|---|---|", *(_row(row) for row in rows)]
    return "\n".join(lines)
