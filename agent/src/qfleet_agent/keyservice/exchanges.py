"""Runs key sessions: gives each end its messages, and does what it asks in the order in which it asks.

The computing of all sessions happens in one thread, one message at a time, so that the loop stays free to
deliver keys and a small device does not run out of memory. A session that the store refuses, or whose process
was killed, goes on from its record as ``settling.Restored``.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from qfleet_agent.errors import KeyStoreFull, LocalError
from qfleet_agent.keyservice import listening, parcels, records, reporting
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.keeper import Keeper
from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_agent.qkd.exchange import effects, end, settling
from qfleet_agent.qkd.exchange.alice import Alice
from qfleet_agent.qkd.exchange.bob import Bob
from qfleet_agent.qkd.exchange.bydelay import ByDelay
from qfleet_agent.qkd.exchange.effects import Effect, Record
from qfleet_agent.qkd.exchange.postbox import envelope
from qfleet_agent.qkd.exchange.settling import Restored
from qfleet_agent.qkd.exchange.states import LIVE, State
from qfleet_agent.qkd.quantum.simulated import SimulatedDevice
from qfleet_wire import codec
from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.key_orders import Exchange
from qfleet_wire.names import DeviceName, Millis

_T = TypeVar("_T")

MOST_WAITING: Final = 256
"""Messages that wait for one session; further ones are dropped, and said again by the other end."""
MOST_EARLY: Final = 8
"""Sessions whose first messages wait for an order that the other end had first, and messages of each."""
FIRST_NUDGE_S: Final = 1.0
MOST_NUDGES: Final = 30
"""The longest pause between two nudges, in first ones."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Around:
    """What sessions are run with.

    ``post`` puts bytes in line to a device and raises ``KeyError`` where there is no line; ``tell`` is called
    when a report was stored, ``settled`` when a session has changed what a link holds.
    """

    keeper: Keeper
    post: Callable[[DeviceName, bytes], Awaitable[None]]
    tell: Callable[[records.Report], None]
    settled: Callable[[], None]
    now: Callable[[], Millis]
    random: Callable[[int], bytes]
    nudge_s: float = FIRST_NUDGE_S


@dataclass
class _Running:
    """A session while this process lives. ``order`` is what it begins with, None after a restart."""

    name: str
    peer: DeviceName
    end: reporting.Either
    expires: Millis | None = None
    order: str | None = None
    inbox: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def put(self, data: bytes | None) -> None:
        """Hand it a message, or None: time has passed."""
        if not self.inbox.full():
            self.inbox.put_nowait(data)


