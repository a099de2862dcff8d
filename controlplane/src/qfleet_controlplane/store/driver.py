"""Statements straight to SQLite's driver, for what nearly every transaction runs.

On the way through SQLAlchemy a statement costs thirty times what SQLite takes for a small one. Transaction,
connection and errors stay SQLAlchemy's, so that nobody else sees a difference.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc


def is_sqlite(connection: sa.Connection) -> bool:
    """Whether ``execute`` may be used."""
    return connection.dialect.name == "sqlite"


def execute(connection: sa.Connection, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
    """Run a statement in the connection's transaction.

    Raises:
        sqlalchemy.exc.DBAPIError: as SQLAlchemy would; it carries no values.
    """
    driver: Any = connection.connection.driver_connection
    try:
        done: sqlite3.Cursor = driver.execute(statement, values)
    except sqlite3.Error as error:
        raise exc.DBAPIError.instance(
            statement, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
    return done
