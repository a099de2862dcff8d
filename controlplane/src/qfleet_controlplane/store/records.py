"""The machine's state as rows, and rows as the machine's state.

Loading gives what the last commit left, minus hints: nothing is connected, no assignment is
answered, and the inventories of the devices settle the rest.
"""

from typing import Any, get_args

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.machine import effects, state
from qfleet_controlplane.planning import trust
from qfleet_controlplane.planning.plan import Plan
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.store.bulk import Row
from qfleet_controlplane.store.tables import fleet, work
from qfleet_wire import api, codec, payloads, workload
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId

UNFINISHED = tuple(sorted(set(get_args(api.JobStatus)) - set(api.FINISHED)))
"""Named one by one: a database finds few among many by what they are, not by what they are not."""

_json = msgspec.json.Encoder()
_view = msgspec.json.Decoder(api.JobView)
_request = msgspec.json.Decoder(api.JobRequest)
_specification = msgspec.msgpack.Decoder(Specification)
_plan = msgspec.msgpack.Decoder(Plan)
_WORK_RESULT: Any = workload.WorkResult
_texts = msgspec.json.Decoder(tuple[str, ...])
_SHARES = sa.select(work.jobs, work.shares.c.status, work.shares.c.finished, work.shares.c.view).join(
    work.shares, work.jobs.c.id == work.shares.c.job
)


def job_row(job: state.Job) -> Row:
    """Row of ``jobs``."""
    return (
        job.id,
        job.created,
        _json.encode(job.request),
        codec.encode(job.specification),
        codec.encode(job.plan),
    )


def share_row(job: state.Job, view: api.JobView, region: str) -> Row:
    """Row of ``shares``."""
    return (job.id, region, job.status, job.created, job.finished, _json.encode(view))


def task_row(task: state.Task, region: str) -> Row:
    """Row of ``tasks``."""
    return (
        task.job.id,
        task.position,
        task.status,
        task.attempt,
        task.device,
        task.failures,
        task.losses,
        task.progress,
        _json.encode(task.errors).decode() if task.errors else "",
        _json.encode(task.excluded).decode() if task.excluded else "",
        task.digest,
        region,
    )


def result_row(effect: effects.SaveResult) -> Row:
    """Row of ``results``."""
    job, position = split_task(effect.task)
    return (
        job,
        position,
        effect.result.attempt,
        effect.device,
        effect.raw,
        effect.result.artefact,
        effect.batch,
        effect.position,
        effect.received,
    )


def device_row(device: state.Device, region: str) -> Row:
    """Row of ``devices``."""
    return (
        device.name,
        device.status,
        None if device.reason is None else device.reason.replace("\0", "\ufffd"),
        device.record.trust,
        device.last_seen,
        device.certificate_hash,
        device.certificate_expires,
        None if device.announcement is None else codec.encode(device.announcement),
        None if device.heartbeat is None else codec.encode(device.heartbeat),
        region,
        *device.record,
    )


def split_task(task: TaskId) -> tuple[JobId, int]:
    """Job and position of a task's id; an id that no job of ours gave is nobody's."""
    job, _, position = task.rpartition("-")
    return JobId(job), int(position) if position.isascii() and position.isdigit() else -1


def errors_of(text: str) -> tuple[str, ...]:
    """Read the JSON list of a task's errors or excluded devices."""
    return _texts.decode(text) if text else ()


def view_of(data: bytes) -> api.JobView:
    """Read a stored job view."""
    return _view.decode(data)


def request_of(data: bytes) -> api.JobRequest:
    """Read a stored request."""
    return _request.decode(data)


def specification_of(data: bytes) -> Specification:
    """Read a stored specification."""
    return _specification.decode(data)


def plan_of(data: bytes) -> Plan:
    """Read a stored plan."""
    return _plan.decode(data)


def work_result_of(body: bytes) -> workload.WorkResult:
    """Read a result's body; raise the wire's errors for one that is none."""
    result: workload.WorkResult = codec.decode(body, _WORK_RESULT, limit=LIMITS.artefact_bytes)
    return result


def load(connection: sa.Connection, region: str) -> state.State:
    """Rebuild a region's machine: its devices, and its unfinished shares with the tasks that are its own."""
    known = state.State()
    for row in connection.execute(sa.select(fleet.devices).where(fleet.devices.c.region == region)):
        device = device_of(row)
        known.devices[device.name] = device
    query = _SHARES.where(work.shares.c.region == region, work.shares.c.status.in_(UNFINISHED))
    for row in connection.execute(query.order_by(work.jobs.c.created, work.jobs.c.id)).all():
        known.add(_job(connection, row, region))
    return known


def load_share(connection: sa.Connection, job: JobId, region: str) -> state.Job | None:
    """A region's share of a job with the tasks that are its own; None where it has none.

    A share that is over is loaded too: ``status`` says so.
    """
    query = _SHARES.where(work.shares.c.job == job, work.shares.c.region == region)
    row = connection.execute(query).first()
    return None if row is None else _job(connection, row, region)


def _job(connection: sa.Connection, row: sa.Row[Row], region: str) -> state.Job:
    view = view_of(row.view)
    job = state.Job(
        id=JobId(row.id),
        request=request_of(row.request),
        specification=specification_of(row.specification),
        plan=plan_of(row.plan),
        created=Millis(row.created),
        status=row.status,
        finished=row.finished,
        devices=set(view.devices),
        errors=list(view.errors),
        placement=state.lasting(view.placement),
    )
    if job.request.deadline_s is not None:
        job.deadline = Millis(job.created + int(job.request.deadline_s * 1000))
    mine = sa.select(work.tasks).where(work.tasks.c.job == job.id, work.tasks.c.region == region)
    job.tasks = [_task(job, found) for found in connection.execute(mine.order_by(work.tasks.c.position))]
    return job


def _task(job: state.Job, row: sa.Row[Row]) -> state.Task:
    return state.Task(
        id=TaskId(f"{job.id}-{row.position}"),
        job=job,
        position=row.position,
        status=row.status,
        attempt=row.attempt,
        device=None if row.device is None else DeviceName(row.device),
        failures=row.failures,
        losses=row.losses,
        errors=errors_of(row.errors),
        excluded=errors_of(row.excluded),
        digest=row.digest,
        progress=row.progress,
    )


def device_of(row: sa.Row[Any]) -> state.Device:
    """Read a row of ``devices``."""
    return state.Device(
        name=DeviceName(row.name),
        status=row.status,
        announcement=_optional(row.announcement, payloads.Announcement),
        heartbeat=_optional(row.heartbeat, payloads.Heartbeat),
        last_seen=row.last_seen,
        reason=row.reason,
        record=trust.Record(row.confirmed, row.contradicted, row.judged, row.suspicion),
        certificate_hash=row.certificate_hash,
        certificate_expires=row.certificate_expires,
    )


def _optional(data: bytes | None, kind: type[codec.T]) -> codec.T | None:
    return None if data is None else codec.decode(data, kind)
