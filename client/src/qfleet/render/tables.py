"""Devices and jobs as tables."""

import time
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from qfleet import wording
from qfleet.render import terminal
from qfleet_wire import api

_STYLES = {
    "online": "green",
    "succeeded": "green",
    "running": "cyan",
    "planned": "cyan",
    "partial": "yellow",
    "silent": "yellow",
    "unknown": "yellow",
    "lost": "red",
    "failed": "red",
    "revoked": "red",
    "expired": "red",
    "quarantined": "red",
    "rejected": "red",
}
_MIB = 1024 * 1024
_LONG_LEASE_S = 86_400.0
_COUNTED = ("pending", "leased", "running", "succeeded", "failed", "unknown", "cancelled", "expired",
            "answered", "spare", "rejected", "dismissed")  # fmt: skip


def devices(views: Sequence[api.DeviceView], *, now_ms: int) -> Table:
    """One line per device; its engines without their versions."""
    table = listing(
        (view.name for view in views),
        "device",
        "region",
        "status",
        "profile",
        "cores",
        "memory",
        "engines",
        "qubits",
        "running",
        "seen",
    )
    for view in views:
        table.add_row(
            _plain(view.name),
            _plain(view.region),
            status(view.status),
            _plain(view.profile),
            _plain(view.cores),
            size(view.memory_bytes),
            _plain(", ".join(engine.partition(" ")[0] for engine in view.engines)),
            _plain(view.max_qubits),
            _plain(f"{view.running}+{view.queued}"),
            _plain(ago(view.last_seen, now_ms)),
        )
    return table


def telemetry(view: api.TelemetryView) -> Table:
    """One line per sample; a line of its own where some are missing."""
    table = listing(
        ("" for _ in view.samples),
        "at",
        "load",
        "memory free",
        "disk free",
        "running",
        "outbox",
        "finished",
        "°C",
    )
    gaps = {gap.before: gap.before - gap.after - 1 for gap in view.gaps}
    for one in view.samples:
        if one.sequence in gaps:
            table.add_row(f"… {gaps[one.sequence]} missing")
        table.add_row(
            _plain(moment(one.at)),
            f"{one.load:.0%}",
            size(one.memory_free_bytes),
            size(one.disk_free_bytes),
            _plain(one.running),
            _plain(one.outbox),
            _plain(one.finished),
            _plain(None if one.temperature_c is None else f"{one.temperature_c:.0f}"),
        )
    return table


def device(view: api.DeviceView, *, now_ms: int) -> Table:
    """Everything about one device."""
    table = _facts()
    table.add_row("device", _plain(view.name))
    table.add_row("region", _plain(view.region))
    table.add_row("status", status(view.status))
    table.add_row("reason", _plain(view.reason))
    table.add_row("profile", _plain(view.profile))
    table.add_row("machine", _plain(view.machine))
    table.add_row("agent", _plain(view.agent_version))
    table.add_row("engines", _plain(", ".join(view.engines)))
    table.add_row("cores", _plain(view.cores))
    table.add_row("memory", size(view.memory_bytes))
    table.add_row("workers", _plain(view.workers))
    table.add_row("widest program", _plain(f"{view.max_qubits} qubits" if view.max_qubits else None))
    table.add_row("tasks", _plain(f"{view.running} running, {view.queued} queued"))
    table.add_row("load", _plain(None if view.load is None else f"{view.load:.0%}"))
    table.add_row(
        "temperature", _plain(None if view.temperature_c is None else f"{view.temperature_c:.0f} °C")
    )
    table.add_row("seen", _plain(ago(view.last_seen, now_ms)))
    _add_way(table, view, now_ms)
    if view.quantum_key:
        table.add_row("quantum key", _plain(view.quantum_key))
    table.add_row("certificate until", _plain(moment(view.certificate_expires)))
    told = f"{wording.counted(view.confirmed, 'result')} confirmed, {view.contradicted:g} contradicted"
    table.add_row("trust", _plain(None if view.trust is None else f"{view.trust:.2f} ({told})"))
    return table


def _add_way(table: Table, view: api.DeviceView, now_ms: int) -> None:
    """Which way carries its messages, when it is there, and how they go; nothing where there is one only."""
    way = view.way
    if way is None:
        return
    latency = "" if way.latency_ms is None else f", round trip {way.latency_ms:.0f} ms"
    table.add_row("way", _plain(f"{way.name} ({way.kind}) by {way.gateway}{latency}"))
    table.add_row("taken", _plain(ago(way.since, now_ms)))
    if way.contact is not None:
        returns = f"next {moment(way.returns)}" if way.returns is not None else "no next one is planned"
        open_now = way.contact.opens <= now_ms < way.contact.closes
        state = f"open until {moment(way.contact.closes)}" if open_now else "closed"
        table.add_row(
            "contact", _plain(f"{state}; {returns}{', by the contact plan' if way.planned else ''}")
        )
    if view.heard_within_ms is not None:
        table.add_row("silent after", _plain(duration(view.heard_within_ms)))
    if way.batch_ms:
        waiting = f", {view.waiting_down} wait" if view.waiting_down else ""
        table.add_row("delivery", _plain(f"gathered for {duration(way.batch_ms)}, sent together{waiting}"))


