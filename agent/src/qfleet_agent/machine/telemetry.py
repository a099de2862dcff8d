"""The ring of telemetry: which samples the device holds, which are lost, which to send. Pure.

It knows numbers, never bodies: a sample is in the journal before it is sent, and gathers in memory
until several can be written at once. A number is never given twice: some are set aside in the
journal ahead of their use, and those that a power cut may have taken are counted as lost.
"""

from collections import deque

import msgspec

from qfleet_agent.machine import effects, events
from qfleet_wire import codec
from qfleet_wire.names import Millis
from qfleet_wire.payloads import Sample

BATCH = 10
"""Samples that are written, and sent, together."""
PATIENCE_MS = 300_000
"""How long a sample may wait in memory for others."""
MOST_ROWS = 8192
ROW_BYTES = 256
"""Disk that a sample takes, rounded up."""
KEPT_WHEN_FULL = 16
"""Samples that stay when the disk has no room: the newest."""


class Ring:
    """Samples in the order in which they were taken; beyond ``most`` the oldest is given up."""

    def __init__(self, most: int = MOST_ROWS) -> None:
        self._most = min(max(most, KEPT_WHEN_FULL), MOST_ROWS)
        self._runs: deque[list[int]] = deque()
        self._pending: list[bytes] = []
        self._pending_since: Millis | None = None
        self._next = self._reserved = 1
        self._drop_to = 0
        self.lost = 0
        """Samples that will never be sent; after a power cut the most that it can have taken."""

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._runs)

    def restore(self, stored: events.StoredTelemetry) -> None:
        """Go on from what the journal holds."""
        self._runs = deque([first, last] for first, last in stored.runs)
        self._next = self._reserved = stored.reserved
        self.lost = stored.lost + stored.reserved - stored.next

    def take(self, sample: Sample, now: Millis) -> None:
        """Number a sample and keep it."""
        number, self._next = self._next, self._next + 1
        if self._runs and self._runs[-1][1] == number - 1:
            self._runs[-1][1] = number
        else:
            self._runs.append([number, number])
        if not self._pending:
            self._pending_since = now
        self._pending.append(codec.encode(msgspec.structs.replace(sample, sequence=number)))
        self.shed(self._most)

    def shed(self, keep: int) -> bool:
        """Give up the oldest samples until at most ``keep`` are left; True when there were more."""
        surplus = len(self) - keep
        if surplus <= 0:
            return False
        self.lost += surplus
        while surplus:
            first, last = self._runs[0]
            taken = min(surplus, last - first + 1)
            surplus -= taken
            self._forget(first + taken - 1)
        return True

    def acknowledge(self, up_to: int) -> bool:
        """Forget what the controller has stored; False when nothing was left of it."""
        if not self._runs or up_to < self._runs[0][0]:
            return False
        self._forget(min(up_to, self._next - 1))
        return True

    def due(self, now: Millis) -> bool:
        """Whether what gathers in memory should be written.

        The first after a start is, at once: with it numbers are set aside, so that a cut counts.
        """
        since = self._pending_since
        late = since is not None and now - since >= PATIENCE_MS
        return bool(self._pending) and (late or len(self._pending) >= BATCH or self._next > self._reserved)

    def save(self, cause: int, *, ahead: int = BATCH) -> effects.SaveTelemetry:
        """Write what gathered, and set so many numbers aside for what gathers next."""
        samples, self._pending, self._pending_since = self._numbered_pending(), [], None
        self._reserved = self._next + ahead
        return effects.SaveTelemetry(
            cause, samples, drop_to=self._drop_to, next=self._next, reserved=self._reserved, lost=self.lost
        )

    def stop(self, cause: int) -> list[effects.Effect]:
        """Write what gathered and give the numbers back that were set aside, if there are any."""
        return [] if self._reserved == self._next else [self.save(cause, ahead=0)]

    def send(self, cause: int) -> list[effects.Effect]:
        """Send the oldest that are in the journal, if any are."""
        saved_to = self._next - len(self._pending) - 1
        if not self._runs or self._runs[0][0] > saved_to:
            return []
        return [effects.SendTelemetry(cause, after=self._runs[0][0] - 1, lost=self.lost)]

    def _numbered_pending(self) -> tuple[tuple[int, bytes], ...]:
        numbered = enumerate(self._pending, self._next - len(self._pending))
        return tuple((number, body) for number, body in numbered if number > self._drop_to)

    def _forget(self, up_to: int) -> None:
        self._drop_to = max(self._drop_to, up_to)
        while self._runs and self._runs[0][1] <= up_to:
            self._runs.popleft()
        if self._runs and self._runs[0][0] <= up_to:
            self._runs[0][0] = up_to + 1
