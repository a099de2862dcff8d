"""Reads of committed state that do not stand in memory: finished jobs, results, artefacts."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.store import records
from qfleet_controlplane.store.bulk import Row
from qfleet_controlplane.store.tables import control, fleet, work
from qfleet_wire import api, codec, payloads
from qfleet_wire.names import DeviceName, JobId, Millis

_REQUEST = sa.select(work.jobs.c.request).where(work.jobs.c.id == sa.bindparam("job"))
"""Made once: putting a statement together takes as long as running it."""
_PAGE = 100
"""Jobs that are read at once while listing them."""


class StoredJob(NamedTuple):
    """A job as the last commit left it; a view for each share."""

    views: Sequence[api.JobView]
    request: api.JobRequest
    specification: Specification


class StoredResult(NamedTuple):
    """A result that counts; ``body`` is an encoded ``workload.WorkResult``."""

    position: int
    device: DeviceName
    attempt: int
    provenance: payloads.Provenance | None
    body: bytes


def request_of(connection: sa.Connection, job: JobId) -> api.JobRequest | None:
    """What was asked for; None for an unknown job."""
    row = connection.scalar(_REQUEST, {"job": job})
    return None if row is None else records.request_of(row)


def newest(connection: sa.Connection, status: str | None = None) -> Iterator[tuple[JobId, list[api.JobView]]]:
    """Jobs with the views of their shares, the newest first; read as far as the caller goes.

    With ``status``, jobs that cannot have it over all their shares are left out; whether one has it, the
    caller sees by combining them.
    """
    before: tuple[int, str] | None = None
    while page := _page(connection, status, before):
        shares = share_views(connection, [job for _, job in page])
        for created, job in page:
            yield job, shares[job]
            before = (created, job)


def share_views(connection: sa.Connection, jobs: Sequence[JobId]) -> dict[JobId, list[api.JobView]]:
    """The views of each job's shares in the order of their regions; unknown jobs are left out.

    A share that tasks are on their way to counts as running, whatever its last commit said.
    """
    adopting = sa.exists().where(
        control.orders.c.region == work.shares.c.region,
        control.orders.c.kind == "adopt",
        control.orders.c.subject == work.shares.c.job,
    )
    query = sa.select(work.shares.c.job, work.shares.c.view, adopting.label("adopting"))
    query = query.where(work.shares.c.job.in_(jobs)).order_by(work.shares.c.job, work.shares.c.region)
    found: dict[JobId, list[api.JobView]] = {}
    for row in connection.execute(query):
        view = records.view_of(row.view)
        if row.adopting and view.status in api.FINISHED:
            view = msgspec.structs.replace(view, status="running", finished=None)
        found.setdefault(JobId(row.job), []).append(view)
    return found


def job_views(connection: sa.Connection, job: JobId) -> list[api.JobView]:
    """The views of a job's shares; none for an unknown one."""
    return share_views(connection, [job]).get(job, [])


def task_rows(connection: sa.Connection, job: JobId) -> list[Row]:
    """A job's rows of ``tasks``, in order."""
    query = sa.select(work.tasks).where(work.tasks.c.job == job).order_by(work.tasks.c.position)
    return [tuple(row) for row in connection.execute(query)]


def plan_items(connection: sa.Connection, job: JobId) -> list[int]:
    """Number of items of each of a job's slices."""
    row = connection.execute(sa.select(work.jobs.c.plan).where(work.jobs.c.id == job)).one()
    return [part.items for part in records.plan_of(row.plan).slices]


def stored_job(connection: sa.Connection, job: JobId) -> StoredJob | None:
    """A job with what is needed to read its results; None for an unknown one."""
    row = connection.execute(
        sa.select(work.jobs.c.request, work.jobs.c.specification).where(work.jobs.c.id == job)
    ).first()
    if row is None:
        return None
    return StoredJob(
        job_views(connection, job),
        records.request_of(row.request),
        records.specification_of(row.specification),
    )


def results(connection: sa.Connection, job: JobId, copies: int = 1) -> Iterator[StoredResult]:
    """The results of a job that count, in the order of its tasks.

    With ``copies`` of each task there are further ones: of those that agree the first counts.
    """
    query = sa.select(work.results).where(work.results.c.job == job).order_by(work.results.c.position)
    if copies > 1:
        good = sa.and_(
            work.tasks.c.job == work.results.c.job,
            work.tasks.c.position == work.results.c.position,
            work.tasks.c.status == "succeeded",
        )
        query = query.join(work.tasks, good)
    last = -1
    for row in connection.execute(query).all():
        if row.position // copies != last:
            last = row.position // copies
            yield _result(connection, row)


