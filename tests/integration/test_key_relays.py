"""Relays as key processes run them: both ends get the key or neither, and no byte of a pad serves twice."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.integration import key_stores
from tests.integration.key_stores import BEGIN, Clock

from qfleet_agent.keyservice import parcels, records, relay_reports, relay_words
from qfleet_agent.keyservice.desk import Desk, World
from qfleet_agent.keystore import keeping
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.keeper import Keeper
from qfleet_agent.keystore.store import Call, Store
from qfleet_agent.relay.route import Plan
from qfleet_agent.relay.states import State as RelayState
from qfleet_wire import codec, key_orders
from qfleet_wire.key_orders import Relay, RelayEnded, RouteAlarm
from qfleet_wire.names import DeviceName, Millis

NUDGE_S = 0.02
LIMIT_S = 60.0
ROUTE = ("munich", "micius", "nairobi", "cape-town")
SIZE = 100
NAME = bytes(range(16))
PLAN = Plan(relay=NAME, route=ROUTE, size=SIZE)


class Gone(Exception):
    """The process ends here."""


class Site:
    """One device of the route, with a store that outlives its desk."""

    def __init__(self, fleet: "Fleet", name: str) -> None:
        self.fleet, self.name = fleet, DeviceName(name)
        self.boots = 0
        self.keeper: Keeper | None = None
        self.desk: Desk | None = None
        self.reports: dict[str, key_orders.Report] = {}
        self.inbox: asyncio.Queue[tuple[DeviceName, bytes]] = asyncio.Queue()
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self.boots += 1
        self.inbox = asyncio.Queue()
        folder = self.fleet.folder / self.name
        self.keeper = key_stores.open_keeper(folder, self.name, self.fleet.clock, self.boots)
        world = World(
            keeper=self.keeper,
            peers=frozenset(self.fleet.sites) - {self.name},
            post=self.post,
            report=self.report,
            now=self.fleet.clock,
            random=random.Random(f"{self.name} {self.boots}").randbytes,
            nudge_s=NUDGE_S,
        )
        self.desk = Desk(world)
        loop = asyncio.get_running_loop()
        self.tasks = [loop.create_task(self.desk.run()), loop.create_task(self.receive(self.desk))]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.keeper is not None:
            await self.keeper.close()
        self.keeper = self.desk = None

    async def post(self, peer: DeviceName, message: bytes) -> None:
        self.fleet.passed(self.name, message)
        other = self.fleet.sites[peer]
        if other.desk is None:
            raise KeyError(peer)
        for _ in range(self.fleet.copies()):
            other.inbox.put_nowait((self.name, message))

    async def receive(self, desk: Desk) -> None:
        while True:
            peer, message = await self.inbox.get()
            parcel = parcels.opened(message)
            assert isinstance(parcel, parcels.Relayed)
            await desk.heard(peer, parcel)

    async def report(self, name: str, body: bytes) -> None:
        self.reports[name] = key_orders.report(body)
        self.fleet.told.set()

    def ended(self) -> RelayEnded | None:
        found = [one for one in self.reports.values() if isinstance(one, RelayEnded)]
        assert len(found) < 2, "a relay ends once"
        return found[0] if found else None


class Fleet:
    """Devices along a route, whose neighbours share a block each, and a path between any two."""

    def __init__(self, folder: Path, route: tuple[str, ...], losing: float, seed: int) -> None:
        self.folder, self.route, self.losing = folder, route, losing
        self.chance = random.Random(seed)
        self.clock = Clock()
        self.told = asyncio.Event()
        self.sites: dict[DeviceName, Site] = {}
        self.number = 0
        self.sent: list[relay_words.Carry] = []
        self.waited: dict[int, asyncio.Event] = {}
        for name in route:
            self.sites[DeviceName(name)] = Site(self, name)

    def copies(self) -> int:
        if self.chance.random() < self.losing:
            return 0
        return 2 if self.chance.random() < self.losing else 1

    def passed(self, _: DeviceName, message: bytes) -> None:
        parcel = parcels.opened(message)
        assert isinstance(parcel, parcels.Relayed)
        said = relay_words.opened(parcel.data)
        if isinstance(said, relay_words.Carry):
            self.sent.append(said)
        self.number += 1
        if self.number in self.waited:
            self.waited[self.number].set()

    async def start(self, *, filled: int = 2048) -> None:
        for site in self.sites.values():
            await site.start()
        for number, (left, right) in enumerate(itertools.pairwise(self.route)):
            for here, there in ((left, right), (right, left)):
                keeper, block = self.keeper(here), key_stores.block_id(number)
                await keeper.keep(there, block, key_stores.material(block, filled))
                await keeper.release(there, block)

    def keeper(self, name: str) -> Keeper:
        found = self.sites[DeviceName(name)].keeper
        assert found is not None
        return found

    @property
    def ends(self) -> tuple[Site, Site]:
        return self.sites[DeviceName(self.route[0])], self.sites[DeviceName(self.route[-1])]

    async def order(self, *, size: int = SIZE) -> None:
        expires = Millis(self.clock() + key_stores.HOUR_MS)
        body = Relay(relay=NAME, route=tuple(map(DeviceName, self.route)), size=size, expires=expires)
        for site in self.sites.values():
            if site.desk is not None:
                await site.desk.ordered("relay-1", key_orders.encode(body))

    async def over(self) -> None:
        """Wait until both ends have told how it ended."""
        async with asyncio.timeout(LIMIT_S):
            while not all(site.ended() for site in self.ends):
                self.told.clear()
                await self.told.wait()

    async def agreed(self) -> bytes | None:
        """The key of both ends: that they differ, or one lacks it, is never possible."""
        source, target = self.ends
        here, there = await released(source, target.name), await released(target, source.name)
        assert here == there
        self.unspent()
        outcomes = {site.ended().outcome for site in self.ends}  # type: ignore[union-attr] # it is over
        assert outcomes == {"key" if here else "aborted"}
        return here

    def unspent(self) -> None:
        """No byte of any block went into two pads."""
        pads = {said.pad.key: said.pad for said in self.sent if said.pad is not None}
        taken = [
            (one.block, at)
            for pad in pads.values()
            for one in pad.ranges
            for at in range(one.start, one.stop)
        ]
        assert len(taken) == len(set(taken))


async def released(site: Site, link: str) -> bytes | None:
    block = relay_reports.block_of(PLAN)

    def call(base: Base) -> bytes | None:
        found = base.blocks.find(link, block)
        if found is None or found.state not in {"held", "spent"}:
            return None
        return base.blocks.read(found, 0, found.size)

    assert site.keeper is not None
    return await site.keeper.transact(call)


def along(
    folder: Path,
    scenario: Callable[[Fleet], Awaitable[None]],
    *,
    route: tuple[str, ...] = ROUTE,
    losing: float = 0.0,
    seed: int = 1,
) -> None:
    async def run() -> None:
        fleet = Fleet(folder, route, losing, seed)
        try:
            await scenario(fleet)
        finally:
            for site in fleet.sites.values():
                await site.stop()

    asyncio.run(run())


@pytest.mark.parametrize("nodes", [1, 2])
def test_two_devices_without_a_link_get_a_key_over_trusted_nodes(tmp_path: Path, nodes: int) -> None:
    route = (ROUTE[0], *ROUTE[1 : 1 + nodes], ROUTE[-1])

    async def scenario(fleet: Fleet) -> None:
        await fleet.start()
        await fleet.order()
        await fleet.over()
        key = await fleet.agreed()
        assert key is not None
        assert len(key) == SIZE
        for site in fleet.ends:
            ended = site.ended()
            assert ended is not None
            assert ended.bits == 8 * SIZE
        rows = await fleet.keeper(route[-1]).transact(
            lambda base: base.database.execute("SELECT plan FROM key_relays").fetchall()
        )
        assert codec.decode(rows[0][0], Plan).trusted == route[1:-1]
        for number, (left, right) in enumerate(itertools.pairwise(route)):
            stock = await fleet.keeper(left).stock(right)
            assert stock.ours == 1024 - (SIZE + 64), f"hop {number} used more or less than a pad"
            assert (await fleet.keeper(right).stock(left)).theirs == stock.ours

    along(tmp_path, scenario, route=route)


def test_a_relay_is_forgotten_with_its_key_and_no_sooner(tmp_path: Path) -> None:
    async def stored(site: Site) -> list[str]:
        assert site.keeper is not None
        return [one.state for one in await site.keeper.transact(records.relays)]

    async def swept(site: Site, fleet: Fleet) -> None:
        """Order what cannot begin: whoever takes an order sweeps first."""
        assert site.desk is not None
        body = Relay(relay=NAME[::-1], route=ROUTE, size=SIZE, expires=BEGIN)  # type: ignore[arg-type] # names
        site.reports.clear()
        fleet.told.clear()
        await site.desk.ordered(f"late-{fleet.clock()}", key_orders.encode(body))
        async with asyncio.timeout(LIMIT_S):
            while site.ended() is None:
                await fleet.told.wait()
                fleet.told.clear()

    async def scenario(fleet: Fleet) -> None:
        await fleet.start()
        await fleet.order()
        await fleet.over()
        assert await fleet.agreed() is not None
        source, target = fleet.ends
        fleet.clock.pass_ms(2 * keeping.REMEMBERED_MS)
        for site in fleet.ends:
            await swept(site, fleet)
            assert await stored(site) == [RelayState.RELEASED], "the key waits, and so does its provenance"
        await fleet.keeper(source.name).destroy(target.name, relay_reports.block_of(PLAN))
        for passed, left in ((0, 1), (keeping.REMEMBERED_MS, 0)):
            fleet.clock.pass_ms(passed)
            await fleet.keeper(source.name).sweep()
            await swept(source, fleet)
            assert len(await stored(source)) == left
        assert await stored(target) == [RelayState.RELEASED]

    along(tmp_path, scenario)


def test_no_node_says_or_stores_the_key(tmp_path: Path) -> None:
    async def scenario(fleet: Fleet) -> None:
        await fleet.start()
        await fleet.order()
        await fleet.over()
        key = await fleet.agreed()
        assert key is not None
        assert not [said for said in fleet.sent if key[:16] in said.message]
        for name in ROUTE[1:-1]:
            assert not await released(fleet.sites[DeviceName(name)], ROUTE[0])

    along(tmp_path, scenario)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_lost_or_comes_twice_changes_nothing(tmp_path: Path, seed: int) -> None:
    async def scenario(fleet: Fleet) -> None:
        await fleet.start()
        await fleet.order()
        await fleet.order()
        await fleet.over()
        assert await fleet.agreed() is not None
        fleet.losing = 0.0
        await fleet.order()
        assert len(fleet.ends[0].reports) >= 1

    along(tmp_path, scenario, losing=0.25, seed=seed)


@pytest.mark.parametrize("victim", [ROUTE[0], ROUTE[2], ROUTE[3]])
@pytest.mark.parametrize("after", [2, 5])
def test_a_device_that_restarts_leaves_no_key_at_one_end_only(
    tmp_path: Path, victim: str, after: int
) -> None:
    async def scenario(fleet: Fleet) -> None:
        await fleet.start()
        moment = fleet.waited.setdefault(after, asyncio.Event())
        await fleet.order()
        async with asyncio.timeout(LIMIT_S):
            await moment.wait()
        site = fleet.sites[DeviceName(victim)]
        await site.stop()
        await site.start()
        await fleet.order()
        fleet.clock.pass_ms(2 * key_stores.HOUR_MS)  # what cannot go on ends with its time
        await fleet.over()
        await fleet.agreed()

    along(tmp_path, scenario)


def _set(event: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon_threadsafe(event.set)


@pytest.mark.parametrize(
    ("victim", "commits", "done"),
    [
        *((name, number, False) for name in (ROUTE[0], ROUTE[1], ROUTE[-1]) for number in (1, 2, 3)),
        (ROUTE[0], 3, True),
        (ROUTE[-1], 2, True),
    ],
)
def test_a_process_that_ends_at_any_commit_leaves_no_key_at_one_end_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, victim: str, done: bool, commits: int
) -> None:
    """It ends right before or right after a commit that changes anything is durable."""
    whole = Store.batch
    counted = 0

    async def scenario(fleet: Fleet) -> None:
        await fleet.start()
        site = fleet.sites[DeviceName(victim)]
        store, loop, down = fleet.keeper(victim)._store, asyncio.get_running_loop(), asyncio.Event()

        def cut(self: Store, calls: Sequence[Call]) -> list[Any]:
            nonlocal counted
            if self is not store:
                return whole(self, calls)
            if counted >= commits:
                raise Gone
            if not done and counted == commits - 1 and self._database.total_changes > began:
                counted += 1
                _set(down, loop)
                raise Gone
            before = self._database.total_changes
            found = whole(self, calls)
            counted += self._database.total_changes > before
            if counted >= commits:
                _set(down, loop)
            return found

        await fleet.order()
        began = store._database.total_changes
        monkeypatch.setattr(Store, "batch", cut)
        waiting = [asyncio.create_task(down.wait()), asyncio.create_task(fleet.over())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await site.stop()
        monkeypatch.setattr(Store, "batch", whole)
        await site.start()
        fleet.clock.pass_ms(2 * key_stores.HOUR_MS)
        await fleet.over()
        await fleet.agreed()

    along(tmp_path, scenario)


def test_a_link_without_enough_key_ends_the_relay_and_says_which(tmp_path: Path) -> None:
    async def scenario(fleet: Fleet) -> None:
        await fleet.start(filled=200)
        await fleet.order()
        await fleet.over()
        assert await fleet.agreed() is None
        ended = fleet.ends[0].ended()
        assert ended is not None
        assert f"the link to {ROUTE[1]} has 100 unused bytes" in ended.reason

    along(tmp_path, scenario)


def test_what_is_altered_on_the_way_is_an_alarm_and_no_key(tmp_path: Path) -> None:
    async def scenario(fleet: Fleet) -> None:
        await fleet.start()
        other = key_stores.material(b"other", 2048)
        nodes = fleet.keeper("nairobi")
        # The two ends of a hop hold different bytes: what comes does not bear the tag of the pad.
        block = key_stores.block_id(9)
        for keeper, link, material in (
            (nodes, "cape-town", other),
            (fleet.keeper("cape-town"), "nairobi", bytes(2048)),
        ):
            await keeper.destroy(link, key_stores.block_id(2))
            await keeper.keep(link, block, material)
            await keeper.release(link, block)
        await fleet.order()
        await fleet.over()
        assert await fleet.agreed() is None
        alarms = [one for one in fleet.ends[1].reports.values() if isinstance(one, RouteAlarm)]
        assert "nairobi - cape-town" in alarms[0].seen

    along(tmp_path, scenario)


def test_what_cannot_begin_is_reported(tmp_path: Path) -> None:
    async def scenario(fleet: Fleet) -> None:
        await fleet.start()
        await fleet.order(size=100_000)
        await fleet.over()
        assert await fleet.agreed() is None
        ended = fleet.ends[0].ended()
        assert ended is not None
        assert "16 to 16384 bytes" in ended.reason
        desk = fleet.ends[0].desk
        assert desk is not None
        await desk.heard(DeviceName("micius"), parcels.Relayed(b"nonsense"))

    along(tmp_path, scenario)
