"""When finished results are sent again, until the controller says that it has stored them.

It knows keys, sizes and times; the bytes are in the journal.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from qfleet_agent.machine.events import Key
from qfleet_wire.names import Millis

RESEND_FIRST_MS = 10_000
RESEND_MOST_MS = 120_000


@dataclass(slots=True)
class _Waiting:
    size: int
    sent: Millis | None


class Outbox:
    """Results that are not acknowledged, in the order in which they were finished."""

    def __init__(self) -> None:
        self._waiting: dict[Key, _Waiting] = {}
        self.first_ms = RESEND_FIRST_MS
        """How long an answer may take before a result is sent again; slow ways need longer."""
        self._interval = RESEND_FIRST_MS
        self._resend_at: Millis | None = None
        self.online = False

    def __contains__(self, key: object) -> bool:
        return key in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def keys(self) -> tuple[Key, ...]:
        """All that wait for an acknowledgement."""
        return tuple(self._waiting)

    def add(self, key: Key, size: int) -> None:
        """Keep a result of ``size`` bytes on disk; it has not been sent."""
        self._waiting[key] = _Waiting(size, None)

    def remove(self, key: Key) -> int:
        """Forget an acknowledged result; return its size."""
        waiting = self._waiting.pop(key)
        self._interval = self.first_ms
        if not self._waiting:
            self._resend_at = None
        return waiting.size

    def send(self, keys: Iterable[Key], now: Millis) -> tuple[Key, ...]:
        """Return those of ``keys`` that can be sent now, and note that they are."""
        if not self.online:
            return ()
        sent = tuple(key for key in keys if key in self._waiting)
        for key in sent:
            self._waiting[key].sent = now
        if sent and self._resend_at is None:
            self._resend_at = Millis(now + self._interval)
        return sent

    def open(self, now: Millis) -> tuple[Key, ...]:
        """Begin a session: everything that waits is sent."""
        self.online = True
        self._interval = self.first_ms
        self._resend_at = None
        return self.send(self._waiting, now)

    def close(self) -> None:
        """End the session: nothing is sent until the next one."""
        self.online = False
        self._resend_at = None

    @property
    def wake(self) -> Millis | None:
        """When ``overdue`` should be asked."""
        return self._resend_at

    def overdue(self, now: Millis) -> tuple[Key, ...]:
        """Return what was sent too long ago without an answer, sent again now; the wait doubles."""
        if self._resend_at is None or now < self._resend_at:
            return ()
        before = now - self._interval
        late = [key for key, one in self._waiting.items() if one.sent is None or one.sent <= before]
        if late:
            self._interval = min(2 * self._interval, max(RESEND_MOST_MS, self.first_ms))
        self._resend_at = Millis(now + self._interval)
        return self.send(late, now)