def result(connection: sa.Connection, job: JobId, position: int) -> StoredResult | None:
    """The result of one task, if one counts."""
    row = connection.execute(
        sa.select(work.results).where(work.results.c.job == job, work.results.c.position == position)
    ).first()
    return None if row is None else _result(connection, row)


def artefact(connection: sa.Connection, device: str, digest: bytes) -> bytes:
    """The chunks of an artefact, put together; the digest is the caller's to verify."""
    pieces = sa.select(work.chunks.c.data).where(
        work.chunks.c.device == device, work.chunks.c.digest == digest
    )
    return b"".join(row.data for row in connection.execute(pieces.order_by(work.chunks.c.position)))


def drop_stray_chunks(connection: sa.Connection, region: str = "") -> None:
    """Delete a region's chunks that no counted result stands on; devices send what still matters again.

    Only when the region's machine comes up: one that runs counts on the chunks it has seen.
    """
    counted = sa.select(work.results.c.artefact).where(work.results.c.artefact.is_not(None))
    here = sa.select(fleet.devices.c.name).where(fleet.devices.c.region == region)
    stray = work.chunks.c.device.in_(here), work.chunks.c.digest.not_in(counted)
    connection.execute(work.chunks.delete().where(*stray))


def telemetry(
    connection: sa.Connection, device: DeviceName, limit: int, *, since: int = 0
) -> list[tuple[int, Millis, bytes]]:
    """Number, time and body of what a device measured last and not before ``since``, the newest first."""
    told = fleet.telemetry.c
    query = sa.select(told.sequence, told.at, told.body).where(told.device == device, told.at >= since)
    rows = connection.execute(query.order_by(told.sequence.desc()).limit(limit))
    return [(row.sequence, Millis(row.at), row.body) for row in rows]


def drop_telemetry(connection: sa.Connection, devices: Sequence[DeviceName], before: Millis) -> int:
    """Delete what these devices measured before a time; return how many rows."""
    old = fleet.telemetry.c.device.in_(devices) & (fleet.telemetry.c.at < before)
    return connection.execute(fleet.telemetry.delete().where(old)).rowcount


def device_names(connection: sa.Connection) -> list[DeviceName]:
    """Every device that was ever invited."""
    return [DeviceName(name) for name in connection.scalars(sa.select(fleet.devices.c.name))]


def _page(
    connection: sa.Connection, status: str | None, before: tuple[int, str] | None
) -> list[tuple[int, JobId]]:
    """Creation and id of the next jobs that may have a status."""
    shares: Any = work.shares.c
    query: sa.Select[Any] = sa.select(shares.created, shares.job).distinct()
    if status in records.UNFINISHED:
        # Two searches by index, where one by either condition would look at every job there ever was.
        coming = sa.select(control.orders.c.subject).where(control.orders.c.kind == "adopt")
        either = sa.union(
            query.where(shares.status.in_(records.UNFINISHED)), query.where(shares.job.in_(coming))
        ).subquery()
        query, shares = sa.select(either), either.c
    elif status is not None:
        query = query.where(_may_be(status))
    if before is not None:
        query = query.where(sa.tuple_(shares.created, shares.job) < before)
    query = query.order_by(shares.created.desc(), shares.job.desc()).limit(_PAGE)
    return [(row.created, JobId(row.job)) for row in connection.execute(query)]


def _may_be(status: str) -> sa.ColumnElement[bool]:
    """What some share of a job that is over with this status must be.

    A job that is partly done has such a share, or one that failed beside another that did not.
    """
    shares = work.shares.c
    if status != "partial":
        return shares.status == status
    others = work.shares.alias("others")
    mixed = sa.exists().where(others.c.job == shares.job, others.c.status != shares.status)
    return sa.or_(shares.status == "partial", sa.and_(shares.status == "failed", mixed))


def whole_result(row: Row) -> StoredResult:
    """Read a row of ``results`` that has no artefact."""
    _, position, attempt, device, raw = row[:5]
    told = codec.decode(raw, payloads.TaskResult)
    return StoredResult(position, DeviceName(device), attempt, told.provenance, bytes(told.body))


def _result(connection: sa.Connection, row: sa.Row[Row]) -> StoredResult:
    found = whole_result(tuple(row))
    if row.artefact is None:
        return found
    return found._replace(body=artefact(connection, row.device, row.artefact))
