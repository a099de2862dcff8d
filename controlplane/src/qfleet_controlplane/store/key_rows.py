"""Reading and writing what the authority of keys decided, and the stocks that devices told.

Bodies are JSON of ``keys.model``: whoever looks into the database can read them. None holds a key.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from qfleet_controlplane.keys.model import Alarm, Relay, Session, Stocked
from qfleet_controlplane.store import key_asks
from qfleet_controlplane.store.tables.keys import (
    key_alarms,
    key_relays,
    key_sessions,
    key_settings,
    key_stocks,
)
from qfleet_wire import key_orders
from qfleet_wire.names import DeviceName, Millis

KEPT_MS: Final = 90 * 86_400_000
"""What has ended is kept for so long, and what a device said last of its stock."""

_T = TypeVar("_T", Session, Relay, Alarm)
_OPEN: Final = "ordered"


def take_turn(connection: sa.Connection) -> None:
    """Wait until nobody else decides, and keep others from it until the transaction ends."""
    table = key_settings
    insert = _insert(connection, table).values(name="turns", value=1)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["name"], set_={"value": table.c.value + 1})
    )


def save(connection: sa.Connection, what: Session | Relay | Alarm) -> None:
    """Store a session, a relay or an alarm as it is now."""
    body = msgspec.json.encode(what)
    match what:
        case Session():
            row = {"session": what.name, "link": what.link, "status": what.status, "created": what.created}
            _put(connection, key_sessions, {**row, "body": body})
        case Relay():
            row = {"relay": what.name, "status": what.status, "created": what.created}
            _put(connection, key_relays, {**row, "body": body})
        case Alarm():
            row = {"alarm": what.name, "at": what.at, "standing": int(what.cleared is None)}
            _put(connection, key_alarms, {**row, "body": body})


def stock(connection: sa.Connection, device: DeviceName, told: key_orders.Stock, received: Millis) -> None:
    """Store what a device said that it has; the last one counts."""
    body = msgspec.json.encode(told)
    _put(connection, key_stocks, {"device": device, "received": received, "body": body})


def open_sessions(connection: sa.Connection, names: Iterable[str] = ()) -> dict[str, Session]:
    """The sessions that have not ended, and those of some names."""
    table = key_sessions
    query = sa.select(table.c.body).where(sa.or_(table.c.status == _OPEN, table.c.session.in_(sorted(names))))
    return {one.name: one for one in _read(connection, query, Session)}


def latest_sessions(connection: sa.Connection) -> dict[str, Session]:
    """The latest session of each link."""
    table = key_sessions
    last = sa.select(table.c.link, sa.func.max(table.c.created).label("created")).group_by(table.c.link)
    last_of = last.subquery()
    query = sa.select(table.c.body).join(
        last_of, sa.and_(table.c.link == last_of.c.link, table.c.created == last_of.c.created)
    )
    # Of two that began in the same millisecond the one that is open is the later one.
    found = sorted(_read(connection, query, Session), key=lambda one: one.ended is None)
    return {one.link: one for one in found}


def open_relays(connection: sa.Connection, names: Iterable[str] = ()) -> dict[str, Relay]:
    """The relays that have not ended, and those of some names."""
    table = key_relays
    query = sa.select(table.c.body).where(sa.or_(table.c.status == _OPEN, table.c.relay.in_(sorted(names))))
    return {one.name: one for one in _read(connection, query, Relay)}


def standing_alarms(connection: sa.Connection) -> dict[str, Alarm]:
    """The alarms that nobody has cleared, by link."""
    query = sa.select(key_alarms.c.body).where(key_alarms.c.standing == 1)
    return {one.link: one for one in _read(connection, query, Alarm)}


def stocks(connection: sa.Connection) -> dict[DeviceName, Stocked]:
    """What every device said last that it has."""
    return {
        DeviceName(row.device): Stocked(
            Millis(row.received),
            {one.peer: one for one in msgspec.json.decode(row.body, type=key_orders.Stock).links},
        )
        for row in connection.execute(sa.select(key_stocks))
    }


def session(connection: sa.Connection, name: str) -> Session | None:
    """One session."""
    query = sa.select(key_sessions.c.body).where(key_sessions.c.session == name)
    return next(iter(_read(connection, query, Session)), None)


def relay(connection: sa.Connection, name: str) -> Relay | None:
    """One relay."""
    query = sa.select(key_relays.c.body).where(key_relays.c.relay == name)
    return next(iter(_read(connection, query, Relay)), None)


def sessions_like(connection: sa.Connection, start: str, limit: int) -> list[Session]:
    """Sessions whose names begin so."""
    name = key_sessions.c.session
    query = sa.select(key_sessions.c.body).where(name.startswith(start, autoescape=True)).order_by(name)
    return list(_read(connection, query.limit(limit), Session))


def relays_like(connection: sa.Connection, start: str, limit: int) -> list[Relay]:
    """Relays whose names begin so."""
    name = key_relays.c.relay
    query = sa.select(key_relays.c.body).where(name.startswith(start, autoescape=True)).order_by(name)
    return list(_read(connection, query.limit(limit), Relay))


def sessions(connection: sa.Connection, limit: int, link: str = "") -> list[Session]:
    """Sessions, the latest first; those of one link where it is named."""
    table = key_sessions
    query = sa.select(table.c.body).order_by(table.c.created.desc(), table.c.session).limit(limit)
    return list(_read(connection, query if not link else query.where(table.c.link == link), Session))


def relays(connection: sa.Connection, limit: int) -> list[Relay]:
    """Relays, the latest first."""
    table = key_relays
    query = sa.select(table.c.body).order_by(table.c.created.desc(), table.c.relay).limit(limit)
    return list(_read(connection, query, Relay))


def alarms(connection: sa.Connection, limit: int) -> list[Alarm]:
    """Alarms, the latest first."""
    table = key_alarms
    query = sa.select(table.c.body).order_by(table.c.at.desc(), table.c.alarm).limit(limit)
    return list(_read(connection, query, Alarm))


def forget(connection: sa.Connection, now: Millis) -> None:
    """Forget what ended long ago, and the stocks of devices that have not spoken since."""
    before = Millis(now - KEPT_MS)
    key_asks.forget(connection, before)
    for table in (key_sessions, key_relays):
        connection.execute(table.delete().where(table.c.created < before, table.c.status != _OPEN))
    connection.execute(key_stocks.delete().where(key_stocks.c.received < before))
    connection.execute(key_alarms.delete().where(key_alarms.c.at < before, key_alarms.c.standing == 0))


def _read(connection: sa.Connection, query: sa.Select[Any], kind: type[_T]) -> list[_T]:
    return [msgspec.json.decode(body, type=kind) for body in connection.scalars(query)]


def _put(connection: sa.Connection, table: sa.Table, row: Mapping[str, object]) -> None:
    """Store a row in place of the one with its key."""
    key = [column.name for column in table.primary_key]
    changed = {name: value for name, value in row.items() if name not in key}
    insert = _insert(connection, table).values(**row)
    connection.execute(insert.on_conflict_do_update(index_elements=key, set_=changed))


def _insert(connection: sa.Connection, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
