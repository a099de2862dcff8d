"""Results of jobs of every kind, and the sources."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from qfleet import wording
from qfleet.render import (
    amplitudes,
    annealing,
    dynamics,
    estimation,
    integration,
    kernel,
    programs,
    terminal,
    variational,
)
from qfleet_wire import api

SIMULATED = "The quantum states were simulated by classical processors on the devices."

_NOTES: dict[type[api.ResultView], str] = {
    api.AnnealResultView: "The samplers are classical algorithms that ran on the devices.",
}
"""What is said of the kinds that simulate no quantum state."""

Drawer = Callable[[Any, int, int], Iterable[RenderableType]]
"""Draws a view: the most entries of each list, and the width in characters. Nothing where there is none."""

_DRAWERS: dict[type[api.ResultView], Drawer] = {
    api.SampleResultView: programs.sampled,
    api.ExpectResultView: programs.values,
    api.AmplitudesResultView: amplitudes.table,
    api.AnnealResultView: annealing.states,
    api.VariationalResultView: variational.minimised,
    api.AmplitudeResultView: estimation.estimated,
    api.PhiResultView: integration.distinctions,
    api.KernelResultView: kernel.matrix,
    api.DynamicsResultView: dynamics.curves,
}


def result(view: api.ResultView, *, top: int, width: int) -> RenderableType:
    """Draw a result of any kind; ``top`` outcomes per point, at most ``width`` characters wide."""
    if isinstance(view, api.EchoResultView):
        return Group(Text(f"{view.items} echoes came back right"), *sources(view.sources))
    drawn = list(_DRAWERS[type(view)](view, top, width))
    if not drawn:
        # Nothing was simulated, so nothing is said of it.
        return Group(Text("no results", style="dim"), *sources(view.sources))
    seed = Text(f"\nseed {view.seed}. {_NOTES.get(type(view), SIMULATED)}", style="dim")
    return Group(*drawn, *sources(view.sources), seed)


def sources(views: Sequence[api.SourceView]) -> Iterable[Text]:
    """One line per device and engine that took part."""
    for source in views:
        tasks = wording.counted(source.tasks, "task")
        told = f"{source.device}: {tasks} in {source.duration_ms / 1000:.2f} s"
        engine = f"{source.engine} {source.engine_version}".strip()
        yield Text(terminal.printable(f"{told} ({engine})"), style="dim")
