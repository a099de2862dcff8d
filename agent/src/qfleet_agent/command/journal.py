"""``qfleet-agent journal``: look into the journal, or export it as a file that any SQLite tool opens.

It reads what a running agent has committed and changes nothing. What is secret there (the broker's
password, how to resume a session) cannot be queried and is not exported.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import sqlite_utils

from qfleet_agent.command import exits
from qfleet_agent.errors import JournalUnusable, NotEnrolled
from qfleet_agent.journal import journal
from qfleet_agent.settings import Settings

_TABLES = ("tasks", "outbox", "artefacts", "telemetry")
_SECRET = ("meta", "value")
_MOST_BYTES = 65536
"""Longest value that is shown decoded."""


def run(settings: Settings, query: str | None, export: Path | None) -> int:
    """Print how many rows the tables have, or the rows of a query; or write an export."""
    database = _open(journal.path_in(settings.state))
    try:
        if export is not None:
            _export(database, export)
        for row in _counts(database) if query is None else _rows(database, query):
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    except (sqlite3.Error, ValueError) as error:  # sqlite-utils raises both for what is no question
        raise JournalUnusable(f"the journal does not answer: {error}") from error
    finally:
        database.close()
    return exits.FINE


def _open(path: Path) -> sqlite_utils.Database:
    if not path.exists():
        raise NotEnrolled
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
    connection.set_authorizer(_allow)
    return sqlite_utils.Database(connection)


def _allow(action: int, first: str | None, second: str | None, _base: str | None, _by: str | None) -> int:
    if action == sqlite3.SQLITE_ATTACH:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_READ and (first, second) == _SECRET:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _counts(database: sqlite_utils.Database) -> Iterator[dict[str, Any]]:
    for table in _TABLES:
        yield {"table": table, "rows": database.table(table).count}


def _rows(database: sqlite_utils.Database, query: str) -> Iterator[dict[str, Any]]:
    for row in database.query(query):
        yield {name: _plain(value) for name, value in row.items()}


def _export(database: sqlite_utils.Database, path: Path) -> None:
    """Write the tables with their messages as JSON, into a file that does not exist yet."""
    if path.exists():
        raise JournalUnusable(f"{path} exists already: name another file")
    written = sqlite_utils.Database(path)
    try:
        for table in _TABLES:
            rows = _rows(database, f"SELECT * FROM {table}")  # noqa: S608  # a name of ours
            written.table(table).insert_all(rows)
    finally:
        written.close()


def _plain(value: object) -> object:
    """Show a message as what it says, other bytes by their number."""
    if not isinstance(value, bytes):
        return value
    if len(value) <= _MOST_BYTES:
        try:
            return json.loads(msgspec.json.encode(msgspec.msgpack.decode(value)))
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            pass
    return f"{len(value)} bytes"
