"""Results of integrated information: a table of distinctions."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from qfleet_wire import api


def distinctions(view: api.PhiResultView, top: int, width: int) -> Iterable[RenderableType]:
    """Draw every mechanism's cause and effect; those without φ are counted below."""
    del top, width
    if not view.distinctions:
        return ()
    shown = [one for one in view.distinctions if one.phi > 0]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("direction", "mechanism", "purview", "φ in bits", "least partition"):
        table.add_column(title, justify="right" if title.startswith("φ") else "left")
    for one in shown:
        best = next(each for each in one.purviews if each.purview == one.purview)
        cut = " × ".join(f"{_named(here)}→{_named(there)}" for here, there in best.partition)
        table.add_row(one.direction, _named(one.mechanism), _named(one.purview), f"{one.phi:.6f}", cut)
    rest = len(view.distinctions) - len(shown)
    told = f"{rest} more can be taken apart without loss (φ = 0)"
    return (*((table,) if shown else ()), *((Text(told, style="dim"),) if rest else ()))


def _named(qubits: tuple[int, ...]) -> str:
    """Qubits as letters, as in the literature: qubit 0 is A."""
    return "".join(chr(ord("A") + qubit) for qubit in qubits) or "∅"
