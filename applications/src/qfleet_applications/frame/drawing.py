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
_MARKS = "osD^vx"
_ROOM = 60
"""Letters below the axis; more of them are turned."""


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
    for number, one in enumerate(figure.series):
        _draw(axes, one, bars, number)
    axes.set(title=figure.title, xlabel=figure.x_label, ylabel=figure.y_label)
    if figure.x_names:
        turned = sum(map(len, figure.x_names)) > _ROOM
        aligned: dict[str, Any] = {"rotation": 30, "ha": "right"} if turned else {}
        axes.set_xticks(range(len(figure.x_names)), figure.x_names, **aligned)
    if len(figure.series) > 1:
        sheet.legend(loc="outside lower center", ncols=_beside(figure), frameon=False)
    return sheet


def _beside(figure: Figure) -> int:
    """How many labels there is room for in a row."""
    longest = max(len(one.label) for one in figure.series)
    return max(1, min(len(figure.series), _ROOM // (longest + 6)))


def _draw(axes: "Axes", series: Series, bars: list[Series], number: int) -> None:
    look: dict[str, Any] = {"color": f"C{number}", "label": series.label}
    reach: Any = None
    if series.low:
        below = [max(y - low, 0.0) for y, low in zip(series.y, series.low, strict=True)]
        above = [max(high - y, 0.0) for y, high in zip(series.y, series.high, strict=True)]
        reach = [below, above]
    if series.style == "bars":
        width = 0.8 / len(bars)
        shift = (bars.index(series) + 0.5) * width - 0.4
        # light enough that points on them are seen
        axes.bar([x + shift for x in series.x], series.y, width, yerr=reach, capsize=3, alpha=0.55, **look)
    elif series.style == "steps":
        axes.step(series.x, series.y, where="post", **look)
    else:
        form = _MARKS[number % len(_MARKS)] if series.style == "points" else ".-"
        axes.errorbar(series.x, series.y, reach, fmt=form, capsize=3, **look)
