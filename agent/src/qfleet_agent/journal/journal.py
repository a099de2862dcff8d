"""The journal as the event loop sees it: every call is carried out by one thread, in order.

What is awaited from ``write`` or ``put`` is durable when it returns, so that whatever depends on
it may be sent. On a full disk the reserve is spent piece by piece, and what is left over of a piece
is taken back at once. Only then ``sqlite3.OperationalError`` is raised; the caller tries the same
writes again later.
"""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from qfleet_agent import facts
from qfleet_agent.errors import JournalDamaged, JournalUnusable
from qfleet_agent.journal import damage, reserve
from qfleet_agent.journal.layout import Name
from qfleet_agent.journal.reserve import SLACK, Reserve
from qfleet_agent.journal.store import Contents, Kept, Store
from qfleet_agent.machine.effects import Write
from qfleet_agent.machine.events import Key

_P = ParamSpec("_P")
_T = TypeVar("_T")

SCHEMA_TIMEOUT_S = 60


def path_in(state: Path) -> Path:
    """Where the journal is in a state directory."""
    return state / "journal.sqlite"


def reserve_in(state: Path) -> Path:
    """Where the reserve is in a state directory."""
    return state / "reserve"


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

    def __init__(self, path: Path, *, most_bytes: int, reserve_bytes: int, leave_bytes: int = 0) -> None:
        """``reserve_bytes`` are held beside what promises need; ``leave_bytes`` of the disk stay free."""
        self._path = path
        self._most_bytes = most_bytes
        self._leave_bytes = leave_bytes
        self._reserve = Reserve(reserve_in(path.parent), reserve_bytes)
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

    @property
    def covered(self) -> int:
        """Bytes of results for which room on the disk is held."""
        return self._reserve.covered

    async def cover(self, promised: int) -> int:
        """Hold room for results of so many bytes before they are promised; return ``covered``."""
        return await self._call(self._cover, promised)

    async def hold(self, promised: int) -> None:
        """Hold what was promised again after the disk was full; give back what was held for others."""
        await self._call(self._hold, promised)

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
        # On a full disk there is no room for the files that SQLite opens beside the journal.
        self._store = self._spend(lambda: Store(self._path, most_bytes=self._most_bytes))
        contents = self._store.load()
        # What was promised before is still held: nothing is given back before it is known.
        self._reserve.hold(0, self._free() - self._leave_bytes)
        return contents

    def _cover(self, promised: int) -> int:
        self._reserve.hold(promised, self._free() - self._leave_bytes)
        return self._reserve.covered

    def _hold(self, promised: int) -> None:
        free = self._free()
        self._reserve.hold(promised, free - (0 if promised else self._leave_bytes))
        self._reserve.ease(promised, SLACK if free > self._leave_bytes else 0)

    def _free(self) -> int:
        return facts.disk_free(self._path.parent)

    def _sparing(self, call: Callable[[_T], None], argument: _T) -> None:
        held = self._reserve.size
        try:
            self._spend(lambda: call(argument))
            if self._reserve.size < held:
                # The log begins anew: otherwise it would grow with each of the next writes.
                with contextlib.suppress(sqlite3.OperationalError):
                    self._spend(self._opened.fold)
        finally:
            if self._reserve.size < held:
                self._reserve.grow(held, self._free())

    def _spend(self, call: Callable[[], _T]) -> _T:
        """Carry a call out; give up pieces of the reserve for as long as it fails."""
        piece = reserve.PIECE
        while True:
            try:
                return call()
            except (sqlite3.OperationalError, JournalUnusable):
                if not self._reserve.give(piece):
                    raise
                piece *= 2

    async def _call(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, lambda: call(*args, **kwargs))
        except sqlite3.DatabaseError as error:
            if damage.is_damage(error):
                raise JournalDamaged(str(error)) from error
            raise
