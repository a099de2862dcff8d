"""The key store's file: WAL and ``synchronous=FULL``, so that what a batch has done survives a power cut.

A file of its own beside the journal: the daemon never opens it. Only the store's thread calls it,
batch by batch, each in one transaction.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qfleet_agent import facts
from qfleet_agent.errors import AgentError, KeyStoreFull, KeyStoreUnusable, SealBroken
from qfleet_agent.journal import damage
from qfleet_agent.keystore import schema
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.sealer import Sealer
from qfleet_wire.channel.labels import Label

LOG_BYTES = 4 * 1024 * 1024
"""Size to which the write-ahead log is cut back."""
FULL_SHARE = 0.75
"""Share of the cap that blocks may fill; the rest is for what is made of them."""

Call = Callable[[Base], Any]


class Bounds(NamedTuple):
    """How large the file may grow, and what must stay free of its disk, in bytes."""

    most: int = 256 * 1024 * 1024
    leave: int = 64 * 1024 * 1024


def path_in(state: Path) -> Path:
    """Where the store is in a state directory."""
    return state / "keystore.sqlite"


class Store:
    """An open key store."""

    def __init__(self, path: Path, sealer: Sealer, name: str, bounds: Bounds | None = None) -> None:
        """Open the store of the device ``name``; make it where there is none.

        Raises:
            KeyStoreUnusable: it cannot be opened, or has another version.
            SealBroken: it was sealed by another key.
        """
        self._path = path
        self._bounds = bounds or Bounds()
        try:
            with _private():
                self._database = sqlite3.connect(
                    path, isolation_level=None, timeout=10, check_same_thread=False
                )
            self._prepare()
        except sqlite3.Error as error:
            raise KeyStoreUnusable(f"the key store {path} cannot be opened: {error}") from error
        self._base = Base(self._database, sealer, name)
        try:
            self._prove(sealer, name)
        except BaseException:
            self._database.close()
            raise

    def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Carry out calls in one transaction, which is durable on return; an ``AgentError`` is an outcome.

        Raises:
            KeyStoreFull: the disk or the cap has no room; nothing was done.
            KeyStoreUnusable: the file does not work; nothing was done.
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            outcomes = [_outcome(call, self._base) for call in calls]
            self._base.tally.write()
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise KeyStoreFull(f"the key store {self._path} cannot grow: {error}") from error
            raise KeyStoreUnusable(f"the key store {self._path} does not work: {error}") from error
        except BaseException:
            self._roll_back()
            raise
        return outcomes

    def check_room(self, size: int) -> None:
        """Look whether a block of ``size`` bytes has room. Raises ``KeyStoreFull``."""
        execute = self._database.execute
        page = execute("PRAGMA page_size").fetchone()[0]
        pages = execute("PRAGMA page_count").fetchone()[0] - execute("PRAGMA freelist_count").fetchone()[0]
        stored = page * pages
        if stored + size > FULL_SHARE * page * execute("PRAGMA max_page_count").fetchone()[0]:
            raise KeyStoreFull(
                f"the key store {self._path} holds {stored} bytes and may hold {self._bounds.most}: a block "
                f"of {size} bytes has no room; use keys, or raise store_bytes in [keys]"
            )
        if facts.disk_free(self._path.parent) - 2 * size < self._bounds.leave:
            raise KeyStoreFull(f"the disk of {self._path} is short: a block of {size} bytes has no room")

    def fold(self) -> None:
        """Take the log into the file and empty it: no deleted bytes stay in it."""
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close the file; the log is folded into it."""
        self._database.close()

    def _prepare(self) -> None:
        execute = self._database.execute
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA secure_delete = ON")
        execute("PRAGMA cache_size = -2048")
        version = execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            schema.make(self._database)
        elif version != schema.VERSION:
            raise KeyStoreUnusable(
                f"the key store {self._path} has version {version}, this agent needs {schema.VERSION}"
            )
        elif (said := execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(said)
        self._database.executescript(schema.EXCHANGES)
        page = execute("PRAGMA page_size").fetchone()[0]
        log = min(LOG_BYTES, self._bounds.most // 4)
        execute(f"PRAGMA journal_size_limit = {log}")
        execute(f"PRAGMA wal_autocheckpoint = {max(log // page, 1)}")
        execute(f"PRAGMA max_page_count = {max((self._bounds.most - log) // page, 64)}")

    def _prove(self, sealer: Sealer, name: str) -> None:
        """Find out now whether the store's key and device are the ones that it was made for."""
        row = self._database.execute("SELECT value FROM meta WHERE name = 'check'").fetchone()
        if row is None:
            sealed = sealer.seal(name.encode(), Label.KEY_STORE_CHECK)
            self._database.execute("INSERT INTO meta VALUES ('check', ?)", (sealed,))
        elif sealer.open(row[0], Label.KEY_STORE_CHECK) != name.encode():
            raise SealBroken("the key store was made for another device")

    def _roll_back(self) -> None:
        self._base.blocks.forget()
        self._base.tally.forget()
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")


def is_damaged(error: KeyStoreUnusable) -> bool:
    """Whether a store cannot be opened because its file is damaged."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.Error) and (
        damage.is_damage(cause) or type(cause) is sqlite3.DatabaseError
    )


def _outcome(call: Call, base: Base) -> Any:
    try:
        return call(base)
    except AgentError as error:
        return error


@contextlib.contextmanager
def _private() -> Any:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
