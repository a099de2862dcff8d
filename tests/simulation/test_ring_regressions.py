"""What the ring has found, as small as it can be said: each of these once failed."""

import asyncio

import pytest
import sqlalchemy as sa
from tests.simulation.ring import letters, schedule
from tests.unit.core_bench import POLICY, A, Bench, result

from qfleet_controlplane.machine import effects, events
from qfleet_controlplane.service import afterwards
from qfleet_controlplane.service.batch import Batch
from qfleet_controlplane.store import queries
from qfleet_controlplane.store.tables import METADATA, fleet, work
from qfleet_controlplane.store.writer import StoreFailed
from qfleet_wire import payloads
from qfleet_wire.channel import chains
from qfleet_wire.errors import RemoteError
from qfleet_wire.names import DeviceName, Millis

DIGEST = b"d" * 32
OFFSETS = range(0, 2_400, 7)


@pytest.fixture
def connection() -> sa.Connection:
    opened = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool).connect()
    METADATA.create_all(opened)
    return opened


def pieces(connection: sa.Connection) -> list[tuple[str, int]]:
    found = connection.execute(sa.select(work.chunks.c.device, work.chunks.c.position))
    return sorted((row.device, row.position) for row in found)


def chunk(position: int) -> effects.SaveChunk:
    return effects.SaveChunk(1, A, payloads.Chunk(DIGEST, position, 3, b"piece"))


def test_pieces_that_come_after_a_drop_stay(connection: sa.Connection) -> None:
    batch = Batch(Millis(0))
    batch.add([chunk(0), effects.DropChunks(1, A, DIGEST), chunk(1)])
    batch.close().write(connection)
    assert pieces(connection) == [(A, 1)]


def test_a_region_that_comes_up_leaves_the_chunks_of_others(connection: sa.Connection) -> None:
    for name, region in ((A, "north"), (DeviceName("b"), "south")):
        row = {"name": name, "status": "online", "trust": 0.5, "region": region}
        connection.execute(fleet.devices.insert().values(row))
        piece = {"device": name, "digest": DIGEST, "position": 0, "count": 2, "data": b"piece"}
        connection.execute(work.chunks.insert().values(piece))
    queries.drop_stray_chunks(connection, "south")
    assert pieces(connection) == [(A, 0)]


def test_a_lost_announcement_is_asked_for_again() -> None:
    bench = Bench()
    bench.handle(events.Enrolled(A))
    bench.handle(events.SessionOpened(A))
    bench.hear(A, payloads.Inventory((), ()))
    bench.tick(POLICY.resend_first_ms)
    assert [ask.what for ask in bench.sent(payloads.Ask, A)] == ["announcement"]


def test_a_session_counts_whose_opening_was_not_stored() -> None:
    bench = Bench()
    bench.handle(events.Enrolled(A))
    bench.handle(events.Reloaded((A,)))
    assert bench.machine.state.devices[A].status == "online"
    assert {ask.what for ask in bench.sent(payloads.Ask, A)} == {"announcement", "inventory"}


def test_a_released_device_works_on_in_its_session() -> None:
    bench = Bench(A)
    bench.handle(events.Quarantined(A, "odd", "someone"))
    bench.handle(events.Released(A, "someone"))
    bench.hear(A, payloads.Heartbeat(Millis(0), 1, 0.0, 1, 1, 0, 0, 0))
    assert bench.machine.state.devices[A].status == "online"
    job = bench.submit()
    bench.hear(A, result(job.tasks[0]))
    assert job.status == "succeeded"


class Flaky:
    """A database whose first read fails."""

    def __init__(self) -> None:
        self.reads = 0

    async def read(self, _: object) -> bytes:
        self.reads += 1
        if self.reads == 1:
            raise StoreFailed("disk I/O error")
        return b"whole"


def test_a_read_that_failed_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afterwards, "_AGAIN_S", 0.0)
    posted: list[events.Event] = []

    async def scenario() -> None:
        came = asyncio.Event()

        def post(event: events.Event) -> None:
            posted.append(event)
            came.set()

        following = afterwards.Afterwards(Flaky(), post)  # type: ignore[arg-type]  # only its reads are needed
        batch = Batch(Millis(0))
        batch.add([effects.Assemble(1, A, DIGEST, 1)])
        following.follow(batch)
        async with asyncio.timeout(10):
            await came.wait()
        await following.close()

    asyncio.run(scenario())
    assert posted == [events.Assembled(A, DIGEST, b"whole")]


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("flipped", [0x01, 0x80, 0xFF])
def test_altered_certificates_are_refused(flipped: int) -> None:
    """Whatever part does not parse: the library reads some only when asked, and has errors of its own."""
    own = letters.device_credentials(DeviceName("pi-1"))
    leaf = own.chain[0]
    for offset in (*OFFSETS, *range(300)):
        altered = leaf[:offset] + bytes([leaf[offset] ^ flipped]) + leaf[offset + 1 :]
        try:
            found = chains.verify((altered, *own.chain[1:]), own.authority.root)
        except RemoteError:
            continue
        # One byte of the signature's wrapping says nothing.
        assert found.identity == chains.verify(own.chain, own.authority.root).identity


def test_a_lease_taken_back_by_an_overtaken_inventory_comes_to_its_end() -> None:
    """The device had ended the attempt: a lease taken for answered would have waited without end."""
    schedule.run(20_108, "stern")


@pytest.mark.parametrize("seed", [124, 382, 426])
def test_what_may_not_be_replaced_does_not_wait_without_end_for_a_liar(seed: int) -> None:
    """Its device had been quarantined as a liar, which nobody released."""
    schedule.run(seed, "liar")
