"""Time on a device whose clock may be wrong: never earlier than what a controller has proved.

Only certificates, rekeying and heartbeats look at it. Work and timers use the monotonic clock.
"""

import time

from qfleet_wire.names import Millis

RELEASED = Millis(1_767_225_600_000)
"""2026-01-01: no agent of this version ran before. A release may only raise it."""


class Clock:
    """The device's clock, held up by a lower bound that only rises."""

    def __init__(self, bound: Millis) -> None:
        self._bound = bound
        self._since = _elapsed()

    @property
    def bound(self) -> Millis:
        """The earliest time that it can be now, as far as was proved; this is what is stored."""
        return self._bound

    def now(self) -> Millis:
        """Return the system's time, or the bound with the time passed since, whichever is later."""
        return Millis(max(time.time_ns() // 1_000_000, self._bound + _elapsed() - self._since))

    def raise_to(self, bound: Millis) -> bool:
        """Take a later bound; True when it must be stored."""
        if bound <= self._bound:
            return False
        self._bound, self._since = bound, _elapsed()
        return True


def monotonic() -> Millis:
    """Milliseconds of a clock that nobody sets: the machine's time."""
    return Millis(time.monotonic_ns() // 1_000_000)


def _elapsed() -> int:
    # Counts time asleep too, unlike the monotonic clock.
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
