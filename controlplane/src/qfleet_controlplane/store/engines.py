"""Connections to the database: engines that write, and one that reads.

SQLite runs in WAL mode with ``synchronous=FULL``: what was committed survives a power cut, and
readers see committed state while the writer works. PostgreSQL is given time limits instead: a
process that stops in the middle of a transaction must not keep its locks, or nobody could take its
regions over.
"""

import importlib.util
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, pool

from qfleet_controlplane.errors import ConfigurationError

_BUSY_MS = 10_000
_IDLE_MS = 5_000
"""A transaction that does nothing for so long is undone by the server. Shorter than a lease."""
_IDLE_READING_MS = 600_000
"""Who reads holds up nobody, and may think about what it has read."""
_POSTGRESQL = {
    "connect_timeout": 5,
    "application_name": "qfleet-controlplane",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def is_sqlite(url: str) -> bool:
    """Whether a database is a file of ours, with one writer at most."""
    return sa.make_url(url).get_backend_name() == "sqlite"


def in_use(url: str) -> bool:
    """Whether another process has a SQLite file open; leases tell that of PostgreSQL.

    Raises:
        ConfigurationError: the file cannot be opened.
    """
    path = sa.make_url(url).database
    if not is_sqlite(url) or path is None or not Path(path).exists():
        return False
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        # In WAL mode every connection keeps a lock that this one excludes.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        if "locked" not in str(error):
            raise ConfigurationError(f"the database {path} cannot be opened: {error}") from error
        return True
    finally:
        connection.close()
    return False


def open_writer(url: str) -> sa.Engine:
    """Open an engine of one connection that writes, which a lost one replaces.

    A transaction on SQLite takes the write lock when it begins.
    """
    if not is_sqlite(url):
        return _open_postgresql(url, _IDLE_MS, pool_size=1)
    engine = _open_sqlite(url, pool.StaticPool)
    _configure(engine, "BEGIN IMMEDIATE")
    return engine


def open_reader(url: str) -> sa.Engine:
    """Open the engine of the readers: committed state only, as of one moment, and no writes."""
    if not is_sqlite(url):
        engine = _open_postgresql(url, _IDLE_READING_MS, isolation_level="REPEATABLE READ")
        return engine.execution_options(postgresql_readonly=True)
    engine = _open_sqlite(url, pool.QueuePool)
    _configure(engine, "BEGIN", "PRAGMA query_only=1")
    return engine


def _open_sqlite(url: str, kind: type[pool.Pool]) -> sa.Engine:
    # The writer's connection is made, used and closed by one thread at a time, not always the same.
    return sa.create_engine(url, poolclass=kind, connect_args={"check_same_thread": False})


def _open_postgresql(url: str, idle_ms: int, **options: Any) -> sa.Engine:
    if importlib.util.find_spec("psycopg") is None:
        raise ConfigurationError("PostgreSQL needs psycopg: install 'qfleet-controlplane[postgresql]'")
    parsed = sa.make_url(url)
    if parsed.get_driver_name() != "psycopg":
        parsed = parsed.set(drivername="postgresql+psycopg")
    session = f"-c idle_in_transaction_session_timeout={idle_ms} -c timezone=UTC -c client_encoding=UTF8"
    usual = {**_POSTGRESQL, "options": session}
    arguments = {name: value for name, value in usual.items() if name not in parsed.query}
    engine = sa.create_engine(parsed, connect_args=arguments, pool_pre_ping=True, max_overflow=0, **options)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        # All integers by one type: a statement is prepared once, not once per width of its values.
        from psycopg.types import numeric  # noqa: PLC0415 - an extra

        connection.adapters.register_dumper(int, numeric.Int8Dumper)

    return engine


def _configure(engine: sa.Engine, begin: str, *pragmas: str) -> None:
    settings = (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        f"PRAGMA busy_timeout={_BUSY_MS}",
        *pragmas,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin below, and nowhere by themselves
        for setting in settings:
            connection.execute(setting)

    @event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)
