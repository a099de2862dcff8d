"""Events on their way to the machine, and whoever waits until one is durable."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from qfleet_controlplane.machine import events

MOST_ITEMS = 2_000
"""Payloads handled in one round, so that the event loop stays responsive."""
FULL = 20_000
"""Payloads waiting from which on posting waits."""


@dataclass(slots=True, eq=False)
class Entry:
    """An event; ``done`` is resolved when its effects are committed."""

    event: events.Event
    done: "asyncio.Future[None] | None" = None

    @property
    def weight(self) -> int:
        """Number of payloads."""
        return len(self.event.items) if isinstance(self.event, events.HeardBatch) else 1

    def succeed(self) -> None:
        """Tell the waiter, if there is one."""
        if self.done is not None and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Tell the waiter why not, if there is one."""
        if self.done is not None and not self.done.done():
            self.done.set_exception(error)


class Inbox:
    """A queue with a bell. Owned by the event loop."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._weight = 0
        self._bell = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return self._weight

    def put(self, entry: Entry) -> None:
        """Queue an event."""
        self._entries.append(entry)
        self._changed(entry.weight)

    def put_back(self, entries: Iterable[Entry]) -> None:
        """Queue events again, before all others, in their order."""
        again = list(entries)
        self._entries.extendleft(reversed(again))
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
        """Remove and return the next events, about ``MOST_ITEMS`` payloads of them."""
        taken: list[Entry] = []
        weight = 0
        while self._entries and weight < MOST_ITEMS:
            entry = self._entries.popleft()
            weight += entry.weight
            taken.append(entry)
        if not self._entries:
            self._bell.clear()
        self._changed(-weight)
        return taken

    def _changed(self, by: int) -> None:
        self._weight += by
        if self._entries:
            self._bell.set()
        if self._weight >= FULL:
            self._room.clear()
        else:
            self._room.set()
