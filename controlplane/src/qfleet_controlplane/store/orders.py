"""What controllers ask of the region's leader: a durable inbox per region.

Whoever wants something of a region that another process may lead puts an order; the leader does it and
strikes it out in the same commit. Each order must be harmless when it is done twice.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from qfleet_controlplane.store.tables.control import orders
from qfleet_wire.names import Millis, RegionName

Kind: TypeAlias = Literal["adopt", "cancel", "device", "peers", "keys", "refused"]


class Order(NamedTuple):
    """One request, not stored yet.

    ``adopt``: tasks of job ``subject`` belong to the region now. ``cancel``: cancel job ``subject``.
    ``device``: ``body`` is an event about device ``subject``. ``peers``: ``body`` holds what devices of
    other regions sent to some of this one; it may be lost. ``keys``: something is stored that is ordered of
    the key process of device ``subject``; without this word it is sent a little later. ``refused``: ``body``
    holds what region ``subject`` did not hand out of what devices of this one sent; it may be lost.
    """

    region: RegionName
    created: Millis
    kind: Kind
    subject: str
    body: bytes = b""


class Pending(NamedTuple):
    """A stored order with its number."""

    id: int
    order: Order


def put(connection: sa.Connection, wanted: Sequence[Order]) -> None:
    """Store orders; they are numbered in this sequence."""
    if wanted:
        connection.execute(orders.insert(), [order._asdict() for order in wanted])


def pending(connection: sa.Connection, region: RegionName, limit: int = 1000) -> list[Pending]:
    """The oldest orders of a region, in sequence."""
    query = sa.select(orders).where(orders.c.region == region).order_by(orders.c.id).limit(limit)
    return [
        Pending(row.id, Order(row.region, row.created, row.kind, row.subject, row.body))
        for row in connection.execute(query)
    ]


def waiting(connection: sa.Connection, region: RegionName, kind: Kind) -> int:
    """How many orders of a kind a region has not carried out."""
    query = sa.select(sa.func.count()).where(orders.c.region == region, orders.c.kind == kind)
    return int(connection.scalar(query) or 0)


def done(connection: sa.Connection, ids: Iterable[int]) -> None:
    """Strike orders out."""
    for number in ids:
        connection.execute(orders.delete().where(orders.c.id == number))
