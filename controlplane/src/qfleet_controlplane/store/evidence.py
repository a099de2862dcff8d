"""Reads of all that a job's result follows from, as the devices have signed it."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.store import queries
from qfleet_controlplane.store.tables import fleet, work
from qfleet_wire import codec, payloads
from qfleet_wire.names import JobId, Millis

_CHAIN = msgspec.msgpack.Decoder(tuple[bytes, ...])


class Stored(NamedTuple):
    """A job as it was stored: JSON of its request, MessagePack of its specification and plan."""

    created: Millis
    request: bytes
    specification: bytes
    plan: bytes


class Result(NamedTuple):
    """A stored result, what became of it, and the content of its artefact if it has one."""

    position: int
    device: str
    status: str
    attempt: int
    received: Millis
    raw: bytes
    body: bytes | None
    batch: bytes
    batch_position: int


class Batch(NamedTuple):
    """A signed flush."""

    id: bytes
    device: str
    signature: bytes
    digests: bytes
    received: Millis


def job(connection: sa.Connection, name: JobId) -> Stored | None:
    """A job; None for an unknown one."""
    row = connection.execute(sa.select(work.jobs).where(work.jobs.c.id == name)).first()
    if row is None:
        return None
    return Stored(Millis(row.created), row.request, row.specification, row.plan)


def results(connection: sa.Connection, name: JobId) -> Iterator[Result]:
    """The results of a job that count, that agree with one that does, or that were outvoted."""
    same = sa.and_(work.tasks.c.job == work.results.c.job, work.tasks.c.position == work.results.c.position)
    query = sa.select(work.results, work.tasks.c.status).join(work.tasks, same)
    query = query.where(work.results.c.job == name, work.tasks.c.status.in_(("succeeded", "rejected")))
    for row in connection.execute(query.order_by(work.results.c.position)).all():
        large = None if row.artefact is None else queries.artefact(connection, row.device, row.artefact)
        yield Result(
            row.position, row.device, row.status, row.attempt, row.received, row.raw, large, row.batch,
            row.batch_position,
        )  # fmt: skip


def batches(connection: sa.Connection, ids: Sequence[bytes]) -> list[Batch]:
    """The flushes of these names."""
    found: list[Batch] = []
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        query = sa.select(work.result_batches).where(work.result_batches.c.id.in_(some))
        found += [Batch(*row) for row in connection.execute(query.order_by(work.result_batches.c.id))]
    return found


def chains(connection: sa.Connection, device: str) -> list[tuple[bytes, ...]]:
    """Every certificate chain that a device was ever granted, the newest first."""
    granted: Any = fleet.certificates.c
    query = sa.select(granted.chain).where(granted.device == device).order_by(granted.not_before.desc())
    return [_CHAIN.decode(row.chain) for row in connection.execute(query)]


def machine(connection: sa.Connection, device: str) -> str:
    """The architecture that a device has announced; empty where it has not."""
    told = connection.scalar(sa.select(fleet.devices.c.announcement).where(fleet.devices.c.name == device))
    return "" if told is None else codec.decode(told, payloads.Announcement).machine
