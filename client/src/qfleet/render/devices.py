"""Devices as tables."""

from collections.abc import Sequence

from rich.table import Table

from qfleet import wording
from qfleet.render import cells
from qfleet_wire import api


def devices(views: Sequence[api.DeviceView], *, now_ms: int) -> Table:
    """One line per device; its engines without their versions."""
    table = cells.listing(
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
            cells.plain(view.name),
            cells.plain(view.region),
            cells.status(view.status),
            cells.plain(view.profile),
            cells.plain(view.cores),
            cells.size(view.memory_bytes),
            cells.plain(", ".join(engine.partition(" ")[0] for engine in view.engines)),
            cells.plain(view.max_qubits),
            cells.plain(f"{view.running}+{view.queued}"),
            cells.plain(cells.ago(view.last_seen, now_ms)),
        )
    return table


def telemetry(view: api.TelemetryView) -> Table:
    """One line per sample; a line of its own where some are missing."""
    table = cells.listing(
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
            cells.plain(cells.moment(one.at)),
            f"{one.load:.0%}",
            cells.size(one.memory_free_bytes),
            cells.size(one.disk_free_bytes),
            cells.plain(one.running),
            cells.plain(one.outbox),
            cells.plain(one.finished),
            cells.plain(None if one.temperature_c is None else f"{one.temperature_c:.0f}"),
        )
    return table


def device(view: api.DeviceView, *, now_ms: int) -> Table:
    """Everything about one device."""
    table = cells.facts()
    table.add_row("device", cells.plain(view.name))
    table.add_row("region", cells.plain(view.region))
    table.add_row("status", cells.status(view.status))
    table.add_row("reason", cells.plain(view.reason))
    table.add_row("profile", cells.plain(view.profile))
    table.add_row("machine", cells.plain(view.machine))
    table.add_row("agent", cells.plain(view.agent_version))
    table.add_row("engines", cells.plain(", ".join(view.engines)))
    table.add_row("cores", cells.plain(view.cores))
    table.add_row("memory", cells.size(view.memory_bytes))
    table.add_row("workers", cells.plain(view.workers))
    table.add_row("widest program", cells.plain(f"{view.max_qubits} qubits" if view.max_qubits else None))
    table.add_row("tasks", cells.plain(f"{view.running} running, {view.queued} queued"))
    table.add_row("load", cells.plain(None if view.load is None else f"{view.load:.0%}"))
    table.add_row(
        "temperature", cells.plain(None if view.temperature_c is None else f"{view.temperature_c:.0f} °C")
    )
    table.add_row("seen", cells.plain(cells.ago(view.last_seen, now_ms)))
    _add_way(table, view, now_ms)
    if view.quantum_key:
        table.add_row("quantum key", cells.plain(view.quantum_key))
    table.add_row("certificate until", cells.plain(cells.moment(view.certificate_expires)))
    told = f"{wording.counted(view.confirmed, 'result')} confirmed, {view.contradicted:g} contradicted"
    table.add_row("trust", cells.plain(None if view.trust is None else f"{view.trust:.2f} ({told})"))
    return table


def _add_way(table: Table, view: api.DeviceView, now_ms: int) -> None:
    """Which way carries its messages, when it is there, and how they go; nothing where there is one only."""
    way = view.way
    if way is None:
        return
    latency = "" if way.latency_ms is None else f", round trip {way.latency_ms:.0f} ms"
    table.add_row("way", cells.plain(f"{way.name} ({way.kind}) by {way.gateway}{latency}"))
    table.add_row("taken", cells.plain(cells.ago(way.since, now_ms)))
    if way.contact is not None:
        returns = f"next {cells.moment(way.returns)}" if way.returns is not None else "no next one is planned"
        open_now = way.contact.opens <= now_ms < way.contact.closes
        state = f"open until {cells.moment(way.contact.closes)}" if open_now else "closed"
        table.add_row(
            "contact", cells.plain(f"{state}; {returns}{', by the contact plan' if way.planned else ''}")
        )
    if view.heard_within_ms is not None:
        table.add_row("silent after", cells.plain(cells.duration(view.heard_within_ms)))
    if way.batch_ms:
        waiting = f", {view.waiting_down} wait" if view.waiting_down else ""
        table.add_row(
            "delivery", cells.plain(f"gathered for {cells.duration(way.batch_ms)}, sent together{waiting}")
        )
