"""Leases on both dialects, and their fence between two controllers on a real PostgreSQL."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from tests.integration import store_rows

from qfleet_controlplane.store import clock, leases, orders, records
from qfleet_controlplane.store.commit import Commit
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.leases import Fence, Lease, LeaseLost
from qfleet_controlplane.store.tables import control, fleet
from qfleet_controlplane.store.writer import StoreFailed
from qfleet_wire.names import ControllerName, Millis, RegionName

NORTH, SOUTH = RegionName("north"), RegionName("south")
ONE, TWO = ControllerName("one"), ControllerName("two")
LONG = 60_000
PATIENCE_S = 30.0


@pytest.fixture
def pair(postgresql: str) -> Iterator[tuple[Database, Database]]:
    """Two controllers on one database; a transaction that rests for 0.3 s is undone."""
    url = f"{postgresql}&options=-c%20idle_in_transaction_session_timeout%3D300"
    first, second = Database(postgresql), Database(url)
    yield first, second
    first.close()
    second.close()


def acquire(database: Database, who: ControllerName, ttl_ms: int = LONG) -> Lease | None:
    return database.writer.transact(lambda connection: leases.acquire(connection, NORTH, who, ttl_ms))


def taken(database: Database, who: ControllerName, ttl_ms: int = LONG) -> Lease:
    lease = acquire(database, who, ttl_ms)
    assert lease is not None
    return lease


def expire(database: Database) -> None:
    """Let every lease end now, as time would."""
    database.writer.transact(
        lambda connection: connection.execute(
            control.regions.update().values(expires=clock.now() - sa.literal(1))
        )
    )


def commit_device(name: str, fence: Fence) -> Commit:
    row = records.device_row(store_rows.device(name), fence.region)
    return Commit(devices=[row], fence=fence)


def devices(database: Database) -> set[str]:
    return set(
        database.read_now(lambda connection: connection.scalars(sa.select(fleet.devices.c.name)).all())
    )


def test_the_clock_is_the_present(database: Database) -> None:
    ours = database.read_now(leases.now)
    theirs = store_rows.NOW
    assert theirs < ours < theirs + 10**12
    assert database.read_now(leases.now) >= ours


def test_a_region_is_led_by_one(database: Database) -> None:
    lease = taken(database, ONE)
    assert acquire(database, TWO) is None
    (seen,) = database.read_now(leases.every)
    assert (seen.region, seen.controller, seen.epoch, seen.free) == (NORTH, ONE, lease.epoch, False)
    assert 0 < seen.left_ms <= LONG


def test_an_epoch_is_higher_than_every_former_one_and_than_the_time(database: Database) -> None:
    first = taken(database, ONE)
    assert first.epoch >= database.read_now(leases.now) // 1000 - 60
    again = taken(database, ONE)
    assert again.epoch > first.epoch, "a restart takes its own lease back at once, in a new epoch"
    expire(database)
    assert taken(database, TWO).epoch > again.epoch


def test_renewing_keeps_a_lease_and_tells_of_the_region(database: Database) -> None:
    held = {NORTH: taken(database, ONE, ttl_ms=1).epoch}
    renewed = database.writer.transact(
        lambda connection: leases.renew(connection, ONE, held, LONG, {NORTH: b"facts"})
    )
    (seen,) = database.read_now(leases.every)
    assert renewed == {NORTH}
    assert (seen.free, seen.facts) == (False, b"facts")
    assert seen.facts_age_ms is not None
    assert 0 <= seen.facts_age_ms < LONG


def test_renewing_says_what_was_lost(database: Database) -> None:
    lost = taken(database, ONE)
    expire(database)
    taken(database, TWO)
    held = {NORTH: lost.epoch, SOUTH: 7}
    assert database.writer.transact(lambda connection: leases.renew(connection, ONE, held, LONG)) == set()


def test_a_released_region_is_free_at_once(database: Database) -> None:
    lease = taken(database, ONE)
    assert database.writer.transact(lambda connection: leases.release(connection, lease.fence))
    with pytest.raises(LeaseLost):
        database.writer.transact(commit_device("late", lease.fence).write)
    assert taken(database, TWO).epoch > lease.epoch
    assert not database.writer.transact(lambda connection: leases.release(connection, lease.fence))


@pytest.mark.parametrize("change", ["epoch", "controller", "region", "expired"])
def test_nothing_is_stored_without_the_lease(database: Database, change: str) -> None:
    fence = taken(database, ONE).fence
    wrong = {
        "epoch": Fence(NORTH, fence.epoch - 1, ONE),
        "controller": Fence(NORTH, fence.epoch, TWO),
        "region": Fence(SOUTH, fence.epoch, ONE),
        "expired": fence,
    }[change]
    database.writer.transact(commit_device("before", fence).write)
    if change == "expired":
        expire(database)
    with pytest.raises(LeaseLost, match=r"does not lead region '(north|south)' in epoch \d+ any more"):
        database.writer.transact(commit_device("after", wrong).write)
    assert devices(database) == {"before"}


def test_controllers_come_stay_and_leave(database: Database) -> None:
    for who, ttl_ms in ((ONE, LONG), (TWO, 1), (TWO, LONG)):
        database.writer.transact(lambda connection: leases.attend(connection, who, ttl_ms))  # noqa: B023 - runs now
    seen = database.read_now(leases.attending)
    assert set(seen) == {ONE, TWO}
    assert all(LONG - 30_000 < left <= LONG for left in seen.values())
    database.writer.transact(lambda connection: leases.leave(connection, ONE))
    assert set(database.read_now(leases.attending)) == {TWO}


def test_orders_wait_in_sequence_until_they_are_done(database: Database) -> None:
    wanted = [
        orders.Order(NORTH, Millis(1), "adopt", "a1"),
        orders.Order(SOUTH, Millis(2), "cancel", "a1", b"why"),
        orders.Order(NORTH, Millis(3), "device", "pi-1", b"\x00event"),
    ]
    database.writer.transact(Commit(ordered=wanted).write)
    found = database.read_now(lambda connection: orders.pending(connection, NORTH))
    assert [each.order for each in found] == [wanted[0], wanted[2]]
    database.writer.transact(Commit(done=[found[0].id, found[1].id]).write)
    assert database.read_now(lambda connection: orders.pending(connection, NORTH)) == []
    database.writer.transact(Commit(ordered=wanted[:1]).write)
    (again,) = database.read_now(lambda connection: orders.pending(connection, NORTH))
    assert again.id > found[1].id, "a number is never used twice: who has seen it may skip it"


# ── between controllers: what only a database server shows ──────────────────────────────────────────


class Paused:
    """A region's transaction that has written and then stands still until ``go_on``."""

    def __init__(self, database: Database, fence: Fence, name: str) -> None:
        self._inside, self._go_on = threading.Event(), threading.Event()
        self._commit = commit_device(name, fence)
        self._pool = ThreadPoolExecutor(1)
        self._ending = self._pool.submit(database.writer_for(NORTH).transact, self._work)
        assert self._inside.wait(PATIENCE_S)

    def go_on(self) -> None:
        """Let it end; raises what it raised."""
        self._go_on.set()
        self._pool.shutdown()
        self._ending.result()

    def _work(self, connection: sa.Connection) -> None:
        self._commit.write(connection)
        self._inside.set()
        assert self._go_on.wait(PATIENCE_S)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_free(database: Database) -> bool:
    return database.read_now(leases.every)[0].free


