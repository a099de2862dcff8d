"""Events on their way to the machine, a lane per device, and whoever waits until one is durable.

Devices take turns, so that one that floods, or comes back with a day's backlog, delays itself only.
What a later message of the same device supersedes waits once. A lane is bounded: what does not
fit is dropped and counted, because everything that a device sends it sends again. What people and
the control plane itself ask goes first and is never dropped.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from qfleet_controlplane.machine import events
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName

MOST_ITEMS = 2_000
"""Payloads handled in one round, so that the event loop stays responsive."""
TURN_ITEMS = 256
"""Payloads that one device gives before it is the next one's turn."""
LANE_FULL = 8_192
"""Payloads of one device that wait at most; larger ones count for several."""
FULL = 20_000
"""Payloads waiting from which on posting waits."""
ALL_FULL = 200_000
"""Payloads waiting in all from which on a device keeps only one turn of them here."""
_WEIGHT_BYTES = 4_096
_LAST_COUNTS = (
    payloads.Heartbeat,
    payloads.Announcement,
    payloads.Inventory,
    events.SessionOpened,
    events.PresenceLost,
)
_PER_ATTEMPT = (payloads.Accepted, payloads.Refused, payloads.Started, payloads.Progress)

_OfDevice: TypeAlias = events.HeardBatch | events.Heard | events.SessionOpened | events.PresenceLost
_Step: TypeAlias = payloads.Up | events.SessionOpened | events.PresenceLost


@dataclass(slots=True, eq=False)
class Entry:
    """An event; ``done`` is resolved when its effects are committed."""

    event: events.Event
    done: "asyncio.Future[None] | None" = None

    @property
    def weight(self) -> int:
        """Number of payloads, large ones counted several times."""
        return sum(map(_weight, _steps(self.event))) if isinstance(self.event, _OfDevice) else 1

    def succeed(self) -> None:
        """Tell the waiter, if there is one."""
        if self.done is not None and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Tell the waiter why not, if there is one."""
        if self.done is not None and not self.done.done():
            self.done.set_exception(error)


class Inbox:
    """Queues with a bell. Owned by the event loop."""

    def __init__(self) -> None:
        self._first: deque[Entry] = deque()
        self._lanes: OrderedDict[DeviceName, _Lane] = OrderedDict()
        self._weight = 0
        self._bell = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.dropped = 0
        """Payloads that did not fit their lane."""
        self.superseded = 0
        """Payloads that a later one of their device made pointless while they waited."""

    def __len__(self) -> int:
        return self._weight

    def put(self, entry: Entry) -> bool:
        """Queue an event; False when some of it did not fit its device's lane and was dropped."""
        event = entry.event
        if entry.done is not None or not isinstance(event, _OfDevice):
            self._first.append(entry)
            self._changed(1)
            return True
        lane = self._lanes.get(event.device)
        if lane is None:
            lane = self._lanes[event.device] = _Lane(event.device)
        before = lane.weight
        most = LANE_FULL if self._weight < ALL_FULL else TURN_ITEMS
        dropped, superseded = lane.add(event, most)
        self.dropped += dropped
        self.superseded += superseded
        self._changed(lane.weight - before)
        return dropped == 0

    def put_back(self, entries: Iterable[Entry]) -> None:
        """Queue events again, before all others, in their order."""
        again = list(entries)
        self._first.extendleft(reversed(again))
        self._changed(sum(entry.weight for entry in again))

    def ring(self) -> None:
        """Let ``wait`` return once, though nothing is queued."""
        self._bell.set()

    async def wait(self) -> None:
        """Wait until something is queued, or someone rings."""
        await self._bell.wait()

    async def room(self) -> None:
        """Wait until the queue is not full."""
        await self._room.wait()

    def take(self) -> list[Entry]:
        """Remove and return the next events, about ``MOST_ITEMS`` payloads of them.

        Each device whose turn comes gives about ``TURN_ITEMS`` and then goes to the end of the line.
        """
        taken: list[Entry] = []
        weight = 0
        while self._first and weight < MOST_ITEMS:
            entry = self._first.popleft()
            weight += entry.weight
            taken.append(entry)
        while self._lanes and weight < MOST_ITEMS:
            device, lane = self._lanes.popitem(last=False)
            before = lane.weight
            taken += [Entry(event) for event in lane.turn()]
            weight += before - lane.weight
            if lane.weight:
                self._lanes[device] = lane
        if not (self._first or self._lanes):
            self._bell.clear()
        self._changed(-weight)
        return taken

    def _changed(self, by: int) -> None:
        self._weight += by
        if self._first or self._lanes:
            self._bell.set()
        if self._weight >= FULL:
            self._room.clear()
        else:
            self._room.set()


