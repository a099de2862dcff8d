"""Figures drawn by matplotlib, which only those who want a picture need."""

import io
from typing import TYPE_CHECKING, Any

from qfleet import errors
from qfleet_applications.frame.report import Figure, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawn

_SIZE = (6.4, 3.8)
_DPI = 120


def png(figure: Figure) -> bytes:
    """A figure as a PNG file.

    Raises:
        UserError: matplotlib is not installed.
    """
    written = io.BytesIO()
    _drawn(figure).savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _drawn(figure: Figure) -> "Drawn":
    try:
        from matplotlib.figure import Figure as Sheet  # noqa: PLC0415 - an extra
    except ImportError as error:
        hint = "pip install 'qfleet-applications[plot]', or ask for --json"
        raise errors.UserError("a report with plots needs matplotlib", hint=hint) from error
    sheet = Sheet(figsize=_SIZE, dpi=_DPI, layout="constrained")
    axes = sheet.add_subplot()
    bars = [one for one in figure.series if one.style == "bars"]
    for one in figure.series:
        _draw(axes, one, bars)
    axes.set(title=figure.title, xlabel=figure.x_label, ylabel=figure.y_label)
    if figure.x_names:
        axes.set_xticks(range(len(figure.x_names)), figure.x_names, rotation=_turn(figure.x_names))
    if len(figure.series) > 1:
        axes.legend()
    return sheet


def _draw(axes: "Axes", series: Series, bars: list[Series]) -> None:
    reach: Any = None
    if series.low:
        below = [max(y - low, 0.0) for y, low in zip(series.y, series.low, strict=True)]
        above = [max(high - y, 0.0) for y, high in zip(series.y, series.high, strict=True)]
        reach = [below, above]
    if series.style == "bars":
        width = 0.8 / len(bars)
        shift = (bars.index(series) + 0.5) * width - 0.4
        axes.bar([x + shift for x in series.x], series.y, width, yerr=reach, capsize=3, label=series.label)
    elif series.style == "steps":
        axes.step(series.x, series.y, where="post", label=series.label)
    else:
        form = "o" if series.style == "points" else ".-"
        axes.errorbar(series.x, series.y, reach, fmt=form, capsize=3, label=series.label)


def _turn(names: tuple[str, ...]) -> int:
    """Long names would run into each other."""
    return 30 if sum(map(len, names)) > 60 else 0
