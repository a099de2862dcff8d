"""A plan as people see it: why it is so, who would run what, and how long that is predicted to take."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qfleet import wording
from qfleet.render import cells, terminal
from qfleet_wire import api

_SHOWN = 20
"""Devices that are listed; a large fleet would fill the screen."""


def plan(view: api.PlanView) -> RenderableType:
    """Draw a plan."""
    told = [Text(terminal.printable(sentence)) for sentence in (*view.sentences, *view.placement)]
    return Group(*told, Text(_summary(view), style="bold"), _devices(view.devices))


def duration(milliseconds: float) -> str:
    """Spell a predicted time: ``0.4 ms``, ``35 ms``, ``2.1 s``, ``12 min``."""
    for limit, divisor, unit in ((1e3, 1.0, "ms"), (1.2e5, 1e3, "s"), (7.2e6, 6e4, "min")):
        if milliseconds < limit:
            value = milliseconds / divisor
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{milliseconds / 3.6e6:.1f} h"


def _summary(view: api.PlanView) -> str:
    tasks = wording.counted(view.task_count, "task")
    needs = f"{tasks} of {cells.size(view.memory_bytes).plain} memory each"
    if view.finish_ms is None:
        return f"{needs}; no device could begin now."
    return f"{needs}, {duration(view.work_ms)} of work in all, done in about {duration(view.finish_ms)}."


def _devices(devices: tuple[api.PlannedDevice, ...]) -> Table:
    columns = ("device", "region", "workers", "tasks", "a task", "waits", "done", "memory", "speed")
    drawn = cells.listing((device.device for device in devices[:_SHOWN]), *columns)
    for device in devices[:_SHOWN]:
        name, region = terminal.printable(device.device), terminal.printable(device.region)
        if device.lacks:
            drawn.add_row(name, region, "", "0", "", "", "", "", terminal.printable(device.lacks))
            continue
        drawn.add_row(
            name,
            region,
            str(device.workers),
            f"{device.tasks:,}",
            duration(device.task_ms),
            duration(device.wait_ms),
            duration(device.finish_ms) if device.tasks else "",
            cells.size(device.task_memory_bytes),
            f"{terminal.printable(device.engine)}, measured" if device.measured else "not measured yet",
        )
    if len(devices) > _SHOWN:
        drawn.add_row(f"and {len(devices) - _SHOWN:,} more", *[""] * 8)
    return drawn
