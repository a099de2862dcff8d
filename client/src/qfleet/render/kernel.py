"""Results of kernel matrices: a table of the first entries, and their range."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qfleet import wording
from qfleet_wire import api

_ENTRY = 9
"""Characters of an entry with the space before it."""


def matrix(view: api.KernelResultView, top: int, width: int) -> Iterable[RenderableType]:
    """Draw the first ``top`` rows, and as many columns as fit."""
    known = [value for row in view.matrix for value in row if value is not None]
    if not known:
        return
    rows, columns = len(view.matrix), len(view.matrix[0])
    shown = max(1, min(columns, top, (width - _ENTRY) // _ENTRY))
    how = f"{wording.counted(view.shots, 'shot')} for each entry" if view.shots else "exact"
    yield Text(f"kernel matrix of {rows:,} × {columns:,} entries, {how}", style="bold")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", *map(str, range(shown))):
        table.add_column(name, justify="right")
    for number, row in enumerate(view.matrix[:top]):
        table.add_row(str(number), *("…" if value is None else f"{value:.5f}" for value in row[:shown]))
    yield table
    if rows > top or columns > shown:
        left = rows * columns - min(rows, top) * shown
        yield Text(f"… {left:,} more entries", style="dim")
    yield Text(f"entries from {min(known):.6g} to {max(known):.6g}")
