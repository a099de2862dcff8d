"""Leases of regions: who leads one now, and that nobody else can write for it.

A controller that takes a region over raises its epoch; every transaction of a region begins with
``hold``, which locks the lease until the transaction ends. So a takeover waits for what the former
holder has under way, and after it the former holder can never commit again, however long it was
paused. All times are the database's (``store.clock``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.store import clock, driver
from qfleet_controlplane.store.tables.control import controllers, regions
from qfleet_wire.names import ControllerName, Millis, RegionName

_HOLD = "SELECT 1 FROM regions WHERE name = {0} AND epoch = {0} AND controller = {0} AND expires > "
_HOLD_SQLITE = _HOLD.format("?") + clock.SQLITE
_HOLD_POSTGRESQL = _HOLD.format("%s") + clock.POSTGRESQL + " FOR SHARE"


class LeaseLost(Unavailable):
    """Another controller leads this region now, or the lease has ended; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What a region's transaction must still hold: the lease as it was acquired."""

    region: RegionName
    epoch: int
    controller: ControllerName


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as the database has it; ``left_ms`` is what was left of it when it was read.

    ``facts`` came with the last renewal, ``facts_age_ms`` ago.
    """

    region: RegionName
    controller: ControllerName
    epoch: int
    left_ms: int
    facts: bytes | None = field(default=None, repr=False)
    facts_age_ms: int | None = None

    @property
    def free(self) -> bool:
        """Whether nobody leads the region."""
        return self.left_ms <= 0

    @property
    def fence(self) -> Fence:
        """What transactions under this lease begin with."""
        return Fence(self.region, self.epoch, self.controller)


def now(connection: sa.Connection) -> Millis:
    """The database's time."""
    return Millis(connection.scalar(sa.select(clock.now())) or 0)


def acquire(
    connection: sa.Connection, region: RegionName, controller: ControllerName, ttl_ms: int
) -> Lease | None:
    """Take a region that nobody leads, or one's own of a former life; None if that cannot be now.

    The new epoch exceeds every former one, also those that a restored database has forgotten: it is
    at least the database's time in seconds. Never waits for a holder's transaction.
    """
    _insert_missing(connection, region)
    free = sa.select(regions.c.epoch).where(
        regions.c.name == region,
        sa.or_(regions.c.expires <= clock.now(), regions.c.controller == controller),
    )
    epoch = connection.scalar(free.with_for_update(skip_locked=True))
    if epoch is None:
        return None
    time = now(connection)
    epoch = max(epoch + 1, time // 1000)
    connection.execute(
        regions.update()
        .where(regions.c.name == region)
        .values(controller=controller, epoch=epoch, expires=time + ttl_ms)
    )
    return Lease(region, controller, epoch, ttl_ms)


def renew(
    connection: sa.Connection,
    controller: ControllerName,
    held: Mapping[RegionName, int],
    ttl_ms: int,
    facts: Mapping[RegionName, bytes] | None = None,
) -> set[RegionName]:
    """Renew leases, given by region and epoch, and return the regions that are still held.

    A lease that ended without anybody taking it over is renewed too. ``facts`` are stored with it.
    """
    still = set()
    for region, epoch in sorted(held.items()):
        values: dict[str, object] = {"expires": clock.now() + ttl_ms}
        if facts is not None and region in facts:
            values |= {"facts": facts[region], "facts_at": clock.now()}
        mine = _mine(region, epoch, controller)
        if connection.execute(regions.update().where(mine).values(values)).rowcount:
            still.add(region)
    return still


def release(connection: sa.Connection, fence: Fence) -> bool:
    """Give a lease up, so that others need not wait for its end; False if it was not held."""
    mine = _mine(fence.region, fence.epoch, fence.controller)
    return connection.execute(regions.update().where(mine).values(expires=0)).rowcount > 0


def hold(connection: sa.Connection, fence: Fence) -> None:
    """Make sure, until the transaction ends, that nobody else leads the region.

    Raises:
        LeaseLost: the lease is not held any more.
    """
    values = (fence.region, fence.epoch, fence.controller)
    if driver.is_sqlite(connection):
        found = driver.execute(connection, _HOLD_SQLITE, values).fetchone()
    else:
        found = connection.exec_driver_sql(_HOLD_POSTGRESQL, values).first()
    if found is None:
        raise LeaseLost(
            f"controller {fence.controller!r} does not lead region {fence.region!r} in epoch {fence.epoch} "
            "any more: nothing was stored"
        )


def every(connection: sa.Connection) -> list[Lease]:
    """All regions that were ever led, by name."""
    left = regions.c.expires - clock.now()
    age = clock.now() - regions.c.facts_at
    query = sa.select(regions, left.label("left_ms"), age.label("age_ms")).order_by(regions.c.name)
    return [
        Lease(row.name, row.controller, row.epoch, row.left_ms, row.facts, row.age_ms)
        for row in connection.execute(query)
    ]


def attend(connection: sa.Connection, controller: ControllerName, ttl_ms: int) -> None:
    """Say that a controller is alive."""
    expires = clock.now() + ttl_ms
    insert = _dialect_insert(connection, controllers).values(name=controller, expires=expires)
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"expires": expires}))


def leave(connection: sa.Connection, controller: ControllerName) -> None:
    """Say that a controller has stopped; its leases it releases itself."""
    connection.execute(controllers.delete().where(controllers.c.name == controller))


def attending(connection: sa.Connection) -> dict[ControllerName, int]:
    """Every controller that has not left, and for how many milliseconds it still counts as alive."""
    query = sa.select(controllers.c.name, (controllers.c.expires - clock.now()).label("left_ms"))
    return {ControllerName(row.name): row.left_ms for row in connection.execute(query)}


def _mine(region: RegionName, epoch: int, controller: ControllerName) -> sa.ColumnElement[bool]:
    return sa.and_(regions.c.name == region, regions.c.epoch == epoch, regions.c.controller == controller)


def _insert_missing(connection: sa.Connection, region: RegionName) -> None:
    if connection.scalar(sa.select(regions.c.name).where(regions.c.name == region)) is None:
        insert = _dialect_insert(connection, regions)
        free = insert.values(name=region, controller="", epoch=0, expires=0)
        connection.execute(free.on_conflict_do_nothing())


def _dialect_insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
