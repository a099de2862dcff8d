"""Results of amplitude estimation: a table of intervals."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qfleet_wire import api


def estimated(view: api.AmplitudeResultView, top: int, width: int) -> Iterable[RenderableType]:
    """Draw one line per problem."""
    del top, width
    if not view.problems:
        return ()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("problem", "estimate", f"interval at {1.0 - view.alpha:.6g}", "oracle calls", "rounds"):
        table.add_column(title, justify="right")
    for number, one in view.problems.items():
        lower, upper = one.interval
        table.add_row(
            str(number),
            f"{one.estimate:.6f}",
            Text(f"{lower:.6f} … {upper:.6f}"),
            str(one.oracle_calls),
            str(len(one.rounds)),
        )
    return (table,)
