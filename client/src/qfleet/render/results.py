"""Results of jobs: a histogram per sampled point, a table of expectation values, the sources."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qfleet.render import histogram, terminal
from qfleet_wire import api

SIMULATED = "The quantum states were simulated by classical processors on the devices."


def result(view: api.ResultView, *, top: int, width: int) -> RenderableType:
    """Draw a result of any kind; ``top`` outcomes per point, at most ``width`` characters wide."""
    if not isinstance(view, api.EchoResultView) and not view.items:
        # Nothing was simulated, so nothing is said of it.
        return Group(Text("no results", style="dim"), *sources(view.sources))
    match view:
        case api.SampleResultView(items=items):
            drawn: Iterable[RenderableType] = (_sampled(item, top, width) for item in items)
        case api.ExpectResultView(items=items):
            drawn = (_values(items),)
        case api.EchoResultView(items=count):
            return Group(Text(f"{count} echoes came back right"), *sources(view.sources))
    seed = Text(f"\nseed {view.seed}. {SIMULATED}", style="dim")
    return Group(*drawn, *sources(view.sources), seed)


def point(parameters: dict[str, float]) -> str:
    """A parameter point as ``gamma = 0.5, beta = 0.25``."""
    return ", ".join(f"{name} = {value:.6g}" for name, value in parameters.items())


def _sampled(item: api.SampleItemView, top: int, width: int) -> RenderableType:
    place = point(item.parameters)
    title = f"{item.shots} shots" + (f" at {place}" if place else "")
    lines = histogram.lines(item.counts, top=top, width=width)
    return Group(Text(terminal.printable(title), style="bold"), *lines)


def _values(items: Sequence[api.ExpectItemView]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = list(items[0].parameters)
    for name in names:
        table.add_column(terminal.printable(name), justify="right")
    for title in ("observable", "value", "standard error"):
        table.add_column(title, justify="left" if title == "observable" else "right")
    for item in items:
        place = [f"{item.parameters[name]:.6g}" for name in names]
        for value in item.values:
            error = "exact" if value.exact else f"± {value.standard_error:.2g}"
            table.add_row(*place, _short(value.observable), f"{value.value:+.6f}", error)
    return table


def _short(observable: str, length: int = 40) -> Text:
    text = terminal.printable(observable)
    return Text(text if len(text) <= length else text[: length - 1] + "…")


def sources(views: Sequence[api.SourceView]) -> Iterable[Text]:
    """One line per device and engine that took part."""
    for source in views:
        tasks = "1 task" if source.tasks == 1 else f"{source.tasks} tasks"
        told = f"{source.device}: {tasks} in {source.duration_ms / 1000:.2f} s"
        engine = f"{source.engine} {source.engine_version}".strip()
        yield Text(terminal.printable(f"{told} ({engine})"), style="dim")
