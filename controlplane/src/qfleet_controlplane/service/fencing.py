"""The store as one region's runtime may use it: every transaction first holds the region's lease.

Whatever a runtime stores, it stores through this. A process that was paused, or cut off from the
database, thereby changes nothing after another has taken the region over.
"""

from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa

from qfleet_controlplane.store import leases
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.writer import Writer

T = TypeVar("T")


class FencedWriter(Writer):
    """A writer whose transactions fail with ``LeaseLost`` once the lease is not held.

    Args:
        writer: what it writes with; it stays its owner's to close.
        fence: the lease.
        lost: called in the event loop when a transaction finds the lease lost.
    """

    def __init__(self, writer: Writer, fence: leases.Fence, lost: Callable[[], None]) -> None:
        self._writer = writer
        self._fence = fence
        self._lost = lost

    async def run(self, work: Callable[[sa.Connection], T]) -> T:
        """As ``Writer.run``; raises ``LeaseLost`` besides."""
        try:
            return await self._writer.run(self._fenced(work))
        except leases.LeaseLost:
            self._lost()
            raise

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """As ``Writer.transact``; raises ``LeaseLost`` besides."""
        return self._writer.transact(self._fenced(work))

    def close(self) -> None:
        """Nothing: the writer is not ours."""

    def _fenced(self, work: Callable[[sa.Connection], T]) -> Callable[[sa.Connection], T]:
        def fenced(connection: sa.Connection) -> T:
            leases.hold(connection, self._fence)
            return work(connection)

        return fenced


class FencedDatabase(Database):
    """A database that is read as it is and written under one region's lease."""

    def __init__(self, database: Database, fence: leases.Fence, lost: Callable[[], None]) -> None:
        self._database = database
        self.writer = FencedWriter(database.writer_for(fence.region), fence, lost)

    def writer_for(self, region: str) -> Writer:  # noqa: ARG002 - there is one region here
        """The one fenced writer."""
        return self.writer

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        """As ``Database.read``."""
        return await self._database.read(query)

    def read_now(self, query: Callable[[sa.Connection], T]) -> T:
        """As ``Database.read_now``."""
        return self._database.read_now(query)

    def close(self) -> None:
        """Nothing: the database is not ours."""
