"""What a region is like now, counted from the machine's state, for whoever places work."""

import statistics
from collections.abc import Iterable

from qfleet_controlplane.machine import state, tables
from qfleet_controlplane.planning import cost, kinds, regions
from qfleet_wire.names import Millis

_NEVER = Millis(0)
UNREACHABLE_MS = 3_000
"""A broker that was not connected for so long counts as out of reach; a shorter gap is a reconnect."""


def facts(known: state.State, description: regions.Description, now: Millis = _NEVER) -> regions.RegionFacts:
    """Count the region. Costs a few milliseconds with 10,000 devices: for every second, not every event.

    ``now`` tells how long the broker has been away; without it, it counts as connected.
    """
    members: list[tuple[regions.DeviceClass, bool]] = []
    workers = online = 0
    backlog_ms = 0.0
    held = 0
    for device in known.devices.values():
        backlog_ms += device.backlog_ms
        held += len(device.held)
        kind = known.kind_of(device)
        if kind is None or device.status in tables.OUT_OF_SERVICE:
            continue
        there = device.status == "online"
        members.append((kind, there))
        if there:
            online += 1
            workers += kind.workers
    classes = regions.classes(members)
    pending = 0
    for job in known.jobs.values():
        if job.pending:
            pending += len(job.pending)
            backlog_ms += len(job.pending) * task_ms(job, classes)
    return regions.RegionFacts(
        name=description.name,
        residency=description.residency,
        energy_price=description.energy_price,
        latency_ms=statistics.median(known.latencies) if known.latencies else None,
        backlog_ms=round(backlog_ms, 1),
        pending=pending,
        held=held,
        workers=workers,
        devices=len(members),
        online=online,
        classes=classes,
        reachable=reachable(known, now),
    )


def reachable(known: state.State, now: Millis) -> bool:
    """Whether the broker is connected, or was a moment ago."""
    since = known.link_down_since
    return since is None or now - since < UNREACHABLE_MS


def task_ms(job: state.Job, classes: Iterable[regions.DeviceClass]) -> float:
    """Estimated time of one of a job's tasks on the region's median class; estimated once."""
    if job.task_ms == 0.0 and job.plan.slices:
        calibrations = [cost.calibration_of(kind, job.specification.capability) for kind in classes]
        part = job.plan.slices[0]
        each = kinds.typical(job.specification, calibrations)
        job.task_ms = cost.TASK_MS + each.cost_ms(part.items, part.shots)
    return job.task_ms
