"""How far away a device is: how long an answer takes on its way, by what the device told of that way.

A device behind a satellite that passes once an hour answers in an hour, however fast it computes. What
a device says is bounded here, because a mistaken or hostile one may say anything.
"""

import math

from qfleet_wire.ways import Way

NEAR_MS = 1_000.0
"""Up to so much does not tell classes of devices apart."""
MOST_MS = 24 * 3_600_000
"""What is longer counts as so long."""


def latency_ms(way: Way | None) -> float:
    """Round trip to the gateway and back; 0 where nobody said."""
    return 0.0 if way is None or way.latency_ms is None else _bounded(way.latency_ms)


def batch_ms(way: Way | None) -> int:
    """How long messages gather before they go together; a minute at most."""
    return 0 if way is None else int(min(60_000, _bounded(way.batch_ms)))


def gap_ms(way: Way | None) -> float:
    """Time from the end of the contact window to the next one; 0 for a way that is always there."""
    if way is None or (way.contact is None and way.returns is None):
        return 0.0
    if way.contact is None:  # a plan has closed its window: the rhythm says how long it will be gone
        return _bounded(way.rhythm_ms)
    return MOST_MS if way.returns is None else _bounded(way.returns - way.contact.closes)


def reach_ms(way: Way | None) -> float:
    """How long an answer may be on its way, its device's own work not counted.

    A window may close before the work is done: then the answer waits for the next one.
    """
    return latency_ms(way) + 2 * batch_ms(way) + gap_ms(way)


def rounded(reach: float) -> float:
    """So that devices about as far away are of one class: 0 for near ones, else a power of 2."""
    return 0.0 if reach <= NEAR_MS else float(2 ** round(math.log2(reach)))


def _bounded(value: float) -> float:
    return min(float(MOST_MS), value) if value > 0 else 0.0  # what is no number counts as 0
