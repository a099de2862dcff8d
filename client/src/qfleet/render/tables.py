"""Jobs, tasks and regions as tables."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from qfleet import wording
from qfleet.render import cells
from qfleet_wire import api

_LONG_LEASE_S = 86_400.0
_COUNTED = ("pending", "leased", "running", "succeeded", "failed", "unknown", "cancelled", "expired",
            "answered", "spare", "rejected", "dismissed")  # fmt: skip


def jobs(views: Sequence[api.JobView], *, now_ms: int) -> Table:
    """One line per job; how many devices took part, not which."""
    table = cells.listing(
        (view.id for view in views),
        "job",
        "name",
        "kind",
        "status",
        "progress",
        "points",
        "devices",
        "created",
    )
    for view in views:
        table.add_row(
            cells.plain(view.id),
            cells.plain(view.name),
            cells.plain(view.kind),
            cells.status(view.status),
            cells.plain(f"{view.progress:.0%}"),
            cells.plain(view.items),
            cells.plain(len(view.devices)),
            cells.plain(cells.ago(view.created, now_ms)),
        )
    return table


def job(detail: api.JobDetail, *, now_ms: int) -> Table:
    """Everything about one job but its tasks."""
    view = detail.job
    table = cells.facts()
    table.add_row("job", cells.plain(view.id))
    table.add_row("name", cells.plain(view.name))
    table.add_row("kind", cells.plain(view.kind))
    table.add_row("status", cells.status(view.status))
    table.add_row("progress", cells.plain(f"{view.progress:.0%} of {wording.counted(view.items, 'point')}"))
    table.add_row("tasks", cells.plain(counts(view.tasks)))
    table.add_row("devices", cells.plain(", ".join(view.devices)))
    table.add_row("created", cells.plain(cells.ago(view.created, now_ms)))
    if view.finished is not None:
        table.add_row("took", cells.plain(f"{(view.finished - view.created) / 1000:.2f} s"))
    for sentence in view.plan:
        table.add_row("plan", cells.plain(sentence))
    for sentence in view.placement:
        table.add_row("placement", cells.plain(sentence))
    for error in view.errors:
        table.add_row("error", cells.plain(error, "red"))
    return table


def regions(views: Sequence[api.RegionView]) -> Table:
    """One line per region: who leads it, what is there, what placement weighs."""
    table = cells.listing(
        (view.name for view in views),
        "region",
        "controller",
        "epoch",
        "lease",
        "broker",
        "devices",
        "tasks",
        "latency",
        "residency",
        "energy",
    )
    for view in views:
        table.add_row(
            cells.plain(view.name),
            cells.plain(view.controller) if view.controller else Text("nobody", style="red"),
            cells.plain(view.epoch or None),
            cells.plain(_lease(view.lease_s)),
            _connected(view.broker_connected),
            cells.plain(f"{view.devices_online}/{view.devices}"),
            cells.plain(f"{view.tasks_pending}+{view.tasks_held}"),
            cells.plain(None if view.latency_ms is None else f"{view.latency_ms:.0f} ms"),
            cells.plain(", ".join(view.residency)),
            cells.plain(view.energy_price),
        )
    return table


def _lease(seconds: float) -> str | None:
    """How long a lease lasts; one that nobody else could take lasts for years."""
    if seconds <= 0:
        return None
    return f"{seconds:.1f} s" if seconds < _LONG_LEASE_S else "lasting"


def _connected(up: bool | None) -> Text:  # noqa: FBT001 - what it shows has three values
    if up is None:
        return cells.plain(None)
    return Text("up", style="green") if up else Text("down", style="red")


def tasks(views: Sequence[api.TaskView]) -> Table:
    """One line per task, its errors below each other."""
    table = cells.listing(
        (view.id for view in views), "task", "status", "attempt", "device", "points", "progress", "errors"
    )
    for view in views:
        table.add_row(
            cells.plain(view.id),
            cells.status(view.status),
            cells.plain(view.attempt),
            cells.plain(view.device),
            cells.plain(view.items),
            cells.plain(f"{view.progress:.0%}"),
            cells.plain("\n".join(view.errors), "red"),
        )
    return table


def counts(tasks: api.TaskCounts) -> str:
    """The states that any task is in, as ``3 running, 21 succeeded``."""
    told = [(getattr(tasks, name), name) for name in _COUNTED]
    return ", ".join(f"{count} {name}" for count, name in told if count) or "none yet"
