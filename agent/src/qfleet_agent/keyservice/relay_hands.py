"""Does what a relay asks for: takes pads from the key store, carries the secret, keeps the far end's key.

A pad is a key that one neighbour issues to the other for ``RELAY``, an application that nobody can be: its
announcement travels with the hop, and the receiver accepts and fetches it in one transaction, so that it
never waits for anybody. Issuing is durable before the secret is covered; after a restart a new pad is taken.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from qfleet_agent.errors import (
    AnnouncementRefused,
    BlockRefused,
    KeyNotFound,
    KeysExhausted,
    KeyStoreFull,
    NotNamed,
)
from qfleet_agent.key_settings import RELAY
from qfleet_agent.keyservice import parcels, records, relay_reports, relay_words
from qfleet_agent.keyservice.relay_reports import block_of
from qfleet_agent.keyservice.relay_running import Running
from qfleet_agent.keyservice.relay_words import Carry
from qfleet_agent.keystore import fetching, keeping
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.issuing import Order
from qfleet_agent.keystore.keeper import Also, Keeper
from qfleet_agent.relay import effects, messages
from qfleet_agent.relay.effects import Effect
from qfleet_agent.relay.errors import RelayMisused
from qfleet_agent.relay.messages import Arrived, Gone, Hop
from qfleet_agent.relay.source import Source
from qfleet_agent.relay.states import State
from qfleet_agent.relay.target import Target
from qfleet_wire import codec
from qfleet_wire.names import DeviceName, Millis

PAD_MS: Final = 600_000
"""How long a pad may be on its way; later its bytes are given up at both ends."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Means:
    """What relays are carried with."""

    keeper: Keeper
    post: Callable[[DeviceName, bytes], Awaitable[None]]
    tell: Callable[[records.Report], None]
    now: Callable[[], Millis]
    random: Callable[[int], bytes]


class Hands:
    """What one device does for all relays that pass it."""

    def __init__(self, means: Means, drop: Callable[[bytes], None]) -> None:
        """``drop`` is called with a relay that has ended here, or is further than what is stored."""
        self._keeper, self._post, self._tell = means.keeper, means.post, means.tell
        self._now, self._random = means.now, means.random
        self._drop = drop
        self._name = ""

    async def learn_name(self) -> str:
        """Read whose key store it is."""
        self._name = await self._keeper.transact(lambda base: base.name)
        return self._name

    async def perform(self, running: Running, asked: Sequence[Effect]) -> None:
        """Do what a relay asks for, in order."""
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
                self._drop(running.plan.relay)
                raise

    async def _do(self, running: Running, effect: Effect) -> None:
        match effect:
            case effects.Send():
                await self.send(running, effect)
            case effects.Take():
                await self._take(running, effect)
            case effects.Fetch():
                await self._fetch(running, effect)
            case effects.Keep():
                await self._keep(running, effect)
            case effects.Release():
                block = block_of(running.plan)
                report = relay_reports.ended(self._name, running.plan, "key", "")
                also = self._saved(running, running.plan.source, State.RELEASED, report)
                await self._keeper.release(running.plan.source, block, also)
                self._finish(running, report)
            case effects.Destroy():
                pass  # done in _give_up, with the report
            case effects.Alarm():
                log.error("A relay is forged: %s", effect.seen, extra={"action": "key-alarm"})
                alarm = relay_reports.forged(self._name, effect.relay, effect.seen)
                await self.store(relay_reports.nothing, alarm)

    async def _take(self, running: Running, effect: effects.Take) -> None:
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
        await self.perform(running, asked)

    async def _fetch(self, running: Running, effect: effects.Fetch) -> None:
        device = running.device
        assert not isinstance(device, Source)
        made = running.pads.pop(effect.pad, None)
        if made is None or made.slaves != (RELAY,) or made.master != RELAY:
            await self.perform(running, device.unfetched("the pad was not announced for a relay"))
            return

        def call(base: Base) -> bytes:
            fetching.accept(base, effect.neighbour, made, self._now())
            return fetching.fetch(base, RELAY, RELAY, [made.key], self._now())[0].material

        try:
            pad = await self._keeper.transact(call)
        except (AnnouncementRefused, KeyNotFound, NotNamed) as error:
            await self.perform(running, device.unfetched(str(error)[:200] or "the pad was used before"))
            return
        await self._say(DeviceName(effect.neighbour), relay_words.received(made.key))
        try:
            asked = device.fetched(pad)
        except RelayMisused as error:  # its length is the neighbour's fault
            asked = device.unfetched(str(error)[:200])
        await self.perform(running, asked)

    async def _keep(self, running: Running, effect: effects.Keep) -> None:
        block, plan = block_of(effect.plan), effect.plan
        if not effect.released:
            word = messages.encode(Arrived(plan.relay, effect.ciphertext, effect.proof))
            also = self._saved(running, effect.peer, State.HELD, None, word)
            await self._keeper.keep(effect.peer, block, effect.key, also=also)
            return
        report = relay_reports.ended(self._name, plan, "key", "")
        saved = self._saved(running, effect.peer, State.RELEASED, report)

        def and_release(base: Base) -> None:
            keeping.release(base, effect.peer, block, self._now())
            saved(base)

        await self._keeper.keep(effect.peer, block, effect.key, also=and_release)
        self._finish(running, report)

    def _saved(
        self,
        running: Running,
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

    def _finish(self, running: Running, report: records.Report) -> None:
        self._drop(running.plan.relay)
        self._tell(report)

    async def _give_up(self, running: Running, why: str) -> None:
        """Store that there is no key here and never will be; told once."""
        report = relay_reports.ended(self._name, running.plan, "aborted", why)

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

    async def _not_kept(self, running: Running, why: str) -> None:
        await self._give_up(running, why)
        other = running.plan.source if isinstance(running.device, Target) else running.plan.target
        await self.send(running, effects.Send(other, Gone(running.plan.relay, why[:200])))

    async def store(self, also: Also, report: records.Report) -> None:
        """Store a report, and something else with it; then tell it."""

        def call(base: Base) -> None:
            also(base)
            records.tell(base, report)

        await self._keeper.transact(call)
        self._tell(report)

    async def send(self, running: Running | None, effect: effects.Send) -> None:
        """Say something to a device of the route, with the announcement of the pad it names."""
        pad = None
        if running is not None and isinstance(effect.message, Hop):
            pad = running.pads.get(effect.message.pad)
        await self._say(DeviceName(effect.to), codec.encode(Carry(messages.encode(effect.message), pad)))

    async def _say(self, to: DeviceName, data: bytes) -> None:
        try:
            await self._post(to, codec.encode(parcels.Relayed(data)))
        except KeyError:
            log.debug("There is no line to %s.", to)  # it is said again when time has passed


def _reason(asked: Sequence[Effect]) -> str:
    for effect in asked:
        match effect:
            case effects.Destroy(_, why):
                return why
            case effects.Send(_, Gone(_, why)):
                return why
    return "given up"
