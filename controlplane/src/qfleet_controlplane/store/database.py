"""The store as one thing to open, hand around and close."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from qfleet_controlplane.store import engines, migrate
from qfleet_controlplane.store.writer import StoreFailed, Writer, reason

T = TypeVar("T")
_READERS = 2


class Database:
    """A database whose schema is up to date. Its writers are the only way to change it."""

    def __init__(self, url: str) -> None:
        migrate.upgrade(url)
        self._url = url
        self._writers: dict[str, Writer] = {}
        self.writer = Writer(url)
        """For what belongs to no region: leases, tokens, migrations."""
        self._engine = engines.open_reader(url)
        self._threads = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="store-reader")

    def writer_for(self, region: str) -> Writer:
        """The writer of a region's transactions: one of its own where the database takes several at once."""
        if engines.is_sqlite(self._url):
            return self.writer
        if region not in self._writers:
            self._writers[region] = Writer(self._url)
        return self._writers[region]

    @property
    def writers(self) -> list[Writer]:
        """All writers, for their figures."""
        return [self.writer, *self._writers.values()]

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Run ``query`` on committed state, in a thread; it must return no live cursor.

        Raises:
            StoreFailed: the database cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.read_now, query)

    def read_now(self, query: Callable[[sa.Connection], T]) -> T:
        """As ``read``, in the calling thread."""
        try:
            with self._engine.begin() as connection:
                return query(connection)
        except exc.SQLAlchemyError as error:
            raise StoreFailed(f"the database cannot be read: {reason(error)}") from error

    def close(self) -> None:
        """Finish what runs, and close every connection."""
        self._threads.shutdown(wait=True)
        self._engine.dispose()
        for writer in self.writers:
            writer.close()