class _Lane:
    """What waits of one device, in order.

    A single event stays whole, as it does while the machine keeps up; only a backlog is taken apart.
    """

    __slots__ = ("_device", "_message", "_number", "_steps", "_whole", "weight")

    def __init__(self, device: DeviceName) -> None:
        self._device = device
        self._whole: _OfDevice | None = None
        self._steps: OrderedDict[Hashable, tuple[_Step, int]] = OrderedDict()
        self._message = 0
        self._number = 0
        self.weight = 0

    def add(self, event: _OfDevice, most: int) -> tuple[int, int]:
        """Put an event in line; return how many payloads were dropped, and how many superseded."""
        if not self.weight:
            weight = sum(map(_weight, _steps(event)))
            if weight <= TURN_ITEMS:
                self._whole, self.weight = event, weight
                return 0, 0
        superseded = 0
        if self._whole is not None:
            whole, self._whole, self.weight = self._whole, None, 0
            superseded += self._spread(whole, LANE_FULL)[1]
        dropped, more = self._spread(event, most)
        return dropped, superseded + more

    def turn(self) -> list[events.Event]:
        """Remove about ``TURN_ITEMS`` payloads, as events."""
        if self._whole is not None:
            whole, self._whole, self.weight = self._whole, None, 0
            return [whole]
        given: list[events.Event] = []
        items: list[payloads.Up] = []
        message, weight = 0, 0
        while self._steps and weight < TURN_ITEMS:
            _, (step, came_in) = self._steps.popitem(last=False)
            weight += _weight(step)
            # One message is one event again: an event that cannot be handled harms no other.
            if came_in != message:
                given += _heard(self._device, items)
                items, message = [], came_in
            if isinstance(step, events.SessionOpened | events.PresenceLost):
                given.append(step)
            else:
                items.append(step)
        self.weight -= weight
        return given + _heard(self._device, items)

    def _spread(self, event: _OfDevice, most: int) -> tuple[int, int]:
        dropped = superseded = 0
        self._message += 1
        for step in _steps(event):
            weight, key = _weight(step), self._key(step)
            former = self._steps.pop(key, None)
            if former is not None:
                self.weight -= _weight(former[0])
                superseded += 1
            elif self.weight and self.weight + weight > most and not isinstance(key, type):
                dropped += 1
                continue
            self._steps[key] = step, self._message
            self.weight += weight
        return dropped, superseded

    def _key(self, step: _Step) -> Hashable:
        """Name what a step supersedes: a kind of which only the last counts, or one attempt's word."""
        if isinstance(step, _LAST_COUNTS):
            return type(step)
        if isinstance(step, _PER_ATTEMPT):
            return type(step), step.task, step.attempt
        if isinstance(step, payloads.Chunk):
            return step.digest, step.index
        self._number += 1
        return self._number


def _steps(event: _OfDevice) -> Iterable[_Step]:
    match event:
        case events.HeardBatch():
            return event.items
        case events.Heard():
            return (event.item,)
        case _:
            return (event,)


def _heard(device: DeviceName, items: list[payloads.Up]) -> list[events.Event]:
    if len(items) == 1:
        return [events.Heard(device, items[0])]
    return [events.HeardBatch(device, items)] if items else []


def _weight(step: _Step) -> int:
    if isinstance(step, payloads.Results):
        return sum(1 + memoryview(raw).nbytes // _WEIGHT_BYTES for raw in step.results) or 1
    if isinstance(step, payloads.Chunk):
        return 1 + len(step.data) // _WEIGHT_BYTES
    return 1
