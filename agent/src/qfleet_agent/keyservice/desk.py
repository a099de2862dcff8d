"""The desk of the key process: takes orders, hands messages to sessions, and reports until it is heard.

What is ordered is stored before it is confirmed, and what is reported stays until the control plane has it.
The numerical libraries are loaded with the first session: a process that only delivers keys does without.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from qfleet_agent.errors import RemoteError
from qfleet_agent.keyservice import records, relay_reports
from qfleet_agent.keyservice.parcels import Exchanged, Relayed
from qfleet_agent.keyservice.relay_hands import Means
from qfleet_agent.keyservice.relays import Relays
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.counts import Count, Row
from qfleet_agent.keystore.keeper import Keeper
from qfleet_wire import key_orders
from qfleet_wire.errors import InvalidMessage
from qfleet_wire.key_orders import MOST_USES, LinkStock, Relay, Stock, Use
from qfleet_wire.names import DeviceName, Millis

if TYPE_CHECKING:
    from qfleet_agent.keyservice.exchanges import Exchanges

Post: TypeAlias = Callable[[DeviceName, bytes], Awaitable[None]]
"""Puts a message in line to a device; raises ``KeyError`` where there is no line."""
Reporter: TypeAlias = Callable[[str, bytes], Awaitable[None]]
"""Says a report until the control plane has stored it, and returns then."""

MOST_AT_ONCE: Final = 8
"""Sessions that run at the same time; what else is ordered waits."""
STOCK_S: Final = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class World:
    """Where the desk stands: ``peers`` are the devices with a link to this one."""

    keeper: Keeper
    peers: frozenset[DeviceName]
    post: Post
    report: Reporter
    now: Callable[[], Millis]
    random: Callable[[int], bytes]
    nudge_s: float = 1.0
    stock_s: float = STOCK_S


class Desk:
    """Made and run inside an event loop; ``run`` goes on until it is cancelled."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._exchanges: Exchanges | None = None
        self._relays = Relays(
            Means(keeper=world.keeper, post=world.post, tell=self._ended, now=world.now, random=world.random)
        )
        self._reports: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._orders = asyncio.Event()
        self._orders.set()
        self._beginning = asyncio.Lock()
        self._watched = asyncio.Event()

    async def ordered(self, order: str, body: bytes) -> None:
        """Store an order for good; it begins by itself. What is no order is void, and only logged."""
        try:
            read = key_orders.order(body)
        except InvalidMessage as error:
            log.warning("Order %s is void: %s", order, error, extra={"action": "key-order-invalid"})
            return
        await self._world.keeper.transact(
            lambda base: records.take(base, records.Waiting(order, body), self._world.now(), read.expires)
        )
        self._orders.set()

    async def heard(self, peer: DeviceName, parcel: Exchanged | Relayed) -> None:
        """Take in a message of another device's key process; one that is none is dropped."""
        try:
            if isinstance(parcel, Exchanged):
                exchanges = await self._loaded()
                # a session that is ordered here and has not begun is no stranger's
                async with self._beginning:
                    await exchanges.heard(peer, parcel.data)
            else:
                await self._relays.heard(peer, parcel.data)
        except RemoteError as error:
            log.warning("A message of %s is none: %s", peer, error, extra={"action": "key-message-invalid"})

    def lost(self, peer: DeviceName) -> None:
        """The line to a device was cut, or is there again: what was said may not have been heard."""
        if self._exchanges is not None:
            self._exchanges.nudge(peer)

    async def run(self) -> None:
        """Restore what was under way, begin what is ordered, report what has happened."""
        try:
            async with asyncio.TaskGroup() as group:
                for report in await self._world.keeper.transact(records.reports):
                    self._tell(report)
                await self._restore()
                await self._relays.restore()
                group.create_task(self._carry())
                group.create_task(self._begin_all())
                group.create_task(self._stocks())
                group.create_task(self._watch())
        finally:
            if self._exchanges is not None:
                await self._exchanges.close()
            tasks = list(self._reports.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _restore(self) -> None:
        saved = await self._world.keeper.transact(records.sessions)
        if saved:
            exchanges = await self._loaded()
            for session in saved:
                exchanges.restore(session)

    async def _begin_all(self) -> None:
        """Begin orders as they come, as long as there is room."""
        while True:
            await self._orders.wait()
            self._orders.clear()
            await self._world.keeper.transact(self._sweep)
            for order in await self._world.keeper.transact(records.waiting):
                body = key_orders.order(order.body)
                if isinstance(body, Relay):
                    await self._relays.begin(order.id, body)
                    continue
                exchanges = await self._loaded()
                if body.plan.session in exchanges.names:
                    continue
                if len(exchanges.names) >= MOST_AT_ONCE:
                    continue
                async with self._beginning:
                    await exchanges.begin(order.id, body)

    def _sweep(self, base: Base) -> None:
        records.sweep(base, self._world.now())
        relay_reports.sweep(base)

    async def _watch(self) -> None:
        """End with the first session that has failed: the process begins anew, from what is stored."""
        await self._watched.wait()
        assert self._exchanges is not None
        await self._exchanges.failed

    async def _carry(self) -> None:
        """Let relays say again what may have got lost, and end those whose time is over."""
        while True:
            await asyncio.sleep(self._world.nudge_s)
            if await self._relays.tick():
                self._orders.set()

    async def _loaded(self) -> "Exchanges":
        if self._exchanges is None:
            # numpy takes a tenth of a second and twenty megabytes
            from qfleet_agent.keyservice import exchanges  # noqa: PLC0415

            self._exchanges = exchanges.Exchanges(
                exchanges.Around(
                    keeper=self._world.keeper,
                    post=self._world.post,
                    tell=self._tell,
                    settled=self._settled,
                    now=self._world.now,
                    random=self._world.random,
                    nudge_s=self._world.nudge_s,
                )
            )
            self._watched.set()
        return self._exchanges

    # ── reports ──────────────────────────────────────────────────────────────────────────────

    def _tell(self, report: records.Report) -> None:
        if report.name not in self._reports:
            task = asyncio.get_running_loop().create_task(self._say(report), name=f"report-{report.name}")
            self._reports[report.name] = task
            task.add_done_callback(lambda _: self._reports.pop(report.name, None))

    async def _say(self, report: records.Report) -> None:
        await self._world.report(report.name, report.body)
        await self._world.keeper.transact(lambda base: records.told(base, report.name))

    def _ended(self, report: records.Report) -> None:
        self._tell(report)
        self._settled()

    def _settled(self) -> None:
        """A link holds more or less than before, and there is room for another session."""
        self._changed.set()
        self._orders.set()

    async def _stocks(self) -> None:
        """Say what every link has, every ``stock_s`` and when it changes; one report at a time."""
        while True:
            body = key_orders.encode(await self._stock())
            await self._world.report(f"stock-{self._world.now()}", body)
            self._changed.clear()
            # not wait_for: that of Python 3.11 may swallow a cancellation that comes with the event
            timer = asyncio.get_running_loop().call_later(self._world.stock_s, self._changed.set)
            try:
                await self._changed.wait()
            finally:
                timer.cancel()

    async def _stock(self) -> Stock:
        keeper = self._world.keeper
        counts = await keeper.counts()
        used = dict.fromkeys(self._world.peers, 0)
        for row in counts:
            if row.link in used and row.what in {Count.ISSUED, Count.ACCEPTED}:
                used[DeviceName(row.link)] += 8 * row.value
        links = []
        for link in sorted(self._world.peers):
            stock = await keeper.stock(link)
            held = 8 * (stock.ours + stock.theirs)
            links.append(
                LinkStock(
                    peer=link,
                    ours_bits=8 * stock.ours,
                    all_bits=held,
                    used_bits=used[link],
                    uses=_uses(counts, link),
                )
            )
        return Stock(links=tuple(links))


def _uses(counts: Sequence[Row], link: str) -> tuple[Use, ...]:
    """What each application has taken of a link."""
    found: dict[str, Counter[str]] = {}
    for row in counts:
        if row.link == link and row.whom:
            found.setdefault(row.whom, Counter())[row.what] += row.value
    return tuple(
        Use(
            application=name,
            issued_bits=8 * taken[Count.ISSUED],
            issued_keys=taken[Count.ISSUED_KEYS],
            fetched_keys=taken[Count.FETCHED_KEYS],
        )
        for name, taken in sorted(found.items())[:MOST_USES]
    )
