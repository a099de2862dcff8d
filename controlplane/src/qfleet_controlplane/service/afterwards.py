"""What follows from a commit and takes reads: putting artefacts together, comparing results.

Each ends in an event for the machine. If the process dies before, the device sends its result
again and it all starts over.
"""

import asyncio
import hashlib
import itertools
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.machine import effects, events
from qfleet_controlplane.planning import kinds
from qfleet_controlplane.service.batch import Batch
from qfleet_controlplane.store import queries, records
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.writer import StoreFailed
from qfleet_wire.errors import RemoteError

_log = logging.getLogger(__name__)

_AGAIN_S = 1.0


class Afterwards:
    """Runs the reads that committed batches ask for, and posts what they find."""

    def __init__(self, database: Database, post: Callable[[events.Event], object]) -> None:
        self._database = database
        self._post = post
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, batch: Batch) -> None:
        """Start what a batch asks for."""
        for effect in batch.assemble:
            self._start(partial(self._assemble, effect))
        if batch.weigh:
            self._start(partial(self._weigh, batch.weigh))
        if batch.compare:
            self._start(partial(self._compare, batch.compare))

    async def close(self) -> None:
        """Stop what runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(self._insist(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _insist(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Read until it works: the machine asks only once, and waits for the event."""
        while True:
            try:
                await work()
            except StoreFailed as error:
                _log.error("A read after a commit failed: %s.", error, extra={"action": "read-failed"})
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _assemble(self, effect: effects.Assemble) -> None:
        def query(connection: sa.Connection) -> bytes | None:
            body = queries.artefact(connection, effect.device, effect.digest)
            return body if hashlib.sha256(body).digest() == effect.digest else None

        body = await self._database.read(query)
        self._post(events.Assembled(effect.device, effect.digest, body))

    async def _compare(self, wanted: list[effects.Compare]) -> None:
        def query(connection: sa.Connection) -> list[events.Compared]:
            found = (compared(connection, effect) for effect in wanted)
            return [event for event in found if event is not None]

        for event in await self._database.read(query):
            self._post(event)

    async def _weigh(self, wanted: list[effects.Weigh]) -> None:
        def query(connection: sa.Connection) -> list[events.Weighed]:
            return [weighed(connection, effect) for effect in wanted]

        for event in await self._database.read(query):
            self._post(event)


def weighed(connection: sa.Connection, effect: effects.Weigh) -> events.Weighed:
    """Compare the results of copies, each with each; those that are not there any more are left out."""
    found: list[tuple[effects.Weighing, queries.StoredResult]] = []
    for copy in effect.copies:
        stored = queries.result(connection, effect.job, copy.position)
        if stored is not None and hashlib.sha256(stored.body).digest() == copy.digest:
            found.append((copy, stored))
    pairs = itertools.combinations(found, 2)
    return events.Weighed(effect.job, tuple(_relation(*one, *other) for one, other in pairs))


def _relation(
    one: effects.Weighing, first: queries.StoredResult, other: effects.Weighing, second: queries.StoredResult
) -> events.Weighing:
    """Demand equality, up to rounding, where both ran the same engine on the same architecture."""
    exact = bool(one.machine) and one.machine == other.machine and _engine(first) == _engine(second)
    difference = None
    if first.body != second.body:
        try:
            left, right = records.work_result_of(first.body), records.work_result_of(second.body)
            exact = exact and kinds.reproduced(left)
            difference = kinds.contradiction(left, right, exact=exact)
        except RemoteError as error:
            difference = f"a result cannot be read: {error}"
    return events.Weighing(one.position, other.position, one.digest, other.digest, difference, exact)


def _engine(stored: queries.StoredResult) -> tuple[str, str] | None:
    told = stored.provenance
    return None if told is None else (told.engine, told.engine_version)


def compared(connection: sa.Connection, effect: effects.Compare) -> events.Compared | None:
    """Compare with what counts; None where nothing does, or where it is that very delivery."""
    told = effect.result
    job, position = records.split_task(told.task)
    first = queries.result(connection, job, position)
    if first is None or (first.device, first.attempt) == (effect.device, told.attempt):
        return None
    difference = _difference(first.body, told.artefact, told.body)
    return events.Compared(told.task, first.device, effect.device, difference)


def _difference(first: bytes, artefact: bytes | None, body: msgspec.Raw) -> str | None:
    if artefact is not None:  # its chunks are not kept: only equality can be told
        return None if hashlib.sha256(first).digest() == artefact else "large results that are not equal"
    second = bytes(body)
    if first == second:
        return None
    try:
        return kinds.differ(records.work_result_of(first), records.work_result_of(second))
    except RemoteError as error:
        return f"the second result cannot be read: {error}"
