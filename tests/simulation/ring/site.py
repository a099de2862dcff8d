"""What survives a controller's crash: the database, with the leases of the regions in it.

SQLite in memory with the real tables; only a transaction that commits leaves anything. Each schedule
starts from a copy of an empty one, and the database's clock is the simulated one.
"""

import sqlite3
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from tests.simulation.ring import letters

from qfleet_controlplane.store import leases
from qfleet_controlplane.store.tables import METADATA
from qfleet_wire.channel.resumption import Record
from qfleet_wire.names import ControllerName, DeviceName, RegionName

if TYPE_CHECKING:
    from tests.simulation.ring.world import World

T = TypeVar("T")
_TTL_MS = 365 * 86_400_000
"""Leases end when fate says so, not by themselves: renewals would only add steps."""
_EPOCH_DAY = 2_440_587.5
"""The Julian date of 1970-01-01T00:00:00Z."""


class Refused(Exception):
    """The database did not take a transaction, or cannot be read."""


class Site:
    """The one database of a fleet."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.connection, self._driver = _fresh()
        self._driver.create_function("julianday", -1, self._julian)
        self.records: dict[DeviceName, Record] = {}
        """What devices can resume with; stored by handshakes, beside the machine's tables."""
        self.broken_until = 0

    def acquire(self, region: RegionName, controller: str) -> leases.Fence:
        """Give a region's lease, which has ended, to a controller that comes up."""
        with self.connection.begin():
            self.connection.exec_driver_sql("UPDATE regions SET expires = 0 WHERE name = ?", (region,))
            lease = leases.acquire(self.connection, region, ControllerName(controller), _TTL_MS)
        assert lease is not None, f"{controller} cannot take {region}"
        return lease.fence

    def transact(self, fence: leases.Fence | None, work: Callable[[sa.Connection], None]) -> None:
        """Commit all of ``work`` or nothing of it; raise ``LeaseLost`` behind a fence that has moved.

        Without a fence, ``work`` holds its lease itself.
        """
        refused = self._refuses(self._world.weather.refuse_commit)
        try:
            with self.connection.begin() as transaction:
                if fence is not None:
                    leases.hold(self.connection, fence)
                work(self.connection)
                if refused:
                    transaction.rollback()
        except leases.LeaseLost:
            self._world.trace.fault("commit fenced", "database")
            raise
        if refused:
            self._world.trace.fault("commit refused", "database")
            raise Refused

    def write(self, work: Callable[[sa.Connection], None]) -> None:
        """Commit something that is nobody's lease to guard, as orders are."""
        with self.connection.begin():
            work(self.connection)

    def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Run a query on committed state."""
        if self._refuses(self._world.weather.refuse_read):
            self._world.trace.fault("read refused", "database")
            raise Refused
        found = query(self.connection)
        self.connection.rollback()
        return found

    def read_surely(self, query: Callable[[sa.Connection], T]) -> T:
        """Run a query of somebody who would ask again until it works."""
        found = query(self.connection)
        self.connection.rollback()
        return found

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Look at committed rows past all layers under test, for the invariants."""
        return self._driver.execute(query).fetchall()

    def _refuses(self, chance: float) -> bool:
        return self._world.clock.now < self.broken_until or self._world.chance(chance)

    def _julian(self, *_: object) -> float:
        return _EPOCH_DAY + (letters.START + self._world.clock.now) / 86_400_000.0


@cache
def _template() -> sqlite3.Connection:
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    METADATA.create_all(engine)
    return engine.raw_connection().driver_connection  # type: ignore[return-value]


@cache
def _connection() -> tuple[sa.Connection, sqlite3.Connection]:
    connection = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool).connect()
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return connection, driver


def _fresh() -> tuple[sa.Connection, sqlite3.Connection]:
    """An empty database; the schedules of a process use one connection, one after the other."""
    connection, driver = _connection()
    connection.rollback()
    _template().backup(driver)
    return connection, driver
