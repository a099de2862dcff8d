"""Where devices of one region reach those of others: through this process, or through the store.

A region led here is handed the message at once. For one that another controller leads, messages gather for
a moment and go as one row of its inbox, which it reads four times a second; rows that it does not take
are bounded. Nothing is promised: what finds no room is dropped, counted and told, and devices repeat.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Final, NamedTuple, Protocol

import sqlalchemy as sa

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.link.counts import Counts
from qfleet_controlplane.link.forwarding import Tell
from qfleet_controlplane.machine.forwarding import Place, Refused, Verdict, judge_receiver
from qfleet_controlplane.service import ordering
from qfleet_controlplane.service.ordering import Forwarded
from qfleet_controlplane.store import orders, roster
from qfleet_controlplane.store.database import Database
from qfleet_wire.names import DeviceName, Millis, RegionName
from qfleet_wire.payloads import ToPeer

_log = logging.getLogger(__name__)

GATHER_S: Final = 0.05
MOST_ITEMS: Final = 512
MOST_BYTES: Final = 2 * 1024 * 1024
"""What gathers for one region in between; more is refused."""
MOST_ROWS: Final = 16
"""Rows that may wait for one region; a controller that is away fills no database."""
KNOWN_MS: Final = 5_000
"""How long it is remembered where a device is."""
MOST_KNOWN: Final = 10_000
MOST_ASKED: Final = 64
"""Look-ups under way at most."""
_FULL: Final = Refused("full", "too much waits for the receiver's region: wait and repeat")


class Delivering(Protocol):
    """A region's link, as far as this goes."""

    def deliver(self, sender: DeviceName, receiver: DeviceName, body: bytes) -> Verdict:
        """Hand a message to a device of the region."""


class Led(Protocol):
    """A region that this process leads."""

    @property
    def link(self) -> Delivering:
        """Its link."""


class _Waiting(NamedTuple):
    """A message that gathers, and whom to tell if it goes no further."""

    message: Forwarded
    tell: Tell


class Exchange:
    """Forwards between regions. ``led`` are those led here, always as they are now."""

    def __init__(self, database: Database, counts: Counts, clock: Callable[[], Millis]) -> None:
        self._database = database
        self._counts = counts
        self._clock = clock
        self.led: Mapping[RegionName, Led] = {}
        self._known: dict[DeviceName, tuple[Place | None, Millis]] = {}
        self._gathered: dict[RegionName, list[_Waiting]] = {}
        self._sizes: dict[RegionName, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = 0

    def forward(self, sender: DeviceName, home: RegionName, item: ToPeer, tell: Tell) -> None:
        """Forward to a device that the sender's region ``home`` does not have; never waits."""
        held = self._known.get(item.peer)
        if held is not None and abs(self._clock() - held[1]) < KNOWN_MS:
            self._hand(held[0], Forwarded(sender, item.peer, item.body, home, item.number), tell)
        elif self._asked >= MOST_ASKED:
            tell(_FULL)
        else:
            self._asked += 1
            self._start(self._find(Forwarded(sender, item.peer, item.body, home, item.number), tell))

    async def close(self) -> None:
        """Let go of everything; what gathered is lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _find(self, message: Forwarded, tell: Tell) -> None:
        try:
            found = await self._database.read(lambda connection: roster.device(connection, message.receiver))
        except Unavailable as error:
            _log.debug("A device could not be looked up: %s", error, extra={"action": "peer_unknown"})
            tell(_FULL)
            return
        finally:
            self._asked -= 1
        place = None if found is None else Place(found.region, found.device.status)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[message.receiver] = (place, self._clock())
        self._hand(place, message, tell)

    def _hand(self, place: Place | None, message: Forwarded, tell: Tell) -> None:
        refused = judge_receiver(message.receiver, place)
        if refused is None and place is not None:
            led = self.led.get(place.region)
            if led is not None:
                refused = led.link.deliver(message.sender, message.receiver, message.body)
            else:
                refused = self._gather(place.region, _Waiting(message, tell))
        if refused is not None:
            tell(refused)

    def _gather(self, region: RegionName, message: _Waiting) -> Verdict:
        waiting = self._gathered.get(region)
        size = self._sizes.get(region, 0) + len(message.message.body)
        if waiting is None:
            waiting = self._gathered[region] = []
            self._start(self._send(region))
        if len(waiting) >= MOST_ITEMS or size > MOST_BYTES:
            return _FULL
        waiting.append(message)
        self._sizes[region] = size
        return None

    async def _send(self, region: RegionName) -> None:
        await asyncio.sleep(GATHER_S)
        waiting = self._gathered.pop(region)
        self._sizes.pop(region, None)
        order = ordering.forward(region, [one.message for one in waiting], self._clock())

        def put(connection: sa.Connection) -> bool:
            if orders.waiting(connection, region, "peers") >= MOST_ROWS:
                return False
            orders.put(connection, [order])
            return True

        try:
            stored = await self._database.writer.run(put)
        except Unavailable as error:
            _log.debug("Messages between devices are lost: %s", error, extra={"action": "peers_lost"})
            stored = False
        if stored:
            self._counts.forwarded.add("handed-over", len(waiting))
            return
        for one in waiting:
            one.tell(_FULL)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
