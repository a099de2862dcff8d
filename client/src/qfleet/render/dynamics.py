"""Results of ``dynamics.solve``: each observable as a line over time, and a table of some times."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qfleet.render import programs, terminal
from qfleet_wire import api

_LEVELS = "▁▂▃▄▅▆▇█"
_LONGEST = 60
_SHORTEST = 8
_FLAT = 1e-12


def curves(view: api.DynamicsResultView, top: int, width: int) -> Iterable[RenderableType]:
    """Draw each point; at most ``top`` times of it in the table."""
    return (_point(item, view.times, top, width) for item in view.items)


def line(values: Sequence[float], length: int) -> str:
    """Values as blocks between the lowest and the highest, at most ``length`` of them, evenly picked."""
    picked = [values[index] for index in spread(len(values), length)]
    low, high = min(values), max(values)
    if high - low <= _FLAT * max(1.0, abs(high)):
        return _LEVELS[0] * len(picked)
    return "".join(
        _LEVELS[min(len(_LEVELS) - 1, int((value - low) / (high - low) * len(_LEVELS)))] for value in picked
    )


def spread(count: int, most: int) -> list[int]:
    """At most ``most`` indices of ``count``, evenly spread, the first and the last among them."""
    if count <= most or most < 2:
        return list(range(min(count, max(most, 1))))
    return [round(k * (count - 1) / (most - 1)) for k in range(most)]


def _point(item: api.DynamicsItemView, times: Sequence[float], top: int, width: int) -> RenderableType:
    place = programs.point(item.parameters)
    title = f"{item.trajectories:,} trajectories" if item.trajectories else "deterministic"
    heading = Text(terminal.printable(title + (f" at {place}" if place else "")), style="bold")
    return Group(heading, *(_drawn(curve, width) for curve in item.curves), _table(item, times, top))


def _drawn(curve: api.DynamicsCurve, width: int) -> Text:
    name = terminal.printable(curve.observable)
    name = name if len(name) <= 24 else name[:23] + "…"
    low, high = min(curve.values), max(curve.values)
    room = max(_SHORTEST, min(_LONGEST, width - 52))
    return Text.assemble(
        (f"{name:<24}  ", "bold"),
        (line(curve.values, room), "cyan"),
        (f"  {low:+.4g} … {high:+.4g}", "dim"),
        overflow="ignore",
        no_wrap=True,
    )


def _table(item: api.DynamicsItemView, times: Sequence[float], top: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("t", justify="right")
    for curve in item.curves:
        table.add_column(Text(terminal.printable(curve.observable)), justify="right")
    for index in spread(len(times), top):
        table.add_row(f"{times[index]:.6g}", *(_value(curve, index) for curve in item.curves))
    return table


def _value(curve: api.DynamicsCurve, index: int) -> str:
    value = f"{curve.values[index]:+.6f}"
    return value if curve.exact else f"{value} ± {curve.standard_errors[index]:.2g}"
