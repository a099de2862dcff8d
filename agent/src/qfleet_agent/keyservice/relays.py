"""Which relays run at this device: begins what is ordered, hears neighbours, gives up what takes too long.

A source's secret is in memory alone, so a source that was restarted has nothing left; a target that holds a
key goes on.
"""

import asyncio
from typing import Final

from qfleet_agent.keyservice import records, relay_reports, relay_words
from qfleet_agent.keyservice.relay_hands import Hands, Means
from qfleet_agent.keyservice.relay_running import Running
from qfleet_agent.keyservice.relay_words import Received
from qfleet_agent.keystore.base import Base
from qfleet_agent.relay import effects, messages, source
from qfleet_agent.relay.errors import RelayMisused
from qfleet_agent.relay.messages import Arrived, Message
from qfleet_agent.relay.node import Node
from qfleet_agent.relay.route import Plan
from qfleet_agent.relay.source import Source
from qfleet_agent.relay.states import State
from qfleet_agent.relay.target import Restored, Target
from qfleet_wire import codec
from qfleet_wire.key_orders import Relay
from qfleet_wire.names import DeviceName, Millis

MOST_AT_ONCE: Final = 64


class Relays:
    """All relays that pass this device; one message at a time."""

    def __init__(self, means: Means) -> None:
        self._keeper, self._now, self._random = means.keeper, means.now, means.random
        self._name = ""
        self._running: dict[bytes, Running] = {}
        self._lock = asyncio.Lock()
        self._hands = Hands(means, self._drop)

    async def restore(self) -> None:
        """Go on with targets that hold a key; a source that had not released has nothing left."""
        self._name = await self._hands.learn_name()
        for one in await self._keeper.transact(records.relays):
            plan = codec.decode(one.plan, Plan)
            if one.state == State.HELD:
                word = messages.decode(one.word)
                assert isinstance(word, Arrived)
                self._running[one.relay] = Running(Restored(plan, self._name, word), None, None)
            elif one.state == State.OPENING:
                lost = relay_reports.ended(self._name, plan, "aborted", "the source was restarted")
                await self._hands.store(relay_reports.forgotten(one.relay), lost)

    async def begin(self, order: str, body: Relay) -> None:
        """Begin a relay that was ordered, if it has not begun; what cannot begin is reported."""
        if body.relay in self._running or len(self._running) >= MOST_AT_ONCE:
            return
        async with self._lock:
            try:
                plan = self._planned(body)
            except RelayMisused as error:
                refusal = relay_reports.refused(self._name, body.relay, str(error))
                await self._hands.store(relay_reports.begun(order), refusal)
                return
            if await self._keeper.transact(lambda base: records.relay(base, body.relay)) is not None:
                await self._keeper.transact(relay_reports.begun(order))  # it has a key, or is settling
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
            running.note(message, said.pad)
            running.woken()
            await self._hands.perform(running, running.device.heard(peer, message))

    async def tick(self) -> bool:
        """Time has passed. Whether there is room for others now."""
        before = len(self._running)
        async with self._lock:
            for relay, running in list(self._running.items()):
                if running.over(self._now()):
                    await self._expire(running)
                    self._drop(relay)
                elif running.due() and not isinstance(running.device, Node):
                    await self._hands.perform(running, running.device.nudged())
        return len(self._running) < before

    async def _start(self, order: str, plan: Plan, expires: Millis) -> None:
        if plan.source == self._name:
            device = Source(plan, self._random)
            saved = records.Carried(plan.relay, plan.target, codec.encode(plan), State.OPENING, b"")

            def also(base: Base) -> None:
                records.begun(base, order)
                records.save_relay(base, saved)

            # Its secret is in memory alone: after a restart this row says that it had begun.
            await self._keeper.transact(also)
            running = self._running[plan.relay] = Running(device, order, expires)
            await self._hands.perform(running, device.begin())
        elif plan.target == self._name:
            self._running[plan.relay] = Running(Target(plan, self._name, self._random), order, expires)
        else:
            self._running[plan.relay] = Running(Node(plan, self._name), order, expires)

    async def _expire(self, running: Running) -> None:
        match running.device:
            case Source():
                await self._hands.perform(running, running.device.give_up("expired"))
            case Target():
                await self._hands.perform(running, running.device.unfetched("expired"))
            case Node():
                if running.order is not None:
                    await self._keeper.transact(relay_reports.begun(running.order))

    async def _strange(self, peer: DeviceName, message: Message) -> None:
        """A message of a relay that does not run here; the store may know it."""
        known = await self._keeper.transact(lambda base: records.relay(base, messages.relay_of(message)))
        if known is not None and known.state == State.HELD:
            return  # it has not been restored yet
        released = known is not None and known.state == State.RELEASED and known.peer == peer
        for effect in source.stranger(peer, message, released=released):
            if isinstance(effect, effects.Send):
                await self._hands.send(None, effect)

    def _drop(self, relay: bytes) -> None:
        self._running.pop(relay, None)
