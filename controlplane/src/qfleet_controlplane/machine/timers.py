"""Points in time at which the machine must look at something again.

A heap, so that a tick costs what is due and not what exists. Timers are not cancelled: what is
due looks whether it still applies. Nothing here is stored; a restart arms them anew.
"""

import heapq
from typing import Literal, TypeAlias

from qfleet_wire.names import Millis

Kind: TypeAlias = Literal[
    "silence", "device-lost", "resend", "rest", "deadline", "lost", "alarms", "settle", "gathered"
]


class Timers:
    """Armed timers, earliest first; ``key`` names the device or job to look at."""

    __slots__ = ("_heap", "_sequence")

    def __init__(self) -> None:
        self._heap: list[tuple[Millis, int, Kind, str]] = []
        self._sequence = 0

    def arm(self, due: int, kind: Kind, key: str) -> None:
        """Look at ``key`` when ``due`` has come."""
        self._sequence += 1
        heapq.heappush(self._heap, (Millis(due), self._sequence, kind, key))

    def __len__(self) -> int:
        return len(self._heap)

    def next_due(self) -> Millis | None:
        """When the earliest is due; None without any."""
        return self._heap[0][0] if self._heap else None

    def take(self, now: Millis) -> list[tuple[Kind, str]]:
        """Remove and return all that are due."""
        due: list[tuple[Kind, str]] = []
        while self._heap and self._heap[0][0] <= now:
            _, _, kind, key = heapq.heappop(self._heap)
            due.append((kind, key))
        return due
