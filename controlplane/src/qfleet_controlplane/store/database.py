"""The store as one thing to open, hand around and close."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from qfleet_controlplane.store import engines, migrate
from qfleet_controlplane.store.writer import StoreFailed, Writer

T = TypeVar("T")
_READERS = 2


class Database:
    """A database whose schema is up to date. ``writer`` is the only way to change it."""

    def __init__(self, url: str) -> None:
        migrate.upgrade(url)
        self.writer = Writer(url)
        self._engine = engines.open_reader(url)
        self._threads = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="store-reader")

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
            raise StoreFailed(f"the database cannot be read: {type(error).__name__}") from error

    def close(self) -> None:
        """Finish what runs, and close every connection."""
        self._threads.shutdown(wait=True)
        self._engine.dispose()
        self.writer.close()
