"""The journal as the event loop sees it: every call is carried out by one thread, in order.

What is awaited from ``write`` or ``put`` is durable when it returns, so that whatever depends on
it may be sent. A full disk raises ``sqlite3.OperationalError`` only after the reserve is spent;
the caller tries the same writes again later.
"""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from qfleet_agent import facts
from qfleet_agent.errors import JournalDamaged, JournalUnusable
from qfleet_agent.journal import damage
from qfleet_agent.journal.layout import Name
from qfleet_agent.journal.reserve import Reserve
from qfleet_agent.journal.store import Contents, Kept, Store
from qfleet_agent.machine.effects import Write
from qfleet_agent.machine.events import Key

_P = ParamSpec("_P")
_T = TypeVar("_T")

SCHEMA_TIMEOUT_S = 60


def path_in(state: Path) -> Path:
    """Where the journal is in a state directory."""
    return state / "journal.sqlite"


def prepare(state: Path) -> Path:
    """Create or upgrade the journal in a process of its own; return its path. Blocking.

    Raises:
        JournalUnusable: with what that process said.
    """
    path = path_in(state)
    command = [sys.executable, "-m", "qfleet_agent.journal.schema", str(path)]
    try:
        subprocess.run(  # noqa: S603  # our own interpreter and module
            command, check=True, capture_output=True, text=True, timeout=SCHEMA_TIMEOUT_S
        )
    except subprocess.SubprocessError as error:
        said = getattr(error, "stderr", None) or str(error)
        raise JournalUnusable(f"the journal {path} cannot be prepared: {said.strip()[-500:]}") from error
    return path


class Journal:
    """An open journal with its thread."""

    def __init__(self, path: Path, *, most_bytes: int, reserve_bytes: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._reserve = Reserve(path.with_name("reserve"), reserve_bytes)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._store: Store | None = None

    async def open(self) -> Contents:
        """Open the journal and read what the machine is rebuilt from. Raises ``JournalUnusable``."""
        return await self._call(self._open)

    async def write(self, writes: Sequence[Write]) -> None:
        """Make ``writes`` durable in one transaction."""
        await self._call(self._sparing, self._opened.write, writes)

    async def put(self, values: Mapping[Name, bytes | None]) -> None:
        """Make single values durable together; None deletes one."""
        await self._call(self._sparing, self._opened.put, values)

    async def get(self, name: Name) -> bytes | None:
        """Read a single value."""
        return await self._call(self._opened.get, name)

    async def results(self, keys: Sequence[Key]) -> dict[Key, Kept]:
        """Read results from the outbox."""
        return await self._call(self._opened.results, keys)

    async def artefact(self, digest: bytes, start: int, length: int) -> bytes:
        """Read a piece of an artefact."""
        return await self._call(self._opened.artefact, digest, start, length)

    async def telemetry(self, after: int, most: int) -> list[bytes]:
        """Read encoded samples with numbers above ``after``, the oldest first."""
        return await self._call(self._opened.telemetry, after, most)

    async def hold_reserve(self) -> bool:
        """Hold the reserve again where the disk has room for it; True when it is held."""
        return await self._call(self._hold)

    async def close(self) -> None:
        """Close the file and end the thread."""
        if self._store is not None:
            await self._call(self._store.close)
            self._store = None
        self._thread.shutdown()

    @property
    def _opened(self) -> Store:
        if self._store is None:
            raise JournalUnusable(f"the journal {self._path} is not open")
        return self._store

    def _open(self) -> Contents:
        self._store = self._connect()
        self._hold()
        return self._store.load()

    def _connect(self) -> Store:
        try:
            return Store(self._path, most_bytes=self._most_bytes)
        except JournalUnusable:
            # On a full disk there is no room for the files that SQLite opens beside the journal.
            if not self._reserve.release():
                raise
            return Store(self._path, most_bytes=self._most_bytes)

    def _hold(self) -> bool:
        return self._reserve.fill(facts.disk_free(self._path.parent))

    def _sparing(self, call: Callable[[_T], None], argument: _T) -> None:
        try:
            call(argument)
        except sqlite3.OperationalError:
            if not self._reserve.release():
                raise
            call(argument)

    async def _call(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, lambda: call(*args, **kwargs))
        except sqlite3.DatabaseError as error:
            if damage.is_damage(error):
                raise JournalDamaged(str(error)) from error
            raise
