"""Bringing a database to the present schema, from whatever it is at.

The migrations are part of the package, so that ``init`` and ``run`` need no files beside it.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import exc

from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import engines
from qfleet_controlplane.store.writer import reason

_LOCK = int.from_bytes(b"qf-schem", "big") >> 1


def upgrade(url: str) -> None:
    """Create or upgrade the schema; repeatable.

    Raises:
        ConfigurationError: the database cannot be opened, or is newer than this version knows.
    """
    engine = engines.open_writer(url)
    try:
        with engine.begin() as connection:
            upgrade_connection(connection)
    except (exc.SQLAlchemyError, CommandError) as error:
        where = sa.make_url(url).render_as_string(hide_password=True)
        why = reason(error) if isinstance(error, exc.SQLAlchemyError) else error
        raise ConfigurationError(f"the database {where} cannot be brought up to date: {why}") from error
    finally:
        engine.dispose()


def upgrade_connection(connection: sa.Connection) -> None:
    """As ``upgrade``, inside the transaction of an open connection."""
    if connection.dialect.name == "postgresql":  # of controllers that start at once, one migrates
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
