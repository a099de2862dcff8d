"""The clocks of the process: what time it is, and how much time has passed, sleep included."""

import time

from qfleet_wire.names import Millis


def wall() -> Millis:
    """Return the present wall-clock time."""
    return Millis(time.time_ns() // 1_000_000)


def elapsed() -> float:
    """Return seconds that only grow, also while the machine or this process is stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
