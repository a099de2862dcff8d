"""Reads of committed state that do not stand in memory: finished jobs, results, artefacts."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.store import records
from qfleet_controlplane.store.bulk import Row
from qfleet_controlplane.store.tables import work
from qfleet_wire import api, codec, payloads
from qfleet_wire.names import DeviceName, JobId


class StoredJob(NamedTuple):
    """A job as the last commit left it."""

    view: api.JobView
    request: api.JobRequest
    specification: Specification


class StoredResult(NamedTuple):
    """A result that counts; ``body`` is an encoded ``workload.WorkResult``."""

    position: int
    device: DeviceName
    attempt: int
    provenance: payloads.Provenance | None
    body: bytes


def job_views(connection: sa.Connection, limit: int, status: str | None) -> Sequence[api.JobView]:
    """List jobs, the newest first."""
    query = sa.select(work.job_states.c.view).order_by(
        work.job_states.c.created.desc(), work.job_states.c.job.desc()
    )
    if status is not None:
        query = query.where(work.job_states.c.status == status)
    return [records.view_of(row.view) for row in connection.execute(query.limit(limit))]


def job_view(connection: sa.Connection, job: JobId) -> api.JobView | None:
    """A job's view; None for an unknown one."""
    row = connection.execute(sa.select(work.job_states.c.view).where(work.job_states.c.job == job)).first()
    return None if row is None else records.view_of(row.view)


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
        sa.select(work.jobs.c.request, work.jobs.c.specification, work.job_states.c.view)
        .join(work.job_states, work.jobs.c.id == work.job_states.c.job)
        .where(work.jobs.c.id == job)
    ).first()
    if row is None:
        return None
    return StoredJob(
        records.view_of(row.view),
        records.request_of(row.request),
        records.specification_of(row.specification),
    )


def results(connection: sa.Connection, job: JobId) -> Iterator[StoredResult]:
    """The results of a job that count, in the order of its tasks."""
    query = sa.select(work.results).where(work.results.c.job == job).order_by(work.results.c.position)
    for row in connection.execute(query).all():
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


def drop_stray_chunks(connection: sa.Connection) -> None:
    """Delete chunks that no counted result stands on; devices send what still matters again."""
    counted = sa.select(work.results.c.artefact).where(work.results.c.artefact.is_not(None))
    connection.execute(work.chunks.delete().where(work.chunks.c.digest.not_in(counted)))


def _result(connection: sa.Connection, row: sa.Row[Row]) -> StoredResult:
    told = codec.decode(row.raw, payloads.TaskResult)
    body = bytes(told.body) if row.artefact is None else artefact(connection, row.device, row.artefact)
    return StoredResult(row.position, DeviceName(row.device), row.attempt, told.provenance, body)