def test_a_takeover_waits_for_the_transaction_of_the_former_holder(pair: tuple[Database, Database]) -> None:
    old, new = pair
    fence = taken(old, ONE, ttl_ms=200).fence
    paused = Paused(old, fence, "in-time")
    until(lambda: is_free(new))
    assert acquire(new, TWO) is None, "the former holder may still commit"
    paused.go_on()
    lease = taken(new, TWO)
    assert devices(new) == {"in-time"}
    with pytest.raises(LeaseLost):
        old.writer_for(NORTH).transact(commit_device("too-late", fence).write)
    new.writer_for(NORTH).transact(commit_device("heir", lease.fence).write)
    assert devices(new) == {"in-time", "heir"}


def test_a_holder_that_stands_still_in_a_transaction_is_undone_by_the_server(
    pair: tuple[Database, Database],
) -> None:
    new, old = pair
    fence = taken(old, ONE, ttl_ms=200).fence
    paused = Paused(old, fence, "never")
    until(lambda: acquire(new, TWO) is not None)
    with pytest.raises(StoreFailed):
        paused.go_on()
    with pytest.raises(LeaseLost):
        old.writer_for(NORTH).transact(commit_device("too-late", fence).write)
    assert devices(new) == set()


def test_a_transaction_that_begins_during_the_takeover_waits_and_fails(
    pair: tuple[Database, Database],
) -> None:
    old, new = pair
    fence = taken(old, ONE).fence
    expire(old)
    with ThreadPoolExecutor(1) as pool:

        def take(connection: sa.Connection) -> None:
            assert leases.acquire(connection, NORTH, TWO, LONG) is not None
            ending = pool.submit(old.writer_for(NORTH).transact, commit_device("late", fence).write)
            until(lambda: ending.done() or waits_for_lock(old) or is_free(new))
            endings.append(ending)

        endings: list[Future[None]] = []
        new.writer.transact(take)
        with pytest.raises(LeaseLost):
            endings[0].result(PATIENCE_S)
    assert devices(new) == set()


def waits_for_lock(database: Database) -> bool:
    mine = "datname = current_database() AND wait_event_type = 'Lock'"
    query = f"SELECT count(*) FROM pg_stat_activity WHERE {mine}"
    return bool(database.read_now(lambda connection: connection.exec_driver_sql(query).scalar()))


def test_a_lease_is_renewed_behind_a_transaction_of_its_own_region(pair: tuple[Database, Database]) -> None:
    database, _ = pair
    lease = taken(database, ONE)
    paused = Paused(database, lease.fence, "slow")
    held = {NORTH: lease.epoch}
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(
            database.writer.transact, lambda connection: leases.renew(connection, ONE, held, LONG)
        )
        until(lambda: waits_for_lock(database))
        paused.go_on()
        assert renewing.result(PATIENCE_S) == {NORTH}


def test_of_many_that_grasp_at_once_one_gets_it(pair: tuple[Database, Database]) -> None:
    names = [ControllerName(f"c{number}") for number in range(8)]
    for _ in range(10):
        expire(pair[0])
        with ThreadPoolExecutor(2) as pool:
            got = list(pool.map(lambda name: acquire(pair[int(name[1:]) % 2], name), names))
        (winner,) = [lease for lease in got if lease is not None]
        (leader,) = pair[0].read_now(leases.every)
        assert (leader.controller, leader.epoch) == (winner.controller, winner.epoch)
