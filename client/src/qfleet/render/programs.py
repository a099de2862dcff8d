"""Results of programs: a histogram per sampled point, a table of expectation values."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qfleet import wording
from qfleet.render import histogram, terminal
from qfleet_wire import api


def sampled(view: api.SampleResultView, top: int, width: int) -> Iterable[RenderableType]:
    """Draw ``top`` outcomes of each point."""
    return (_sampled(item, top, width) for item in view.items)


def values(view: api.ExpectResultView, top: int, width: int) -> Iterable[RenderableType]:
    """Draw one table of all values."""
    del top, width
    return (_values(view.items),) if view.items else ()


def point(parameters: dict[str, float]) -> str:
    """A parameter point as ``gamma = 0.5, beta = 0.25``."""
    return ", ".join(f"{name} = {value:.6g}" for name, value in parameters.items())


def _sampled(item: api.SampleItemView, top: int, width: int) -> RenderableType:
    place = point(item.parameters)
    title = wording.counted(item.shots, "shot") + (f" at {place}" if place else "")
    lines = histogram.lines(item.counts, top=top, width=width)
    return Group(Text(terminal.printable(title), style="bold"), *lines)


def _values(items: Sequence[api.ExpectItemView]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = list(items[0].parameters)
    for name in names:
        table.add_column(terminal.printable(name), justify="right")
    for title in ("observable", "value", "standard error"):
        table.add_column(title, justify="left" if title == "observable" else "right")
    inputs = list(items[0].gradient[0]) if items[0].gradient else []
    for name in inputs:
        table.add_column(terminal.printable(f"d/d {name}"), justify="right")
    for item in items:
        place = [f"{item.parameters[name]:.6g}" for name in names]
        slopes = item.gradient or ({},) * len(item.values)
        for value, slope in zip(item.values, slopes, strict=True):
            error = "exact" if value.exact else f"± {value.standard_error:.2g}"
            steep = [f"{slope[name]:+.6f}" for name in inputs]
            table.add_row(*place, _short(value.observable), f"{value.value:+.6f}", error, *steep)
    return table


def _short(observable: str, length: int = 40) -> Text:
    text = terminal.printable(observable)
    return Text(text if len(text) <= length else text[: length - 1] + "…")
