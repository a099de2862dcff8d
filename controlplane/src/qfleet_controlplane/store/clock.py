"""The database's own clock, as an SQL expression: milliseconds since the epoch, at this very moment.

Leases of controllers on different machines can only be compared by one clock. On PostgreSQL it goes on
inside a transaction (``clock_timestamp``), so that a lock that was waited for counts as time.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

SQLITE = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"
"""2440587.5 is the Julian date of 1970-01-01T00:00:00Z."""
POSTGRESQL = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


class now(sa.ColumnElement[int]):  # noqa: N801 - a function of SQL
    """The present time in milliseconds."""

    inherit_cache = True
    type = sa.BigInteger()


@compiles(now, "sqlite")
def _sqlite(element: now, compiler: Any, **options: Any) -> str:  # noqa: ARG001 - SQLAlchemy's signature
    return SQLITE


@compiles(now, "postgresql")
def _postgresql(element: now, compiler: Any, **options: Any) -> str:  # noqa: ARG001 - SQLAlchemy's signature
    return POSTGRESQL
