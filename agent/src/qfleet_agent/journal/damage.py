"""Tells a damaged journal from one that merely cannot be used now. Blocking.

A full disk, a lock or a missing right is no damage: the journal is as good as before.
"""

import sqlite3
import struct
from pathlib import Path

from qfleet_agent.journal.layout import VERSION

CHECK_MOST_BYTES = 64 * 1024 * 1024
"""Journals up to this size are checked whole at every start; damage in a larger one shows when read."""

_TABLES = {"meta", "tasks", "outbox", "artefacts"}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_UNREADABLE = {
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
}
_PRIMARY = 0xFF
_WAL_HEADER = struct.Struct(">8I")
_WAL_MAGIC = 0x377F0682
"""With 1 in the last bit when its sums are over big-endian words (SQLite file format, section 4.1)."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged or cannot be read."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return False
    return code & _PRIMARY in _DAMAGE or code in _UNREADABLE or "no such table" in str(error)


def find(path: Path) -> str | None:
    """Look at a journal that nobody has open; return what is wrong with it, or None.

    Raises:
        sqlite3.Error: it cannot be looked at now.
    """
    if path.stat().st_size == 0:
        return "it is empty"
    if log_is_damaged(path):
        return "the header of its write-ahead log is damaged"
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
    except sqlite3.Error as error:
        return _or_raise(error)
    try:
        return _within(database, path.stat().st_size)
    except sqlite3.Error as error:
        return _or_raise(error)
    finally:
        database.close()


def log_is_damaged(path: Path) -> bool:
    """Whether a journal's write-ahead log does not begin like one.

    A cut can leave the file without its first bytes, but never with others: they are durable
    before anything stands on them. Without this look SQLite would ignore the whole log silently.
    """
    log = path.with_name(path.name + "-wal")
    try:
        with log.open("rb") as file:
            head = file.read(_WAL_HEADER.size)
    except FileNotFoundError:
        return False
    if len(head) < _WAL_HEADER.size or not any(head):
        return False
    words = _WAL_HEADER.unpack(head)
    if words[0] | 1 != _WAL_MAGIC | 1:
        return True
    return _sum(head[:24], big=bool(words[0] & 1)) != words[6:]


def _sum(data: bytes, *, big: bool) -> tuple[int, int]:
    """The checksum of SQLite's write-ahead log (file format, section 4.2)."""
    words = struct.unpack(f"{'>' if big else '<'}{len(data) // 4}I", data)
    first = second = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def _within(database: sqlite3.Connection, size: int) -> str | None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if not 0 < version <= VERSION:
        return f"it has version {version}, this agent knows 1 to {VERSION}"
    if size <= CHECK_MOST_BYTES:
        said = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            return str(said)
    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    missing = _TABLES - tables
    return f"it has no table {', '.join(sorted(missing))}" if missing else None


def _or_raise(error: sqlite3.Error) -> str:
    if is_damage(error):
        return str(error)
    raise error
