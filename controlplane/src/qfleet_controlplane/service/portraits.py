"""Jobs, tasks and devices as the API shows them."""

from collections.abc import Iterable, Sequence

import msgspec

from qfleet_controlplane.machine import state
from qfleet_controlplane.machine.turn import way_of
from qfleet_controlplane.store import records
from qfleet_controlplane.store.bulk import Row
from qfleet_wire import api
from qfleet_wire.ways import Way


def job_view(job: state.Job) -> api.JobView:
    """A job as the machine has it now."""
    return api.JobView(
        id=job.id,
        name=job.request.name,
        kind=job.request.kind,
        status=job.status,  # type: ignore[arg-type]  # the table has these values and no other
        created=job.created,
        finished=job.finished,
        items=job.items,
        progress=min(1.0, job.done_items / job.all_items) if job.all_items else 1.0,
        tasks=api.TaskCounts(**job.counts),
        devices=tuple(sorted(job.devices)),
        plan=job.plan.sentences,
        errors=tuple(job.errors),
        placement=(*job.placement, f"{state.WAITS}{job.waiting}.") if job.waiting else tuple(job.placement),
    )


def task_views(rows: Iterable[Row], items: Sequence[int]) -> tuple[api.TaskView, ...]:
    """Rows of ``tasks``, in order, as views; ``items`` per task."""
    return tuple(_task_view(row, count) for row, count in zip(rows, items, strict=True))


def _task_view(row: Row, items: int) -> api.TaskView:
    job, position, status, attempt, device, _, _, progress, errors, *_ = row
    return api.TaskView(
        id=f"{job}-{position}",
        status=status,
        attempt=attempt,
        device=device,
        items=items,
        progress=progress,
        errors=records.errors_of(errors),
    )


def device_view(device: state.Device, region: str) -> api.DeviceView:
    """A device as the machine has it now."""
    told, beat = device.announcement, device.heartbeat
    return api.DeviceView(
        name=device.name,
        region=region,
        status=device.status,  # type: ignore[arg-type]  # the table has these values and no other
        profile=told.profile if told else None,
        machine=told.machine if told else None,
        agent_version=told.agent_version if told else None,
        engines=tuple(f"{engine.name} {engine.version}" for engine in told.engines) if told else (),
        cores=told.cores if told else None,
        memory_bytes=told.memory_bytes if told else None,
        workers=told.workers if told else None,
        max_qubits=told.max_qubits if told else None,
        last_seen=device.last_seen,
        running=beat.running if beat else 0,
        queued=beat.queued if beat else 0,
        load=beat.load if beat else None,
        temperature_c=beat.temperature_c if beat else None,
        certificate_expires=device.certificate_expires,
        trust=device.record.trust,
        confirmed=device.record.confirmed,
        contradicted=device.record.contradicted,
        reason=device.reason,
        way=_way(device),
        heard_within_ms=device.patience_ms,
        waiting_down=len(device.gathered),
        quantum_key=beat.quantum_key if beat else "",
    )


def _way(device: state.Device) -> Way | None:
    """The way as it was told, with the round trip that was measured last."""
    way, beat = way_of(device), device.heartbeat
    if way is None or beat is None or beat.latency_ms is None:
        return way
    return msgspec.structs.replace(way, latency_ms=beat.latency_ms)
