"""Every table as a SQLite file, and back: the same for both dialects.

A snapshot is read in one transaction, so that it is of one moment however much is written meanwhile.
Loading replaces everything in the caller's transaction. What belongs to the moment and the machine
(who leads which region) is left out of what is loaded.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic.migration import MigrationContext
from sqlalchemy import exc, pool

from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import audit, bulk, clock, migrate
from qfleet_controlplane.store.tables import METADATA, control, fleet, record, work

_AT_ONCE = 100
"""Rows in memory at a time: a chunk of an artefact may have a megabyte."""
_PRECIOUS = (work.jobs, fleet.devices, fleet.certificates, fleet.invitations, record.audit)
"""A database with rows here is in use; a fresh one has an API token only."""


class Occupied(ConfigurationError):
    """The database must not be replaced now."""


def write(connection: sa.Connection, path: Path) -> dict[str, int]:
    """Copy every table to a new SQLite file; return the number of rows by table.

    ``connection`` is in a transaction that sees one moment.

    Raises:
        ConfigurationError: the database has another schema than this version.
    """
    present = revision(connection)
    if present != migrate.newest():
        raise ConfigurationError(
            f"the database has schema {present}, not {migrate.newest()}: "
            "run 'qfleet-controlplane migrate' first"
        )
    _be_patient(connection)
    migrate.upgrade(_url(path))
    with _opened(path) as file:
        counts = {table.name: _copy(connection, file, table) for table in METADATA.sorted_tables}
        file.execute(control.controllers.delete())  # who runs now is nothing to come back to
    return {**counts, "controllers": 0}


def load(connection: sa.Connection, path: Path) -> dict[str, int]:
    """Replace everything by what a snapshot of the present schema holds; return the rows by table.

    Regions keep epochs above any they ever had, and nobody leads them.

    Raises:
        audit.BrokenChain: the snapshot's audit log was changed.
    """
    _be_patient(connection)
    regions = control.regions.c
    epochs = {row.name: row.epoch for row in connection.execute(sa.select(regions.name, regions.epoch))}
    for table in reversed(METADATA.sorted_tables):
        connection.execute(table.delete())
    with _opened(path) as file:
        counts = {table.name: _copy(file, connection, table) for table in METADATA.sorted_tables}
    connection.execute(control.controllers.delete())
    connection.execute(control.regions.update().values(controller="", expires=0, facts=None, facts_at=None))
    for name, epoch in epochs.items():
        lower = sa.and_(regions.name == name, regions.epoch < epoch)
        connection.execute(control.regions.update().where(lower).values(epoch=epoch))
    _continue_numbers(connection)
    audit.verify(connection)
    return counts


def refuse_if_occupied(connection: sa.Connection, *, force: bool) -> None:
    """Lock everything, and make sure that nothing is lost that nobody means to lose.

    Who uses a SQLite file, ``engines.in_use`` tells before.

    Raises:
        Occupied: a controller runs on the database, or it holds rows and ``force`` is not given.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE regions, controllers IN ACCESS EXCLUSIVE MODE")
        if alive := sorted(_live(connection)):
            raise Occupied(
                f"controllers {', '.join(map(repr, alive))} run on this database: stop them first "
                "(one that crashed counts for some seconds more)"
            )
    held = [table.name for table in _PRECIOUS if connection.execute(sa.select(table).limit(1)).first()]
    if held and not force:
        raise Occupied(f"the database is not empty ({', '.join(held)}): with --force all of it is replaced")


def _live(connection: sa.Connection) -> set[str]:
    """Names of the controllers that run on the database."""
    attending = sa.select(control.controllers.c.name).where(control.controllers.c.expires > clock.now())
    leading = sa.select(control.regions.c.controller).where(control.regions.c.expires > clock.now())
    return {*connection.scalars(attending), *connection.scalars(leading)}


def revision(connection: sa.Connection) -> str | None:
    """The schema of a database; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(path: Path) -> str:
    """Bring a snapshot's file to the present schema; return the schema that it had.

    Raises:
        ConfigurationError: it is no snapshot, or newer than this version.
    """
    try:
        with _opened(path) as file:
            before = revision(file)
    except exc.SQLAlchemyError as error:
        raise ConfigurationError(f"the backup's database cannot be read: {migrate.explain(error)}") from error
    if before is None:
        raise ConfigurationError("the backup's database has no schema: it is not a backup of qfleet")
    if before not in migrate.known():
        raise ConfigurationError(
            f"the backup has schema {before}, which this version does not know (its newest is "
            f"{migrate.newest()}): restore it with the version that made it, or a newer one"
        )
    migrate.upgrade(_url(path))
    return before


def _copy(source: sa.Connection, target: sa.Connection, table: sa.Table) -> int:
    query = sa.select(table).order_by(*table.primary_key.columns)
    insert, count = bulk.Insert(table), 0
    with source.execution_options(yield_per=_AT_ONCE).execute(query) as rows:
        for part in rows.partitions():
            insert.write(target, [tuple(row) for row in part])
            count += len(part)
    return count


def _be_patient(connection: sa.Connection) -> None:
    """A transaction that copies may rest while the other side is busy."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '30s'")


def _continue_numbers(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "SELECT setval(pg_get_serial_sequence('orders', 'id'), "
            "(SELECT COALESCE(MAX(id), 0) + 1 FROM orders), false)"
        )


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


@contextmanager
def _opened(path: Path) -> Iterator[sa.Connection]:
    """A snapshot's file, in one transaction; when it is closed it is one file and nothing beside it."""
    engine = sa.create_engine(_url(path), poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
            connection.exec_driver_sql("PRAGMA synchronous=OFF")
            connection.commit()
            yield connection
            connection.commit()
    finally:
        engine.dispose()


def describe(counts: Mapping[str, int]) -> str:
    """What a person wants to know of a snapshot."""
    told = ("devices", "jobs", "tasks", "results", "audit")
    return ", ".join(f"{counts.get(name, 0):,} {name}" for name in told)
