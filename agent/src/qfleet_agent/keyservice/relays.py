"""Runs relays: takes pads from the key store, carries the secret, keeps the key for the far end.

A pad is a key that one neighbour issues to the other for ``RELAY``, an application that nobody can be: its
announcement travels with the hop, and the receiver accepts and fetches it in one transaction, so that it
never waits for anybody. Issuing is durable before the secret is covered; after a restart a new pad is taken.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from qfleet_agent.errors import (
    AnnouncementRefused,
    BlockRefused,
    KeyNotFound,
    KeysExhausted,
    KeyStoreFull,
    NotNamed,
)
from qfleet_agent.key_settings import RELAY
from qfleet_agent.keyservice import parcels, records, relay_words
from qfleet_agent.keyservice.relay_words import Carry, Received
from qfleet_agent.keystore import fetching, keeping
from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.issuing import Order
from qfleet_agent.keystore.keeper import Also, Keeper
from qfleet_agent.relay import effects, messages, source
from qfleet_agent.relay.effects import Effect
from qfleet_agent.relay.errors import RelayMisused
from qfleet_agent.relay.messages import Arrived, Gone, Hop, Message
from qfleet_agent.relay.node import Node
from qfleet_agent.relay.route import Plan
from qfleet_agent.relay.source import Source
from qfleet_agent.relay.states import State
from qfleet_agent.relay.target import Restored, Target
from qfleet_wire import codec, key_orders
from qfleet_wire.key_orders import Outcome, Relay, RelayEnded, RouteAlarm
from qfleet_wire.names import DeviceName, Millis

Device: TypeAlias = Source | Node | Target

PAD_MS: Final = 600_000
"""How long a pad may be on its way; later its bytes are given up at both ends."""
MOST_AT_ONCE: Final = 64
MOST_PADS: Final = 4
"""Pads of one relay that are remembered at one device; an honest neighbour names one."""
MOST_PAUSE: Final = 32
"""Ticks between two nudges of a relay at most."""

log = logging.getLogger(__name__)


@dataclass
class _Running:
    """A relay while this process lives; ``order`` until its end is stored."""

    device: Device
    order: str | None
    expires: Millis | None
    pads: dict[bytes, Announcement] = field(default_factory=dict)
    pause: int = 1
    left: int = 1

    @property
    def plan(self) -> Plan:
        """What is carried, and along which route."""
        return self.device.plan

    @property
    def gone(self) -> bool:
        """Whether this end has given up."""
        return not isinstance(self.device, Node) and self.device.state is State.GONE

    @property
    def open(self) -> bool:
        """Whether no key is stored here, so that its time may be over."""
        return isinstance(self.device, Node) or self.device.state in {
            State.OPENING,
            State.CARRYING,
            State.GONE,
        }


class Relays:
    """All relays that pass this device; one message at a time."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        post: Callable[[DeviceName, bytes], Awaitable[None]],
        tell: Callable[[records.Report], None],
        now: Callable[[], Millis],
        random: Callable[[int], bytes],
    ) -> None:
        self._keeper = keeper
        self._post = post
        self._tell = tell
        self._now = now
        self._random = random
        self._name = ""
        self._running: dict[bytes, _Running] = {}
        self._lock = asyncio.Lock()

    async def restore(self) -> None:
        """Go on with targets that hold a key; a source that had not released has nothing left."""
        self._name = await self._keeper.transact(lambda base: base.name)
        for one in await self._keeper.transact(records.relays):
            plan = codec.decode(one.plan, Plan)
            if one.state == State.HELD:
                word = messages.decode(one.word)
                assert isinstance(word, Arrived)
                self._running[one.relay] = _Running(Restored(plan, self._name, word), None, None)
            elif one.state == State.OPENING:
                await self._store(
                    forgotten(one.relay), self._ended(plan, "aborted", "the source was restarted")
                )

    async def begin(self, order: str, body: Relay) -> None:
        """Begin a relay that was ordered, if it has not begun; what cannot begin is reported."""
        if body.relay in self._running or len(self._running) >= MOST_AT_ONCE:
            return
        async with self._lock:
            try:
                plan = self._planned(body)
            except RelayMisused as error:
                report = self._report(
                    RelayEnded(relay=body.relay, outcome="aborted", reason=str(error)[:1000])
                )
                await self._store(begun(order), report)
                return
            if await self._keeper.transact(lambda base: records.relay(base, body.relay)) is not None:
                await self._keeper.transact(begun(order))  # it has a key, or is settling
                return
            await self._start(order, plan, body.expires)

    def _planned(self, body: Relay) -> Plan:
        plan = Plan(relay=body.relay, route=tuple(body.route), size=body.size)
        plan.place(self._name)
        if body.expires <= self._now():
            raise RelayMisused("the order had expired before it could begin")
        return plan

    async def heard(self, peer: DeviceName, data: bytes) -> None:
        """Take in what another device's key process says of a relay.

        Raises:
            RelayRefused: It is no message of a relay, or does not belong here.
        """
        said = relay_words.opened(data)
        if isinstance(said, Received):
            self._keeper.confirm([said.pad])
            return
        message = messages.decode(said.message)
        async with self._lock:
            running = self._running.get(messages.relay_of(message))
            if running is None:
                await self._strange(peer, message)
                return
            _note(running, message, said.pad)
            running.pause = running.left = 1
            await self._perform(running, running.device.heard(peer, message))

    async def tick(self) -> bool:
        """Time has passed. Whether there is room for others now."""
        before = len(self._running)
        async with self._lock:
            for relay, running in list(self._running.items()):
                if running.open and running.expires is not None and running.expires <= self._now():
                    await self._expire(running)
                    self._running.pop(relay, None)
                    continue
                running.left -= 1
                if running.left <= 0 and not isinstance(running.device, Node):
                    running.pause = running.left = min(2 * running.pause, MOST_PAUSE)
                    await self._perform(running, running.device.nudged())
        return len(self._running) < before

    # ── one relay ────────────────────────────────────────────────────────────────────────────

    async def _start(self, order: str, plan: Plan, expires: Millis) -> None:
        if plan.source == self._name:
            device = Source(plan, self._random)
            saved = records.Carried(plan.relay, plan.target, codec.encode(plan), State.OPENING, b"")

            def also(base: Base) -> None:
                records.begun(base, order)
                records.save_relay(base, saved)

            # Its secret is in memory alone: after a restart this row says that it had begun.
            await self._keeper.transact(also)
            running = self._running[plan.relay] = _Running(device, order, expires)
            await self._perform(running, device.begin())
        elif plan.target == self._name:
            self._running[plan.relay] = _Running(Target(plan, self._name, self._random), order, expires)
        else:
            self._running[plan.relay] = _Running(Node(plan, self._name), order, expires)

    async def _expire(self, running: _Running) -> None:
        match running.device:
            case Source():
                await self._perform(running, running.device.give_up("expired"))
            case Target():
                await self._perform(running, running.device.unfetched("expired"))
            case Node():
                if running.order is not None:
                    await self._keeper.transact(begun(running.order))

    async def _strange(self, peer: DeviceName, message: Message) -> None:
        """A message of a relay that does not run here; the store may know it."""
        known = await self._keeper.transact(lambda base: records.relay(base, messages.relay_of(message)))
        if known is not None and known.state == State.HELD:
            return  # it has not been restored yet
        released = known is not None and known.state == State.RELEASED and known.peer == peer
        for effect in source.stranger(peer, message, released=released):
            if isinstance(effect, effects.Send):
                await self._send(None, effect)

    async def _perform(self, running: _Running, asked: Sequence[Effect]) -> None:
        if running.gone:
            await self._give_up(running, _reason(asked))
        for effect in asked:
            try:
                await self._do(running, effect)
            except (KeyStoreFull, BlockRefused) as error:
                log.warning("No key of a relay is kept: %s", error, extra={"action": "key-not-kept"})
                await self._not_kept(running, str(error))
                return
            except BaseException:
                # It is further than what is stored, and must not say so any more.
                self._running.pop(running.plan.relay, None)
                raise

    async def _do(self, running: _Running, effect: Effect) -> None:
        match effect:
            case effects.Send():
                await self._send(running, effect)
            case effects.Take():
                await self._take(running, effect)
            case effects.Fetch():
                await self._fetch(running, effect)
            case effects.Keep():
                await self._keep(running, effect)
            case effects.Release():
                block = block_of(running.plan)
                report = self._ended(running.plan, "key", "")
                also = self._saved(running, running.plan.source, State.RELEASED, report)
                await self._keeper.release(running.plan.source, block, also)
                self._finish(running, report)
            case effects.Destroy():
                pass  # done in _give_up, with the report
            case effects.Alarm():
                log.error("A relay is forged: %s", effect.seen, extra={"action": "key-alarm"})
                alarm = RouteAlarm(relay=effect.relay, seen=effect.seen[:1000])
                await self._store(nothing, self._report(alarm))

    async def _take(self, running: _Running, effect: effects.Take) -> None:
        device = running.device
        assert not isinstance(device, Target)
        expires = Millis(self._now() + PAD_MS)
        pad_id = self._random(16)
        order = Order(effect.neighbour, RELAY, (RELAY,), (), (pad_id,), effect.size, expires)
        try:
            (issued,) = await self._keeper.issue(order)
        except KeysExhausted as error:
            why = str(error)[:200]
            asked = device.give_up(why) if isinstance(device, Source) else device.unfetched(why)
        else:
            running.pads[pad_id] = issued.announcement
            asked = device.took(pad_id, issued.material)
        await self._perform(running, asked)

    async def _fetch(self, running: _Running, effect: effects.Fetch) -> None:
        device = running.device
        assert not isinstance(device, Source)
        made = running.pads.pop(effect.pad, None)
        if made is None or made.slaves != (RELAY,) or made.master != RELAY:
            await self._perform(running, device.unfetched("the pad was not announced for a relay"))
            return

        def call(base: Base) -> bytes:
            fetching.accept(base, effect.neighbour, made, self._now())
            return fetching.fetch(base, RELAY, RELAY, [made.key], self._now())[0].material

        try:
            pad = await self._keeper.transact(call)
        except (AnnouncementRefused, KeyNotFound, NotNamed) as error:
            await self._perform(running, device.unfetched(str(error)[:200] or "the pad was used before"))
            return
        await self._say(DeviceName(effect.neighbour), relay_words.received(made.key))
        try:
            asked = device.fetched(pad)
        except RelayMisused as error:  # its length is the neighbour's fault
            asked = device.unfetched(str(error)[:200])
        await self._perform(running, asked)

    async def _keep(self, running: _Running, effect: effects.Keep) -> None:
        block, plan = block_of(effect.plan), effect.plan
        if not effect.released:
            word = messages.encode(Arrived(plan.relay, effect.ciphertext, effect.proof))
            also = self._saved(running, effect.peer, State.HELD, None, word)
            await self._keeper.keep(effect.peer, block, effect.key, also=also)
            return
        report = self._ended(plan, "key", "")
        saved = self._saved(running, effect.peer, State.RELEASED, report)

        def and_release(base: Base) -> None:
            keeping.release(base, effect.peer, block, self._now())
            saved(base)

        await self._keeper.keep(effect.peer, block, effect.key, also=and_release)
        self._finish(running, report)

    def _saved(
        self,
        running: _Running,
        peer: str,
        state: State,
        report: records.Report | None,
        word: bytes = b"",
    ) -> Also:
        """What is stored beside the key."""
        carried = records.Carried(running.plan.relay, peer, codec.encode(running.plan), state, word)

        def also(base: Base) -> None:
            records.save_relay(base, carried)
            if running.order is not None:
                records.begun(base, running.order)
            if report is not None:
                records.tell(base, report)

        return also

    def _finish(self, running: _Running, report: records.Report) -> None:
        self._running.pop(running.plan.relay, None)
        self._tell(report)

    async def _give_up(self, running: _Running, why: str) -> None:
        """Store that there is no key here and never will be; told once."""
        report = self._ended(running.plan, "aborted", why)

        def also(base: Base) -> None:
            records.forget_relay(base, running.plan.relay)
            if running.order is not None:
                records.begun(base, running.order)
            records.tell(base, report)

        if isinstance(running.device, Target):
            await self._keeper.destroy(running.plan.source, block_of(running.plan), also)
        else:
            await self._keeper.transact(also)
        self._finish(running, report)

    async def _not_kept(self, running: _Running, why: str) -> None:
        await self._give_up(running, why)
        other = running.plan.source if isinstance(running.device, Target) else running.plan.target
        await self._send(running, effects.Send(other, Gone(running.plan.relay, why[:200])))

    # ── around it ────────────────────────────────────────────────────────────────────────────

    async def _send(self, running: _Running | None, effect: effects.Send) -> None:
        pad = None
        if running is not None and isinstance(effect.message, Hop):
            pad = running.pads.get(effect.message.pad)
        await self._say(DeviceName(effect.to), codec.encode(Carry(messages.encode(effect.message), pad)))

    async def _say(self, to: DeviceName, data: bytes) -> None:
        try:
            await self._post(to, codec.encode(parcels.Relayed(data)))
        except KeyError:
            log.debug("There is no line to %s.", to)  # it is said again when time has passed

    async def _store(self, also: Also, report: records.Report) -> None:
        def call(base: Base) -> None:
            also(base)
            records.tell(base, report)

        await self._keeper.transact(call)
        self._tell(report)

    def _ended(self, plan: Plan, outcome: Outcome, why: str) -> records.Report:
        bits = 8 * plan.size if outcome == "key" else 0
        return self._report(RelayEnded(relay=plan.relay, outcome=outcome, bits=bits, reason=why[:1000]))

    def _report(self, body: RelayEnded | RouteAlarm) -> records.Report:
        what = body.seen if isinstance(body, RouteAlarm) else "ended"
        name = hashlib.sha256(f"qfleet1 relay {body.relay.hex()} {self._name} {what}".encode()).hexdigest()
        return records.Report(name[:40], key_orders.encode(body))


def block_of(plan: Plan) -> bytes:
    """The name of a relay's key in a key store, 16 bytes: no secret, and the same at both ends."""
    return hashlib.sha256(b"qfleet1 key of relay " + plan.relay).digest()[:16]


def forgotten(relay: bytes) -> Also:
    """Forget a relay."""
    return lambda base: records.forget_relay(base, relay)


def begun(order: str) -> Also:
    """An order needs no beginning any more."""
    return lambda base: records.begun(base, order)


def nothing(_: Base) -> None:
    """Store nothing else."""


def _note(running: _Running, message: Message, pad: Announcement | None) -> None:
    """Remember which bytes form the pad of a hop, as it came first."""
    if (
        pad is not None
        and isinstance(message, Hop)
        and pad.key == message.pad
        and len(running.pads) < MOST_PADS
    ):
        running.pads.setdefault(pad.key, pad)


def _reason(asked: Sequence[Effect]) -> str:
    for effect in asked:
        match effect:
            case effects.Destroy(_, why):
                return why
            case effects.Send(_, Gone(_, why)):
                return why
    return "given up"
