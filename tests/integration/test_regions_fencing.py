"""A controller whose lease another has taken can neither store nor send, on both dialects."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from tests.integration import core_fleet

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.link.counts import Counts
from qfleet_controlplane.link.outbound import Outbound
from qfleet_controlplane.link.peers import Peers
from qfleet_controlplane.link.surroundings import Surroundings
from qfleet_controlplane.machine import events
from qfleet_controlplane.metrics import Registry
from qfleet_controlplane.service import ordering
from qfleet_controlplane.service import surroundings as core
from qfleet_controlplane.service.fencing import FencedDatabase
from qfleet_controlplane.service.service import Service
from qfleet_controlplane.store import leases, orders, registry
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.leases import Fence, LeaseLost
from qfleet_wire import api
from qfleet_wire.names import ControllerName, DeviceName, JobId, Millis, RegionName
from qfleet_wire.topics import Channel

NORTH = RegionName("north")
FIRST, SECOND = ControllerName("c1"), ControllerName("c2")
TTL_MS = 600_000


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    with contextlib.closing(opened):
        yield opened


def acquired(connection: sa.Connection, controller: ControllerName) -> Fence:
    lease = leases.acquire(connection, NORTH, controller, TTL_MS)
    assert lease is not None
    return lease.fence


def taken_over(connection: sa.Connection, fence: Fence) -> Fence:
    """What happens to a controller that was paused for too long."""
    assert leases.release(connection, fence)
    return acquired(connection, SECOND)


def test_a_former_holder_stores_nothing_and_is_told_so(database: Database) -> None:
    async def main() -> None:
        fence = await database.writer.run(lambda connection: acquired(connection, FIRST))
        lost: list[str] = []
        fenced = FencedDatabase(database, fence, lambda: lost.append("lost"))
        await fenced.writer.run(lambda connection: registry.put_fact(connection, "k", b"1"))
        assert not lost
        await database.writer.run(lambda connection: taken_over(connection, fence))
        with pytest.raises(LeaseLost, match=r"c1.*north"):
            await fenced.writer.run(lambda connection: registry.put_fact(connection, "k", b"2"))
        assert lost == ["lost"]
        assert await fenced.read(lambda connection: registry.fact(connection, "k")) == b"1"

    asyncio.run(main())


def test_a_service_that_lost_its_lease_refuses_and_leaves_no_trace(database: Database) -> None:
    async def main() -> None:
        fence = await database.writer.run(lambda connection: acquired(connection, FIRST))
        lost = asyncio.Event()
        devices = core_fleet.Devices()
        around = core.Surroundings(NORTH, lambda: Millis(1_000), bytes)
        service = Service(FencedDatabase(database, fence, lost.set), devices, around)
        devices.service = service
        await service.start()
        await core_fleet.join(service, core_fleet.A)
        await database.writer.run(lambda connection: taken_over(connection, fence))
        sent = len(devices.got)
        with pytest.raises(Unavailable):
            await service.submit(api.JobRequest(kind="probe.echo", items=3))
        assert lost.is_set()
        assert len(devices.got) == sent
        await service.abandon()
        assert (
            await database.read(lambda connection: list(connection.execute(sa.text("SELECT * FROM jobs"))))
            == []
        )

    asyncio.run(main())


def test_nothing_is_sent_after_the_lease_has_ended() -> None:
    async def main() -> None:
        published: list[str] = []

        async def publish(topic: str, _: bytes) -> None:
            published.append(topic)

        leading = [True]
        counts = Counts(Registry())
        around = Surroundings(NORTH, counts, lambda: Millis(1), bytes, 7, lambda: leading[0])
        outbound = Outbound(Peers(), publish, around)
        assert outbound.epoch == 7
        outbound.send_frame(DeviceName("a"), Channel.DOWN, b"frame")
        await outbound.drain(1.0)
        assert len(published) == 1
        leading[0] = False
        outbound.send_frame(DeviceName("a"), Channel.DOWN, b"frame")
        await outbound.drain(1.0)
        assert len(published) == 1
        assert counts.dropped.values == {"no-lease": 1.0}

    asyncio.run(main())


@pytest.mark.parametrize(
    "event",
    [
        events.Invited(DeviceName("a"), "admin"),
        events.Enrolled(DeviceName("a"), b"hash", 12),
        events.Revoked(DeviceName("a"), "why", "admin"),
        events.Quarantined(DeviceName("a"), "why", "admin"),
        events.Released(DeviceName("a"), "admin"),
        events.Retired(DeviceName("a"), "why", "admin"),
    ],
)
def test_a_decision_comes_out_of_the_inbox_as_it_was_put_in(
    database: Database, event: ordering.Decision
) -> None:
    def work(connection: sa.Connection) -> ordering.Inbox:
        orders.put(connection, [ordering.decide(NORTH, event, Millis(1))])
        return ordering.read(connection, NORTH)

    inbox = database.writer.transact(work)
    assert [ordered.event for ordered in inbox.wanted] == [event]


def test_orders_come_in_their_order_and_one_that_asks_for_nothing_is_told(database: Database) -> None:
    cancelled = events.JobCancelled(JobId("j"), "enough", "admin")

    def work(connection: sa.Connection) -> ordering.Inbox:
        wanted = [
            ordering.adopt(NORTH, JobId("unknown"), Millis(1)),
            ordering.cancel(NORTH, cancelled, Millis(2)),
        ]
        orders.put(connection, wanted)
        return ordering.read(connection, NORTH)

    inbox = database.writer.transact(work)
    assert [ordered.event for ordered in inbox.wanted] == [cancelled]
    assert len(inbox.empty) == 1