class Exchanges:
    """All sessions of one key process."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._running: dict[str, _Running] = {}
        self._early: dict[tuple[DeviceName, str], list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="key-exchange")
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets what ends a session that should not have: whoever runs this process must end, too."""

    @property
    def names(self) -> frozenset[str]:
        """The sessions that run."""
        return frozenset(self._running)

    async def close(self) -> None:
        """Stop all sessions where they are; their records stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._thread.shutdown(wait=True)
        self.failed.cancel()

    def restore(self, saved: records.Session) -> None:
        """Go on with a session of before a restart."""
        record = codec.decode(saved.record, Record)
        self._start(_Running(saved.name, DeviceName(saved.peer), Restored(record, None)))

    async def begin(self, order: str, body: Exchange) -> None:
        """Begin a session that was ordered; what cannot begin is reported, and never begins."""
        try:
            made = await self._computed(lambda: self._end(body))
        except (ExchangeMisused, InvalidQuantity) as error:
            await self._refuse(order, body, str(error))
            return
        self._start(_Running(body.plan.session, body.peer, made, body.expires, order))

    async def heard(self, peer: DeviceName, data: bytes) -> None:
        """Take in a message of the other end of some session.

        Raises:
            ExchangeInvalid: it is no message of a key exchange.
        """
        read = envelope(data)
        name = read.session
        running = self._running.get(name)
        if running is not None:
            if running.peer == peer:
                running.put(data)
            return
        if await self._around.keeper.transact(partial(records.record, session=name)) is not None:
            return  # it has not been restored yet, or has failed: to say that it is unknown would be a lie
        if read.number:
            self._keep_early(peer, name, data)
        for effect in settling.stranger(data):
            if isinstance(effect, effects.Send):
                await self._send(peer, effect.data)

    def nudge(self, peer: DeviceName) -> None:
        """Messages to a device may be lost: say again what it may not have heard."""
        for running in self._running.values():
            if running.peer == peer:
                running.put(None)

    def _keep_early(self, peer: DeviceName, name: str, data: bytes) -> None:
        """Keep a message for a session that may be ordered in a moment; the oldest make room."""
        waiting = self._early.setdefault((peer, name), [])
        if len(waiting) < MOST_EARLY:
            waiting.append(data)
        while len(self._early) > MOST_EARLY:
            self._early.pop(next(iter(self._early)))

    # ── one session ──────────────────────────────────────────────────────────────────────────

    def _start(self, running: _Running) -> None:
        self._running[running.name] = running
        for data in self._early.pop((running.peer, running.name), ()):
            running.put(data)
        task = asyncio.get_running_loop().create_task(self._run(running), name=f"session-{running.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, running: _Running) -> None:
        try:
            await self._perform(running, await self._computed(running.end.begin))
            pause = self._around.nudge_s
            while running.end.record.state is not State.FORGOTTEN:
                timer = asyncio.get_running_loop().call_later(pause, running.put, None)
                data = await running.inbox.get()
                timer.cancel()
                pause = (
                    self._around.nudge_s
                    if data is not None
                    else min(2 * pause, MOST_NUDGES * self._around.nudge_s)
                )
                await self._perform(running, await self._computed(partial(self._asked, running, data)))
        except Exception as error:
            log.exception("Session %s has failed.", running.name, extra={"action": "key-session-failed"})
            if not self.failed.done():
                self.failed.set_exception(error)
        finally:
            self._running.pop(running.name, None)
            self._around.settled()

    def _asked(self, running: _Running, data: bytes | None) -> list[Effect]:
        """What the end asks for, of a message or of time that has passed."""
        if data is not None:
            return running.end.heard(data)
        over = running.expires is not None and running.expires <= self._around.now()
        if over and not isinstance(running.end, Restored) and running.end.record.state in LIVE:
            return running.end.given_up("expired")
        return running.end.nudged()

    async def _perform(self, running: _Running, asked: list[Effect]) -> None:
        try:
            await self._do_all(running, asked)
        except LocalError as error:
            log.warning(
                "Session %s keeps no key: %s",
                running.name,
                error,
                extra={"action": "key-not-kept"},
            )
            if not isinstance(error, KeyStoreFull):
                raise
            stored = await self._around.keeper.transact(partial(records.record, session=running.name))
            assert stored is not None, "a session is saved before it keeps anything"
            running.end = Restored(codec.decode(stored, Record), None)
            await self._do_all(running, running.end.begin())

    async def _do_all(self, running: _Running, asked: list[Effect]) -> None:
        alarms = [effect for effect in asked if isinstance(effect, effects.Alarm)]
        for effect in asked:
            match effect:
                case effects.Send(data):
                    await self._send(running.peer, data)
                case effects.Alarm():
                    log.error(
                        "Session %s with %s: %s: %s",
                        running.name,
                        running.peer,
                        effect.reason,
                        effect.seen,
                        extra={"action": "key-alarm"},
                    )
                case effects.Forget(session):
                    await self._around.keeper.transact(partial(records.forget, session=session))
                case _:
                    await self._store(running, effect, alarms)
        if alarms and not any(isinstance(effect, effects.Destroy) for effect in asked):
            await self._report(reporting.late(running.name, running.peer, running.end, alarms))

    async def _store(
        self,
        running: _Running,
        effect: effects.Save | effects.Keep | effects.Release | effects.Destroy,
        alarms: list[effects.Alarm],
    ) -> None:
        """Change the key store, the record and the report of a session in one transaction."""
        keeper, link, block = self._around.keeper, running.peer, effects.block(running.name)
        saved = records.Session(running.name, link, codec.encode(effect.record))
        report = reporting.ended(running.name, link, running.end, effect, alarms)

        def also(base: Base) -> None:
            records.save(base, saved)
            if running.order is not None:
                records.begun(base, running.order)
            if report is not None:
                records.tell(base, report)

        match effect:
            case effects.Save():
                await keeper.transact(also)
            case effects.Keep(_, key):
                await keeper.keep(link, block, key, also=also)
            case effects.Release():
                await keeper.release(link, block, also)
            case effects.Destroy():
                await keeper.destroy(link, block, also)
        if report is not None:
            self._around.tell(report)
            self._around.settled()

    async def _send(self, peer: DeviceName, data: bytes) -> None:
        try:
            await self._around.post(peer, codec.encode(parcels.Exchanged(data)))
        except KeyError:
            log.debug("There is no line to %s.", peer)  # it is said again when time has passed

    # ── around it ────────────────────────────────────────────────────────────────────────────

    def _end(self, body: Exchange) -> Alice | Bob:
        plan, role = body.plan, body.role
        if body.expires <= self._around.now():
            raise ExchangeMisused("the order had expired before it could begin")
        if plan.authentication != "sealed":
            raise ExchangeMisused("messages can be sealed only: the link has no key for tags")
        law = listening.law(plan, body.eavesdropper)
        kit = end.Kit(
            session=plan,
            apparatus=lambda seed: SimulatedDevice(plan, seed, role, law),
            randomness=self._around.random(end.randomness_bytes(plan, role)),
            method=ByDelay(plan.delay_s),
            simulated=SimulatedDevice.simulated,
        )
        return Alice(kit) if role == "alice" else Bob(kit)

    async def _refuse(self, order: str, body: Exchange, why: str) -> None:
        report = reporting.refused(body, why)

        def call(base: Base) -> None:
            records.begun(base, order)
            records.tell(base, report)

        await self._around.keeper.transact(call)
        self._around.tell(report)

    async def _report(self, report: records.Report) -> None:
        await self._around.keeper.transact(lambda base: records.tell(base, report))
        self._around.tell(report)

    async def _computed(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
