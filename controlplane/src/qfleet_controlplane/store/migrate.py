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
        raise ConfigurationError(f"the database {where} cannot be brought up to date: {error}") from error
    finally:
        engine.dispose()


def upgrade_connection(connection: sa.Connection) -> None:
    """As ``upgrade``, inside the transaction of an open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