def duration(millis: int) -> str:
    """A time span in the unit that suits it."""
    for length, unit in ((3_600_000, "h"), (60_000, "min"), (1_000, "s")):
        if millis >= length:
            return f"{millis / length:.3g} {unit}"
    return f"{millis} ms"


def jobs(views: Sequence[api.JobView], *, now_ms: int) -> Table:
    """One line per job; how many devices took part, not which."""
    table = listing(
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
            _plain(view.id),
            _plain(view.name),
            _plain(view.kind),
            status(view.status),
            _plain(f"{view.progress:.0%}"),
            _plain(view.items),
            _plain(len(view.devices)),
            _plain(ago(view.created, now_ms)),
        )
    return table


def job(detail: api.JobDetail, *, now_ms: int) -> Table:
    """Everything about one job but its tasks."""
    view = detail.job
    table = _facts()
    table.add_row("job", _plain(view.id))
    table.add_row("name", _plain(view.name))
    table.add_row("kind", _plain(view.kind))
    table.add_row("status", status(view.status))
    table.add_row("progress", _plain(f"{view.progress:.0%} of {wording.counted(view.items, 'point')}"))
    table.add_row("tasks", _plain(counts(view.tasks)))
    table.add_row("devices", _plain(", ".join(view.devices)))
    table.add_row("created", _plain(ago(view.created, now_ms)))
    if view.finished is not None:
        table.add_row("took", _plain(f"{(view.finished - view.created) / 1000:.2f} s"))
    for sentence in view.plan:
        table.add_row("plan", _plain(sentence))
    for sentence in view.placement:
        table.add_row("placement", _plain(sentence))
    for error in view.errors:
        table.add_row("error", _plain(error, "red"))
    return table


def regions(views: Sequence[api.RegionView]) -> Table:
    """One line per region: who leads it, what is there, what placement weighs."""
    table = listing(
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
            _plain(view.name),
            _plain(view.controller) if view.controller else Text("nobody", style="red"),
            _plain(view.epoch or None),
            _plain(_lease(view.lease_s)),
            _connected(view.broker_connected),
            _plain(f"{view.devices_online}/{view.devices}"),
            _plain(f"{view.tasks_pending}+{view.tasks_held}"),
            _plain(None if view.latency_ms is None else f"{view.latency_ms:.0f} ms"),
            _plain(", ".join(view.residency)),
            _plain(view.energy_price),
        )
    return table


def _lease(seconds: float) -> str | None:
    """How long a lease lasts; one that nobody else could take lasts for years."""
    if seconds <= 0:
        return None
    return f"{seconds:.1f} s" if seconds < _LONG_LEASE_S else "lasting"


def _connected(up: bool | None) -> Text:  # noqa: FBT001 - what it shows has three values
    if up is None:
        return _plain(None)
    return Text("up", style="green") if up else Text("down", style="red")


def tasks(views: Sequence[api.TaskView]) -> Table:
    """One line per task, its errors below each other."""
    table = listing(
        (view.id for view in views), "task", "status", "attempt", "device", "points", "progress", "errors"
    )
    for view in views:
        table.add_row(
            _plain(view.id),
            status(view.status),
            _plain(view.attempt),
            _plain(view.device),
            _plain(view.items),
            _plain(f"{view.progress:.0%}"),
            _plain("\n".join(view.errors), "red"),
        )
    return table


def counts(tasks: api.TaskCounts) -> str:
    """The states that any task is in, as ``3 running, 21 succeeded``."""
    told = [(getattr(tasks, name), name) for name in _COUNTED]
    return ", ".join(f"{count} {name}" for count, name in told if count) or "none yet"


def status(word: str) -> Text:
    """A status in its colour."""
    return Text(terminal.printable(word), style=_STYLES.get(word, ""))


def size(value: int | None) -> Text:
    """Bytes in MiB or GiB."""
    if value is None:
        return _plain(None)
    mib = value / _MIB
    return Text(f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB")


def ago(then_ms: int | None, now_ms: int) -> str | None:
    """How long before ``now_ms`` something was; both in milliseconds since the epoch."""
    if then_ms is None:
        return None
    seconds = max(now_ms - then_ms, 0) // 1000
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def moment(then_ms: int | None) -> str | None:
    """A point in time, UTC."""
    if then_ms is None:
        return None
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(then_ms / 1000))


def listing(names: Iterable[str], *columns: str) -> Table:
    """A table whose first column holds ``names``: other commands take them, so they are never cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    table.columns[0].min_width = max((cell_len(terminal.printable(name)) for name in names), default=0)
    return table


def _facts() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    return table


def _plain(value: object, style: str = "") -> Text:
    if value is None or value == "":
        return Text("–", style="dim")
    return Text(terminal.printable(str(value)), style=style)
