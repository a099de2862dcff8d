"""Submissions under a key of the caller's: a job is stored once, however often it is asked for.

A caller whose answer was lost asks again under the same key. The job's id is made of the key, so that
the primary key of the jobs lets one be stored, whichever controllers were asked and whenever. It holds
for as long as the job is kept. Nothing here may decide by what this process remembers. What is ordered of
devices' key processes has such keys too: ``key_repeats``.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import sqlalchemy as sa

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_controlplane.errors import Conflict
from qfleet_controlplane.service import readings
from qfleet_controlplane.store import queries
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.writer import StoreFailed
from qfleet_wire import api
from qfleet_wire.names import JobId

HEADER = "Idempotency-Key"
KEY_LETTERS = 64
_ID_BYTES = 8

Take: TypeAlias = Callable[[], Awaitable[api.JobView]]


def digest(key: str) -> bytes:
    """What is stored of a key, 32 bytes; raises ``RequestRefused`` for what is no key."""
    if not 1 <= len(key) <= KEY_LETTERS or not key.isascii() or not key.isprintable():
        hint = f"give 1 to {KEY_LETTERS} printable ASCII characters, new ones for whatever is new"
        raise RequestRefused(HEADER, f"is {key[: KEY_LETTERS + 1]!r}", hint)
    return hashlib.sha256(key.encode()).digest()


def job_of(key: str) -> JobId:
    """The id of the job that is stored under a key; raises ``RequestRefused`` for what is no key."""
    return JobId(digest(key)[:_ID_BYTES].hex())


def differs(was: str) -> Conflict:
    """The refusal of a request whose key was used for another one; ``was`` says for which."""
    return Conflict(
        f"{was} under this Idempotency-Key, and asks for something else",
        hint="ask for what differs under a new key",
        field=HEADER,
    )


class Repeats:
    """Tells a repeated submission from a new one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._under_way: dict[JobId, asyncio.Task[api.JobView]] = {}

    async def once(self, job: JobId, request: api.JobRequest, take: Take) -> api.JobView:
        """Return the job that is stored under this id, or else what ``take`` makes of the request.

        A caller that goes away does not stop what it has begun, so whoever repeats it waits for that.

        Raises:
            Conflict: another request is stored under this id.
        """
        while (other := self._under_way.get(job)) is not None:
            await asyncio.wait([other])
        task = asyncio.create_task(self._decide(job, request, take), name=f"submit-{job}")
        self._under_way[job] = task
        task.add_done_callback(lambda _: self._under_way.pop(job))
        return await asyncio.shield(task)

    async def _decide(self, job: JobId, request: api.JobRequest, take: Take) -> api.JobView:
        stored = await self._stored(job, request)
        if stored is not None:
            return stored
        try:
            return await take()
        except StoreFailed:
            # Another controller may have stored it just before; the database lets only one of us.
            stored = await self._stored(job, request)
            if stored is None:
                raise
            return stored

    async def _stored(self, job: JobId, request: api.JobRequest) -> api.JobView | None:
        def read(connection: sa.Connection) -> tuple[api.JobRequest, api.JobView | None] | None:
            known = queries.request_of(connection, job)
            return None if known is None else (known, readings.view(connection, job))

        found = await self._database.read(read)
        if found is None:
            return None
        known, view = found
        if known != request:
            raise differs(f"job {job} was submitted")
        return view
