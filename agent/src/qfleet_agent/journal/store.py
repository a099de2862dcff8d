"""The journal's statements on an open SQLite file. Blocking: only the journal's thread calls it.

``synchronous=FULL`` in WAL mode: what ``write`` has returned from survives a power cut.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from qfleet_agent.errors import JournalDamaged, JournalUnusable
from qfleet_agent.journal.layout import VERSION, Name
from qfleet_agent.machine import effects, events
from qfleet_agent.machine.admit import MIB, ROW_BYTES
from qfleet_agent.machine.effects import Write
from qfleet_agent.machine.events import Key
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError

LOG_BYTES = 4 * MIB
"""Size to which the write-ahead log is cut back."""


class Contents(NamedTuple):
    """What the machine is rebuilt from."""

    epoch: int
    tasks: list[events.StoredTask]
    results: list[events.StoredResult]
    telemetry: events.StoredTelemetry | None


class Numbers(msgspec.Struct, frozen=True):
    """Numbers of the telemetry's ring, as in ``events.StoredTelemetry``."""

    next: int
    reserved: int
    lost: int


class Kept(NamedTuple):
    """A result in the outbox; ``size`` is that of its artefact, 0 without one."""

    result: bytes
    digest: bytes | None
    size: int


class Store:
    """An open journal."""

    def __init__(self, path: Path, *, most_bytes: int | None = None) -> None:
        """Open a journal that ``schema`` has prepared; ``most_bytes`` caps its size.

        Raises:
            JournalUnusable: it cannot be opened, or has another version.
        """
        try:
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=10
            )
            self._prepare(path, most_bytes)
        except sqlite3.Error as error:
            raise JournalUnusable(f"the journal {path} cannot be opened: {error}") from error

    def _prepare(self, path: Path, most_bytes: int | None) -> None:
        execute = self._database.execute
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA secure_delete = FAST")
        execute("PRAGMA cache_size = -1024")
        version = execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise JournalUnusable(
                f"the journal {path} has version {version}, this agent needs {VERSION}: "
                "run the agent that made it, or upgrade it with `qfleet-agent run`"
            )
        if most_bytes is not None:
            page = execute("PRAGMA page_size").fetchone()[0]
            # The log counts too; only while one large result is written may it be longer.
            log = min(LOG_BYTES, most_bytes // 4)
            execute(f"PRAGMA journal_size_limit = {log}")
            execute(f"PRAGMA wal_autocheckpoint = {max(log // page, 1)}")
            execute(f"PRAGMA max_page_count = {max((most_bytes - log) // page, 64)}")

    def load(self) -> Contents:
        """Read what the machine is rebuilt from, in the order in which it was written."""
        execute = self._database.execute
        epoch = self.get(Name.EPOCH)
        tasks = execute("SELECT task, attempt, assign FROM tasks ORDER BY rowid")
        results = execute("SELECT task, attempt, length(result) + size FROM outbox ORDER BY rowid")
        if epoch is not None and not epoch.isdigit():
            raise JournalDamaged(f"the epoch is {epoch!r}, no number")
        return Contents(
            0 if epoch is None else int(epoch),
            [events.StoredTask((task, attempt), assign) for task, attempt, assign in tasks],
            [events.StoredResult((task, attempt), size + ROW_BYTES) for task, attempt, size in results],
            self._telemetry(),
        )

    def telemetry(self, after: int, most: int) -> list[bytes]:
        """Read encoded samples with numbers above ``after``, the oldest first."""
        rows = self._database.execute(
            "SELECT sample FROM telemetry WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, most)
        )
        return [row[0] for row in rows]

    def _telemetry(self) -> events.StoredTelemetry | None:
        stored = self.get(Name.TELEMETRY)
        if stored is None:
            return None
        try:
            numbers = codec.decode(stored, Numbers)
        except RemoteError as error:
            raise JournalDamaged(f"the telemetry's numbers do not decode: {error}") from error
        runs = self._database.execute(_RUNS).fetchall()
        return events.StoredTelemetry(runs, numbers.next, numbers.reserved, numbers.lost)

    def write(self, writes: Sequence[Write]) -> None:
        """Make all of ``writes`` durable, in their order and in one transaction."""
        with _Transaction(self._database):
            for kind, run in _runs(writes):
                _WRITERS[kind](self._database, run)

    def results(self, keys: Iterable[Key]) -> dict[Key, Kept]:
        """Read results; those that are no longer there are left out."""
        found = {}
        for key in keys:
            row = self._database.execute(
                "SELECT result, digest, size FROM outbox WHERE task = ? AND attempt = ?", key
            ).fetchone()
            if row is not None:
                found[key] = Kept(*row)
        return found

    def artefact(self, digest: bytes, start: int, length: int) -> bytes:
        """Read a piece of an artefact; empty when it is no longer there."""
        row = self._database.execute(
            "SELECT substr(data, ?, ?) FROM artefacts WHERE digest = ?", (start + 1, length, digest)
        ).fetchone()
        return b"" if row is None else bytes(row[0])

    def get(self, name: Name) -> bytes | None:
        """Read a single value."""
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def put(self, values: Mapping[Name, bytes | None]) -> None:
        """Make single values durable together; None deletes one."""
        with _Transaction(self._database):
            for name, value in values.items():
                _put(self._database, name, value)

    def fold(self) -> None:
        """Take the log into the journal, so that the next write begins it anew."""
        self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close the file; the log is folded into it."""
        self._database.close()


_RUNS = """
SELECT min(sequence), max(sequence) FROM
    (SELECT sequence, sequence - row_number() OVER (ORDER BY sequence) AS run FROM telemetry)
GROUP BY run ORDER BY 1
"""
"""First and last of each row of neighbours."""


class _Transaction:
    """``BEGIN IMMEDIATE`` … ``COMMIT``, or ``ROLLBACK`` after an error."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            try:
                self._database.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after some errors, a full disk among them.
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")


def _runs(writes: Sequence[Write]) -> list[tuple[type[Write], list[Write]]]:
    """Group neighbours of one kind, so that each group is one ``executemany``."""
    runs: list[tuple[type[Write], list[Write]]] = []
    for write in writes:
        if not runs or runs[-1][0] is not type(write):
            runs.append((type(write), []))
        runs[-1][1].append(write)
    return runs


def _save_tasks(database: sqlite3.Connection, writes: list[effects.SaveTask]) -> None:
    database.executemany(
        "INSERT OR REPLACE INTO tasks VALUES (?, ?, ?)", [(*one.key, one.assign) for one in writes]
    )


def _save_results(database: sqlite3.Connection, writes: list[effects.SaveResult]) -> None:
    rows = [
        (*one.key, one.result, one.digest, 0 if one.artefact is None else len(one.artefact)) for one in writes
    ]
    database.executemany("INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?)", rows)
    artefacts = [(one.digest, one.artefact) for one in writes if one.artefact is not None]
    if artefacts:
        database.executemany("INSERT OR IGNORE INTO artefacts VALUES (?, ?)", artefacts)
    database.executemany("DELETE FROM tasks WHERE task = ? AND attempt = ?", [one.key for one in writes])


def _drop_results(database: sqlite3.Connection, writes: list[effects.DropResults]) -> None:
    keys = [key for one in writes for key in one.keys]
    database.executemany("DELETE FROM outbox WHERE task = ? AND attempt = ?", keys)
    database.execute(
        "DELETE FROM artefacts WHERE digest NOT IN (SELECT digest FROM outbox WHERE digest NOTNULL)"
    )


def _save_epochs(database: sqlite3.Connection, writes: list[effects.SaveEpoch]) -> None:
    _put(database, Name.EPOCH, str(max(one.epoch for one in writes)).encode())


def _save_telemetry(database: sqlite3.Connection, writes: list[effects.SaveTelemetry]) -> None:
    last = writes[-1]
    rows = [row for one in writes for row in one.samples if row[0] > last.drop_to]
    database.executemany("INSERT OR REPLACE INTO telemetry VALUES (?, ?)", rows)
    database.execute("DELETE FROM telemetry WHERE sequence <= ?", (last.drop_to,))
    _put(database, Name.TELEMETRY, codec.encode(Numbers(last.next, last.reserved, last.lost)))


def _save_contacts(database: sqlite3.Connection, writes: list[effects.SaveContacts]) -> None:
    _put(database, Name.CONTACTS, writes[-1].plan)


def _put(database: sqlite3.Connection, name: Name, value: bytes | None) -> None:
    if value is None:
        database.execute("DELETE FROM meta WHERE name = ?", (name,))
    else:
        database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


_WRITERS: dict[type, Callable[[sqlite3.Connection, list[Any]], None]] = {
    effects.SaveTask: _save_tasks,
    effects.SaveResult: _save_results,
    effects.DropResults: _drop_results,
    effects.SaveEpoch: _save_epochs,
    effects.SaveTelemetry: _save_telemetry,
    effects.SaveContacts: _save_contacts,
}
