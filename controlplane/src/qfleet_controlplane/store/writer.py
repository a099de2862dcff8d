"""A writer: a thread that owns a writing connection, a transaction at a time.

SQLite has one writer at most; giving it to one thread makes that no matter of luck. On PostgreSQL each
region has its own; a connection that was lost is replaced for the next transaction. Whoever writes
hands over a function that takes the connection; it is committed when it returns and rolled back
when it raises. The event loop never waits for a disk.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.store import engines

T = TypeVar("T")


class StoreFailed(Unavailable):
    """The database did not take a transaction; nothing of it was stored."""


class Writer:
    """Runs transactions in order. Close it at the end; it cannot be opened again."""

    def __init__(self, url: str) -> None:
        self._engine = engines.open_writer(url)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")
        self.transactions = 0
        """Transactions since the start, failed ones too."""
        self.seconds = 0.0
        """Time that they took, commits included."""

    async def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Run ``work`` in a transaction of its own and return what it returns, committed.

        Raises:
            StoreFailed: the database refused; what ``work`` itself raises comes through unchanged.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.transact, work)

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """As ``run``, in the calling thread: for commands without an event loop."""
        started = time.perf_counter()
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except exc.SQLAlchemyError as error:
            raise StoreFailed(
                f"the database did not take a transaction: {reason(error)}; look at its disk and permissions"
            ) from error
        finally:
            self.transactions += 1
            self.seconds += time.perf_counter() - started

    def close(self) -> None:
        """Finish what was handed over, and close the connection."""
        self._thread.shutdown(wait=True)
        self._engine.dispose()


def reason(error: exc.SQLAlchemyError) -> str:
    """The driver's own first line: what follows, and SQLAlchemy's words, would carry values into the log."""
    original = getattr(error, "orig", None)
    lines = str(original).splitlines() if original is not None else []
    return lines[0] if lines else type(error).__name__
