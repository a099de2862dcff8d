"""Simulated time: what is to happen, in order of time and then of entry.

A process that has died does nothing any more: what it had entered is passed over.
"""

import heapq
from collections.abc import Callable
from typing import Protocol

from qfleet_wire.names import Millis


class Owner(Protocol):
    """Whose action it is: one life of a process, or the world."""

    @property
    def alive(self) -> bool:
        """Whether its actions still count."""


class Clockwork:
    """The queue of actions."""

    def __init__(self) -> None:
        self.now = Millis(0)
        self._sequence = 0
        self._heap: list[tuple[int, int, Owner, Callable[[], None]]] = []

    def after(self, wait_ms: int, owner: Owner, action: Callable[[], None]) -> None:
        """Enter an action."""
        self._sequence += 1
        heapq.heappush(self._heap, (self.now + max(0, wait_ms), self._sequence, owner, action))

    def take(self) -> tuple[Owner, Callable[[], None]] | None:
        """Remove the next action and set the time to its; None when nothing is left."""
        while self._heap:
            due, _, owner, action = heapq.heappop(self._heap)
            if owner.alive:
                self.now = Millis(max(due, self.now))
                return owner, action
        return None
