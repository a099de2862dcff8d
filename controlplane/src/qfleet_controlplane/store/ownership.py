"""Whose a database is: the fleet's name and its root certificate, as facts beside everything else.

Two fleets must never write into one database: each would take the other's devices and tokens for its
own. A database from before this was recorded is adopted by the first controller that runs on it.
"""

from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc

from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import engines, migrate, registry
from qfleet_controlplane.store.tables.fleet import api_tokens, devices
from qfleet_controlplane.store.tables.work import jobs
from qfleet_controlplane.store.writer import Writer, reason

_FLEET, _ROOT = "owner fleet", "owner root"
_SHOWN = 16


class AnotherFleet(ConfigurationError):
    """The database belongs to another fleet."""


class Owner(NamedTuple):
    """A fleet: its name, and SHA-256 of its root certificate; empty where that is not at hand."""

    fleet: str
    root: bytes = b""


class Holding(NamedTuple):
    """What a database holds: whether there is a fleet, and whose it is if that was recorded."""

    used: bool
    owner: Owner | None = None


def recorded(connection: sa.Connection) -> Owner | None:
    """Whose the database is; None where nobody said so."""
    if not sa.inspect(connection).has_table("meta"):
        return None
    fleet, root = (registry.fact(connection, key) for key in (_FLEET, _ROOT))
    return None if fleet is None else Owner(fleet.decode(), root or b"")


def verify(connection: sa.Connection, owner: Owner) -> None:
    """Raise ``AnotherFleet`` if the database is another's; one that is nobody's passes."""
    found = recorded(connection)
    if found is not None:
        _compare(found, owner)


def adopt(connection: sa.Connection, owner: Owner) -> None:
    """Record the owner where none is; raise ``AnotherFleet`` if the database is another's."""
    if recorded(connection) is None and owner.root:
        registry.put_fact(connection, _FLEET, owner.fleet.encode())
        registry.put_fact(connection, _ROOT, owner.root)
    verify(connection, owner)


def look(url: str) -> Holding:
    """See what a database holds, changing nothing.

    Raises:
        ConfigurationError: it cannot be reached.
    """
    path = sa.make_url(url).database
    if engines.is_sqlite(url) and (path is None or not Path(path).exists()):
        return Holding(used=False)
    engine = engines.open_reader(url)
    try:
        with engine.begin() as connection:
            return _look(connection)
    except exc.SQLAlchemyError as error:
        raise ConfigurationError(f"the database {where(url)} cannot be reached: {reason(error)}") from error
    finally:
        engine.dispose()


def refuse_other(url: str, owner: Owner) -> Holding:
    """As ``look``; raise ``AnotherFleet`` if the database is another's."""
    found = look(url)
    if found.owner is not None:
        _compare(found.owner, owner)
    return found


def refuse_used(url: str) -> None:
    """Raise ``ConfigurationError`` if the database holds a fleet, or cannot be reached."""
    found = look(url)
    if found.used:
        raise ConfigurationError(_used(where(url), found.owner))


def found(url: str, owner: Owner, first: registry.Token) -> None:
    """Create the tables, and with them the fleet and its first API token.

    Raises:
        ConfigurationError: the database holds a fleet already, or cannot be opened.
        StoreFailed: it did not take them; nothing but empty tables was stored.
    """
    migrate.upgrade(url)

    def work(connection: sa.Connection) -> None:
        present = _look(connection)
        if present.used:
            raise ConfigurationError(_used(where(url), present.owner))
        adopt(connection, owner)
        registry.add_token(connection, first)

    writer = Writer(url)
    try:
        writer.transact(work)
    finally:
        writer.close()


def _look(connection: sa.Connection) -> Holding:
    owner, inspector = recorded(connection), sa.inspect(connection)
    rows = any(
        inspector.has_table(table.name)
        and connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None
        for table in (api_tokens, devices, jobs)
    )
    return Holding(owner is not None or rows, owner)


def _compare(found: Owner, owner: Owner) -> None:
    if found.fleet != owner.fleet:
        raise AnotherFleet(
            f"the database belongs to fleet {found.fleet!r}, not {owner.fleet!r}: give this fleet's own"
        )
    if found.root and owner.root and found.root != owner.root:
        raise AnotherFleet(
            f"the database belongs to another fleet that is named {found.fleet!r} too: its root certificate "
            f"begins with {found.root.hex()[:_SHOWN]}, this one's with {owner.root.hex()[:_SHOWN]}; "
            "give this fleet's own"
        )


def _used(where: str, owner: Owner | None) -> str:
    fleet = "a fleet" if owner is None else f"fleet {owner.fleet!r}"
    return f"the database {where} already holds {fleet}: join it with --authority, or use an empty one"


def where(url: str) -> str:
    """Name a database without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)
