"""Results of minimisations: the lowest value, the starts with their histories, the best strings."""

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qfleet.render import terminal
from qfleet_wire import api

_LEVELS = "█▇▆▅▄▃▂▁"
_CURVE = 30
_PARAMETERS = 12


def minimised(view: api.VariationalResultView, top: int, width: int) -> Iterable[RenderableType]:
    """Draw the best start, a line for each start, and ``top`` strings of bits."""
    if view.value is None:
        return
    yield Text(f"lowest value {view.value:.9g}, from start {view.start}", style="bold")
    named = list(view.parameters.items())
    told = ", ".join(f"{name} = {value:.6g}" for name, value in named[:_PARAMETERS])
    more = f", … {len(named) - _PARAMETERS} more" if len(named) > _PARAMETERS else ""
    yield Text(terminal.printable(told + more))
    yield _starts(sorted(view.starts, key=lambda start: (start.value, start.start)), top, width)
    if view.samples:
        yield _strings(view.samples[:top])
    if view.lowest is not None:
        bits = terminal.printable(view.lowest.bits)
        yield Text(f"lowest cost of a string {view.lowest.cost:.9g}: {bits}")


def curve(trace: Sequence[float], width: int = _CURVE) -> str:
    """Draw a history of values as a curve of blocks, the highest value as the tallest."""
    lowest, highest = min(trace), max(trace)
    columns = min(width, len(trace))
    bounds = [len(trace) * column // columns for column in range(columns + 1)]
    drawn = ""
    for column in range(columns):
        least = min(trace[bounds[column] : bounds[column + 1]])
        share = (highest - least) / (highest - lowest) if highest > lowest else 1.0
        drawn += _LEVELS[round(share * (len(_LEVELS) - 1))]
    return drawn


def _starts(starts: Sequence[api.StartView], top: int, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("start", "value", "evaluations"):
        table.add_column(title, justify="right")
    table.add_column("ended")
    table.add_column("history")
    for start in starts[:top]:
        ended = "converged" if start.converged else "at its limit"
        drawn = curve(start.trace, max(8, min(_CURVE, width - 50)))
        table.add_row(str(start.start), f"{start.value:.9g}", str(start.evaluations), ended, drawn)
    if len(starts) > top:
        table.add_row("…", f"{len(starts) - top} more", "", "", "")
    return table


def _strings(samples: Sequence[api.StringView]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("bits", "cost", "count"):
        table.add_column(title, justify="right")
    for sample in samples:
        table.add_row(terminal.printable(sample.bits), f"{sample.cost:.9g}", str(sample.count))
    return table
