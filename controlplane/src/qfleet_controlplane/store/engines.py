"""Connections to the database: one engine that writes, one that reads.

SQLite runs in WAL mode with ``synchronous=FULL``: what was committed survives a power cut, and
readers see committed state while the writer works. PostgreSQL needs none of this.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, pool

_BUSY_MS = 10_000


def open_writer(url: str) -> sa.Engine:
    """Open the engine of the one writer; a transaction takes the write lock when it begins."""
    engine = sa.create_engine(url, poolclass=pool.StaticPool, **_options(url))
    if _is_sqlite(url):
        _configure(engine, "BEGIN IMMEDIATE")
    return engine


def open_reader(url: str) -> sa.Engine:
    """Open the engine of the readers: committed state only, and no writes on SQLite."""
    engine = sa.create_engine(url, poolclass=pool.QueuePool, **_options(url))
    if _is_sqlite(url):
        _configure(engine, "BEGIN", "PRAGMA query_only=1")
    return engine


def _is_sqlite(url: str) -> bool:
    return sa.make_url(url).get_backend_name() == "sqlite"


def _options(url: str) -> dict[str, Any]:
    # The writer's connection is made, used and closed by one thread at a time, not always the same.
    return {"connect_args": {"check_same_thread": False}} if _is_sqlite(url) else {}


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
