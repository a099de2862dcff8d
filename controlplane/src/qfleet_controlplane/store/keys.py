"""Orders to key processes until they have taken them, and reports until somebody has read them.

Both are known by device and id: putting one again, or taking one again, changes nothing.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from qfleet_controlplane.store.tables.keys import key_orders, key_reports
from qfleet_wire.names import DeviceName, Millis

MOST_UNREAD = 10_000
"""Reports of one device that are kept unread; further ones are not taken, and the device repeats them."""


class Order(NamedTuple):
    """What a device's key process shall do."""

    device: DeviceName
    id: str
    created: Millis
    body: bytes


class Report(NamedTuple):
    """What a device's key process says."""

    device: DeviceName
    id: str
    received: Millis
    body: bytes


def order(connection: sa.Connection, wanted: Iterable[Order]) -> None:
    """Store orders; one that is there stays as it is."""
    for one in wanted:
        _keep(connection, key_orders, one._asdict())


def orders(connection: sa.Connection, device: DeviceName, limit: int) -> list[Order]:
    """The oldest orders that a device's key process has not taken."""
    table = key_orders
    query = sa.select(table).where(table.c.device == device).order_by(table.c.created, table.c.id)
    return [Order(*row) for row in connection.execute(query.limit(limit))]


def ordered(connection: sa.Connection, devices: Sequence[DeviceName]) -> list[DeviceName]:
    """Those of some devices for which orders wait."""
    query = sa.select(key_orders.c.device).where(key_orders.c.device.in_(devices)).distinct()
    return [DeviceName(name) for name in connection.scalars(query)]


def taken(connection: sa.Connection, device: DeviceName, name: str) -> None:
    """Forget an order that the key process has stored for good."""
    table = key_orders
    connection.execute(table.delete().where(table.c.device == device, table.c.id == name))


def report(connection: sa.Connection, said: Report) -> bool:
    """Store a report; False when too many of its device wait to be read. One that is there stays."""
    query = sa.select(sa.func.count()).where(key_reports.c.device == said.device)
    if int(connection.scalar(query) or 0) >= MOST_UNREAD:
        return False
    _keep(connection, key_reports, said._asdict())
    return True


def reports(connection: sa.Connection, limit: int) -> list[Report]:
    """The oldest reports that nobody has read."""
    table = key_reports
    query = sa.select(table).order_by(table.c.received, table.c.device, table.c.id).limit(limit)
    return [Report(*row) for row in connection.execute(query)]


def read(connection: sa.Connection, done: Iterable[Report]) -> None:
    """Forget reports; in the transaction that holds what follows from them."""
    table = key_reports
    for one in done:
        connection.execute(table.delete().where(table.c.device == one.device, table.c.id == one.id))


def _keep(connection: sa.Connection, table: sa.Table, values: dict[str, object]) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(table).values(values).on_conflict_do_nothing())
