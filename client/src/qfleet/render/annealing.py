"""Results of annealing: the lowest states, and a histogram of the energies of all reads."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qfleet import wording
from qfleet.render import histogram, terminal
from qfleet_wire import api

_VARIABLES = 48
"""Most variables of a state that are shown."""


def states(view: api.AnnealResultView, top: int, width: int) -> Iterable[RenderableType]:
    """Draw ``top`` of the lowest states, then of the energies."""
    if not view.reads:
        return ()
    how = "tabu search" if view.method == "tabu" else f"{view.method} annealing"
    return (
        Text(f"{wording.counted(view.reads, 'read')} by {how}", style="bold"),
        _table(view, top),
        Text("\nenergies of all reads", style="bold"),
        *_levels(view, top, width),
    )


def _table(view: api.AnnealResultView, top: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("energy", justify="right")
    table.add_column("reads", justify="right")
    table.add_column(_heading(view))
    for state in view.states[:top]:
        table.add_row(f"{state.energy:.9g}", str(state.reads), Text(_spelled(view, state)))
    return table


def _heading(view: api.AnnealResultView) -> Text:
    names = ", ".join(str(label) for label in view.variables[:6])
    more = f", … ({len(view.variables)} variables)" if len(view.variables) > 6 else ""
    return Text(terminal.printable(names + more))


def _spelled(view: api.AnnealResultView, state: api.StateView) -> str:
    """Values in order of the variables: ``+-`` of spins, ``10`` of bits."""
    letters = {1: "+", -1: "-"} if view.variable_type == "SPIN" else {1: "1", 0: "0"}
    told = "".join(letters[value] for value in state.values[:_VARIABLES])
    return told + ("…" if len(state.values) > _VARIABLES else "")


def _levels(view: api.AnnealResultView, top: int, width: int) -> Iterable[Text]:
    """The lowest energies; the histogram's order is by count, so each bar is drawn here."""
    shown = view.energies[:top]
    most = max(level.reads for level in shown)
    for level in shown:
        room = max(8, min(40, width - 30))
        bar = histogram.bar(level.reads / most, room)
        yield Text.assemble(f"{level.energy:>16.9g}  ", (bar, "cyan"), f"  {level.reads}")
    if len(view.energies) > top:
        left = sum(level.reads for level in view.energies[top:])
        yield Text(
            f"… {len(view.energies) - top} higher energies, {wording.counted(left, 'read')}", style="dim"
        )
