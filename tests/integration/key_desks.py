"""Two desks with real key stores and a path between them that loses, cuts, and carries in order."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from tests.integration import key_stores
from tests.integration.key_stores import LEFT, RIGHT, Clock
from tests.unit import qkd_cases

from qfleet_agent.keyservice import parcels
from qfleet_agent.keyservice.desk import Desk, World
from qfleet_agent.keystore.keeper import Keeper
from qfleet_agent.qkd.exchange import effects
from qfleet_wire import key_orders
from qfleet_wire.key_orders import Eavesdropper, Exchange, ExchangeEnded
from qfleet_wire.key_plans import Plan
from qfleet_wire.names import DeviceName, Millis

NUDGE_S = 0.05
LIMIT_S = 60.0


class Gone(Exception):
    """The process ends here."""


@dataclass
class Post:
    """What may happen to a message: ``lost`` is the share that never comes."""

    lost: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(5))
    passed: int = 0
    watched: dict[int, asyncio.Event] = field(default_factory=dict)

    def count(self) -> None:
        self.passed += 1
        if self.passed in self.watched:
            self.watched[self.passed].set()

    async def passes(self, number: int) -> None:
        """Wait until so many messages were sent."""
        async with asyncio.timeout(LIMIT_S):
            await self.watched.setdefault(number, asyncio.Event()).wait()


class End:
    """One device: a key store that outlives its desk."""

    def __init__(self, folder: Path, name: str, clock: Clock, post: Post) -> None:
        self.name = DeviceName(name)
        self.peer = DeviceName(RIGHT if name == LEFT else LEFT)
        self._folder = folder / name
        self._clock = clock
        self._post = post
        self._boots = 0
        self.other: End | None = None
        self.desk: Desk | None = None
        self.keeper: Keeper | None = None
        self.reports: dict[str, key_orders.Report] = {}
        self.heard_reports = asyncio.Event()
        self.listened = asyncio.Event()
        """While it is not set, the control plane stores no reports."""
        self.listened.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()

    async def start(self) -> None:
        self._boots += 1
        self._inbox = asyncio.Queue()
        self.keeper = key_stores.open_keeper(self._folder, self.name, self._clock, self._boots)
        world = World(
            keeper=self.keeper,
            peers=frozenset({self.peer}),
            post=self._send,
            report=self._report,
            now=self._clock,
            random=random.Random(f"{self.name} {self._boots}").randbytes,
            nudge_s=NUDGE_S,
        )
        self.desk = Desk(world)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self.desk.run()), loop.create_task(self._receive(self.desk))]

    async def stop(self) -> None:
        """End the desk wherever it is, as a killed process would; the store closes properly."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self.keeper is not None
        await self.keeper.close()
        self.keeper = self.desk = None

    async def _send(self, peer: DeviceName, message: bytes) -> None:
        assert peer == self.peer
        self._post.count()
        if self.other is None or self.other.desk is None:
            raise KeyError(peer)
        if self._post.chance.random() >= self._post.lost:
            self.other._inbox.put_nowait(message)

    async def _receive(self, desk: Desk) -> None:
        while True:
            parcel = parcels.opened(await self._inbox.get())
            assert isinstance(parcel, parcels.Exchanged)
            await desk.heard(self.peer, parcel)

    async def _report(self, name: str, body: bytes) -> None:
        await self.listened.wait()
        self.reports[name] = key_orders.report(body)
        self.heard_reports.set()

    async def ended(self, session: str) -> ExchangeEnded:
        """The report of how a session ended here, when it comes."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for report in self.reports.values():
                    if isinstance(report, ExchangeEnded) and report.session == session:
                        return report
                self.heard_reports.clear()
                await self.heard_reports.wait()

    async def stock(self) -> int:
        """Bytes that both may use."""
        assert self.keeper is not None
        found = await self.keeper.stock(self.peer)
        return found.ours + found.theirs


@dataclass(frozen=True)
class Both:
    left: End
    right: End
    clock: Clock
    post: Post

    async def order(self, plan: Plan, listener: Eavesdropper | None = None) -> None:
        """Order a session of both; the left one is Alice."""
        expires = Millis(self.clock() + key_stores.HOUR_MS)
        for end, role in ((self.left, "alice"), (self.right, "bob")):
            body = Exchange(plan=plan, peer=end.peer, role=role, expires=expires, eavesdropper=listener)  # type: ignore[arg-type] # one of two literals
            assert end.desk is not None
            await end.desk.ordered(f"{plan.session}/{role}", key_orders.encode(body))

    async def order_left(self, plan: Plan) -> None:
        """Order a session of the left end alone."""
        expires = Millis(self.clock() + key_stores.HOUR_MS)
        body = Exchange(plan=plan, peer=self.left.peer, role="alice", expires=expires)
        assert self.left.desk is not None
        await self.left.desk.ordered(f"{plan.session}/alice", key_orders.encode(body))

    async def quiet(self) -> None:
        """Wait until neither end has a session that is not settled."""
        async with asyncio.timeout(LIMIT_S):
            while [end for end in (self.left, self.right) if await _open_sessions(end)]:  # noqa: ASYNC110 - a table
                await asyncio.sleep(NUDGE_S)


async def _open_sessions(end: End) -> bool:
    assert end.keeper is not None
    rows = await end.keeper.transact(
        lambda base: base.database.execute("SELECT count(*) FROM key_sessions").fetchone()
    )
    return bool(rows[0])


@asynccontextmanager
async def desks(folder: Path, *, lost: float = 0.0) -> AsyncIterator[Both]:
    clock, post = Clock(), Post(lost)
    left, right = (End(folder, name, clock, post) for name in (LEFT, RIGHT))
    left.other, right.other = right, left
    await left.start()
    await right.start()
    try:
        yield Both(left, right, clock, post)
    finally:
        for end in (left, right):
            if end.keeper is not None:
                await end.stop()


def plan(session: str) -> Plan:
    """A session that makes a key in a moment."""
    return msgspec.structs.replace(qkd_cases.BRIGHT, session=session)


async def material(end: End, session: str) -> bytes | None:
    """The key of a session as it is stored, None where there is none that may be used."""

    def call(base: object) -> bytes | None:
        blocks = base.blocks  # type: ignore[attr-defined] # a Base
        found = blocks.find(end.peer, effects.block(session))
        if found is None or found.state not in {"held", "spent"}:
            return None
        return bytes(blocks.read(found, 0, found.size))

    assert end.keeper is not None
    return await end.keeper.transact(call)
