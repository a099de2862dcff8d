"""Carries orders to devices' key processes and their reports back: opaque here, each until it is confirmed.

An order is stored before it is sent, and sent with every new session and now and then until the key process
has stored it. A report is confirmed once it is stored here; the key process says it again until then.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import sqlalchemy as sa

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.link import faults
from qfleet_controlplane.link.parts import Parts
from qfleet_controlplane.store import keys
from qfleet_wire import payloads
from qfleet_wire.channel.rates import Buckets
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName

_log = logging.getLogger(__name__)

Said: TypeAlias = payloads.KeyReport | payloads.KeyOrderTaken

REPEAT_S: Final = 30.0
"""How often devices with a session are looked at for orders that they have not taken."""
AT_ONCE: Final = 64
"""Orders of one device that are sent together."""
_BURST: Final = 256
_INTERVAL_MS: Final = 20
_NAME: Final = 64
_ROUND: Final = 256


@dataclass(slots=True)
class _Round:
    said: list[tuple[DeviceName, Said]] = field(default_factory=list)
    wanting: set[DeviceName] = field(default_factory=set)
    """Devices whose orders are to be sent."""

    def __bool__(self) -> bool:
        return bool(self.said or self.wanting)


class KeyDesk:
    """What gathers during one transaction goes in the next."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._rate = Buckets(burst=_BURST, interval_ms=_INTERVAL_MS)
        self._next = _Round()
        self._task: asyncio.Task[None] | None = None
        self._repeating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to repeat orders."""
        self._repeating = asyncio.get_running_loop().create_task(self._repeat(), name="key-orders")

    async def stop(self) -> None:
        """Finish what is under way."""
        if self._repeating is not None:
            self._repeating.cancel()
            await asyncio.gather(self._repeating, return_exceptions=True)
        if self._task is not None:
            await self._task

    async def order(self, device: DeviceName, name: str, body: bytes) -> None:
        """Order something of a device's key process; it is stored when this returns, and then sent.

        The same name for the same device is the same order.

        Raises:
            ValueError: the name is empty or too long, or the body too large.
            Unavailable: it could not be stored.
        """
        if not 0 < len(name) <= _NAME or len(body) > LIMITS.key_body_bytes:
            raise ValueError(
                f"an order has a name of 1 to {_NAME} characters and at most {LIMITS.key_body_bytes} bytes"
            )
        wanted = keys.Order(device, name, self._parts.around.clock(), body)
        await self._parts.stores.database.writer.run(lambda connection: keys.order(connection, [wanted]))
        self.opened(device)

    def opened(self, device: DeviceName) -> None:
        """Send a device the orders that it has not taken, because it has a new session or a new order."""
        self._next.wanting.add(device)
        self._begin()

    def take(self, device: DeviceName, said: Said) -> None:
        """Take in what a key process says; called from the inbound path, never waits."""
        large = isinstance(said, payloads.KeyReport) and len(said.body) > LIMITS.key_body_bytes
        admitted = self._rate.admit(device, self._parts.around.clock())
        if large or not admitted or not 0 < len(said.id) <= _NAME:
            self._parts.around.counts.keys.add("refused")
            return
        self._next.said.append((device, said))
        self._begin()

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name="key-desk")

    async def _work(self) -> None:
        try:
            while self._next:
                said, wanting = self._next.said, sorted(self._next.wanting)
                self._next = _Round(said[_ROUND:], set(wanting[_ROUND:]))
                await self._round(_Round(said[:_ROUND], set(wanting[:_ROUND])))
        finally:
            self._task = None

    async def _round(self, now: _Round) -> None:
        database, outbound = self._parts.stores.database, self._parts.outbound
        try:
            if now.said:
                stored = await database.writer.run(lambda connection: self._store(connection, now))
                for device, names in stored.items():
                    outbound.send(device, [payloads.KeyReportStored(tuple(names))])
            if now.wanting:
                wanting = list(now.wanting)
                # One look for all: a fleet that comes back at once has no orders, as a rule.
                for device in await database.read(lambda connection: keys.ordered(connection, wanting)):
                    await self._send_orders(device)
        except Unavailable as error:
            faults.note(_log, "Reports of key processes are not stored", error, "key_reports_wait")

    async def _send_orders(self, device: DeviceName) -> None:
        database = self._parts.stores.database
        waiting = await database.read(lambda connection: keys.orders(connection, device, AT_ONCE))
        if waiting:
            self._parts.around.counts.keys.add("orders", len(waiting))
            items = [payloads.KeyOrder(one.id, one.body) for one in waiting]
            self._parts.outbound.send(device, items)

    def _store(self, connection: sa.Connection, now: _Round) -> dict[DeviceName, list[str]]:
        """Store all of a round; return which reports are stored for good, by device."""
        stored: dict[DeviceName, list[str]] = {}
        for device, said in now.said:
            if isinstance(said, payloads.KeyOrderTaken):
                keys.taken(connection, device, said.id)
                continue
            received = self._parts.around.clock()
            if keys.report(connection, keys.Report(device, said.id, received, said.body)):
                stored.setdefault(device, []).append(said.id)
        return stored

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(REPEAT_S)
            online = [peer.name for peer in self._parts.peers.all() if peer.sessions.current is not None]
            try:
                due = await self._parts.stores.database.read(
                    lambda connection: keys.ordered(connection, online)  # noqa: B023 # awaited at once
                )
            except Unavailable as error:
                faults.note(_log, "Orders to key processes wait", error, "key_orders_wait")
                continue
            for device in due:
                self.opened(device)
