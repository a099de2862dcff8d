"""Takes out of a damaged journal what still reads and proves to be whole, row by row. Blocking.

A task is saved when it decodes and is the one that its key names, a result likewise, its artefact
when its digest fits. What is lost is no harm: the device tells what it holds when it connects, and
the controller assigns the rest again.
"""

import hashlib
import os
import sqlite3
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from qfleet_agent.journal import keepsake, membership
from qfleet_agent.journal.keepsake import Keepsake
from qfleet_agent.journal.layout import Name
from qfleet_wire import codec, payloads
from qfleet_wire.channel import resumption
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.errors import WireError

_HEAD = struct.Struct(">16sH10xI")
"""Of a database: its name, the size of a page (1: 65,536), the number of pages (file format, section 1.3)."""
_LONGEST_BYTES = 1 << 36

_Row: TypeAlias = tuple[Any, ...]


def into(target: Path, source: Path, state: Path, *, with_log: bool) -> str:
    """Fill the new journal ``target`` from ``source``; return what was saved, in words.

    ``with_log`` is False when the source's write-ahead log must not be believed.
    """
    database = sqlite3.connect(f"{target.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN IMMEDIATE")
        saved = _copy(database, source, with_log=with_log)
        kept = keepsake.load(state)
        if kept is not None:
            _restore(database, kept)
        database.execute("COMMIT")
    finally:
        database.close()
    words = [f"{count} of {table}" for table, count in saved.items() if count]
    return ", ".join(words) or "nothing"


def _copy(database: sqlite3.Connection, source: Path, *, with_log: bool) -> dict[str, int]:
    _lengthen(source)
    how = "mode=rw" if with_log else "immutable=1"
    try:
        damaged = sqlite3.connect(f"{source.absolute().as_uri()}?{how}", uri=True)
    except sqlite3.Error:
        return {}
    saved = {}
    try:
        for table, (width, proves) in _TABLES.items():
            marks = ", ".join("?" * width)
            whole = [row for row in _rows(damaged, table, width) if _holds(proves, row)]
            database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", whole)  # noqa: S608  # ours
            saved[table] = len(whole)
    finally:
        damaged.close()
    _drop_bodiless(database)
    return saved


def _lengthen(source: Path) -> None:
    """Give a file that was cut off its length back: SQLite reads nothing of one that is too short."""
    try:
        with source.open("rb") as file:
            name, page, count = _HEAD.unpack(file.read(_HEAD.size))
    except (OSError, struct.error):
        return
    length = (65536 if page == 1 else page) * count
    if name == b"SQLite format 3\0" and source.stat().st_size < length <= _LONGEST_BYTES:
        os.truncate(source, length)


def _rows(damaged: sqlite3.Connection, table: str, width: int) -> Iterator[_Row]:
    """Read forwards until a page does not read, then backwards to the same place."""
    seen = set()
    for order in ("ASC", "DESC"):
        try:
            for row in damaged.execute(f"SELECT * FROM {table} ORDER BY rowid {order}"):  # noqa: S608  # ours
                if len(row) == width and row[:2] not in seen:
                    seen.add(row[:2])
                    yield row
        except (sqlite3.Error, OverflowError, UnicodeDecodeError):
            continue
        else:
            return


def _holds(proves: Callable[[_Row], bool], row: _Row) -> bool:
    try:
        return proves(row)
    except (WireError, ValueError, TypeError, AttributeError):
        return False


def _drop_bodiless(database: sqlite3.Connection) -> None:
    """A result without its artefact is none: the task is run again."""
    database.execute(
        "DELETE FROM outbox WHERE digest NOTNULL AND digest NOT IN (SELECT digest FROM artefacts)"
    )
    database.execute(
        "DELETE FROM artefacts WHERE digest NOT IN (SELECT digest FROM outbox WHERE digest NOTNULL)"
    )


def _restore(database: sqlite3.Connection, kept: Keepsake) -> None:
    """Put in from the second copy what the journal itself has lost."""
    values = {Name.MEMBERSHIP: membership.write(kept.membership), Name.STANDING: codec.encode(kept.standing)}
    database.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", list(values.items()))


def _task(row: _Row) -> bool:
    assign = codec.decode(row[2], payloads.Assign)
    return bool((assign.task, assign.attempt) == row[:2])


def _result(row: _Row) -> bool:
    result = codec.decode(row[2], payloads.TaskResult)
    return bool((result.task, result.attempt, result.artefact) == (row[0], row[1], row[3]))


def _artefact(row: _Row) -> bool:
    return bool(hashlib.sha256(row[1]).digest() == row[0])


def _sample(row: _Row) -> bool:
    return bool(codec.decode(row[1], payloads.Sample).sequence == row[0])


def _meta(row: _Row) -> bool:
    proves = _VALUES.get(row[0])
    return proves is not None and isinstance(row[1], bytes) and proves(row[1])


_VALUES: dict[str, Callable[[bytes], bool]] = {
    Name.MEMBERSHIP: lambda value: bool(membership.read(value)),
    Name.STANDING: lambda value: bool(codec.decode(value, Standing)),
    Name.RESUMPTION: lambda value: bool(resumption.read_state(value)),
    Name.EPOCH: lambda value: int(value) >= 0,
    Name.USED_PRESHARED_KEYS: lambda value: bool(value.decode()),
    Name.TELEMETRY: bool,
}
_TABLES: dict[str, tuple[int, Callable[[_Row], bool]]] = {
    "meta": (2, _meta),
    "tasks": (3, _task),
    "outbox": (5, _result),
    "artefacts": (2, _artefact),
    "telemetry": (2, _sample),
}
"""Each table with the number of its columns and what proves a row to be whole."""
