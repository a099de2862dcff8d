"""Bringing a database to the present schema, from whatever it is at.

The migrations are part of the package, so that ``init`` and ``run`` need no files beside it.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import exc

from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import clock, engines
from qfleet_controlplane.store.tables import control
from qfleet_controlplane.store.writer import reason

_LOCK = int.from_bytes(b"qf-schem", "big") >> 1


def upgrade(url: str) -> tuple[str | None, str]:
    """Create or upgrade the schema; repeatable. Return the schema before and after.

    Raises:
        ConfigurationError: the database cannot be opened, is newer than this version knows, or must
            change while controllers run on it.
    """
    engine = engines.open_writer(url)
    try:
        with engine.begin() as connection:
            return upgrade_connection(connection), newest()
    except (exc.SQLAlchemyError, CommandError) as error:
        where = sa.make_url(url).render_as_string(hide_password=True)
        raise ConfigurationError(
            f"the database {where} cannot be brought up to date: {explain(error)}"
        ) from error
    finally:
        engine.dispose()


def upgrade_connection(connection: sa.Connection) -> str | None:
    """As ``upgrade``, inside the transaction of an open connection; return the schema before."""
    if connection.dialect.name == "postgresql":  # of controllers that start at once, one migrates
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    before = MigrationContext.configure(connection).get_current_revision()
    if connection.dialect.name == "postgresql" and before != newest() and before in known():
        _refuse_under_way(connection, before)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return before


def newest() -> str:
    """The schema of this version."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def known() -> set[str]:
    """Every schema that this version can bring up to date."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def explain(error: Exception) -> str:
    """Say what went wrong without the values that a statement carried."""
    return reason(error) if isinstance(error, exc.SQLAlchemyError) else str(error)


def _refuse_under_way(connection: sa.Connection, before: str) -> None:
    """A controller of the former version must not find its tables changed under it."""
    if not sa.inspect(connection).has_table("controllers"):
        return
    living = sa.select(control.controllers.c.name).where(control.controllers.c.expires > clock.now())
    names = sorted(connection.scalars(living))
    if names:
        raise ConfigurationError(
            f"the database has schema {before} and must get {newest()}, but controllers "
            f"{', '.join(map(repr, names))} run on it: stop them first"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
