"""Amplitudes of bit strings, as a table."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qfleet.render import terminal
from qfleet_wire import api


def table(view: api.AmplitudesResultView, top: int, width: int) -> Iterable[RenderableType]:
    """Draw ``top`` bit strings of each point."""
    del width
    if not view.items:
        return ()
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    names = list(view.items[0].parameters)
    for name in names:
        drawn.add_column(terminal.printable(name), justify="right")
    drawn.add_column("bit string")
    for title in ("amplitude", "probability"):
        drawn.add_column(title, justify="right")
    for item in view.items:
        place = [f"{item.parameters[name]:.6g}" for name in names]
        for each in item.amplitudes[:top]:
            number = f"{each.real:+.6g} {each.imaginary:+.6g}i"
            drawn.add_row(*place, Text(each.bitstring), number, f"{each.probability:.6g}")
    more = max(len(item.amplitudes) for item in view.items) - top
    return (drawn, Text(f"and {more} more bit strings", style="dim")) if more > 0 else (drawn,)
