"""Rate limits: how often something costly may be asked, and how often an alarm may ring."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from qfleet_wire.channel.session import Dropped
from qfleet_wire.names import Millis

MOST_KEYS: Final = 10_000


class Buckets:
    """A token bucket per key, for example per token id and per region.

    ``burst`` requests at once, then one every ``interval_ms``. A clock that is set back refills
    nothing and takes nothing.
    """

    __slots__ = ("_burst", "_interval_ms", "_levels")

    def __init__(self, *, burst: int, interval_ms: int) -> None:
        self._burst = float(burst)
        self._interval_ms = interval_ms
        self._levels: OrderedDict[Hashable, tuple[float, Millis]] = OrderedDict()

    def admit(self, key: Hashable, now: Millis, cost: int = 1) -> bool:
        """Take ``cost``; False, and nothing is taken, if the bucket holds less."""
        level, since = self._levels.pop(key, (self._burst, now))
        level = min(self._burst, level + max(0, now - since) / self._interval_ms)
        admitted = level >= cost
        self._levels[key] = (level - cost if admitted else level, now)
        # Forgetting the longest unused key refills it. Whoever can ask under this many keys is
        # held by the bucket that is not keyed by them (the region's).
        while len(self._levels) > MOST_KEYS:
            self._levels.popitem(last=False)
        return admitted


@dataclass(slots=True)
class Drops:
    """Counts of what did not open. Only forged envelopes alarm, at most once in ``quiet_ms``."""

    quiet_ms: int = 60_000
    stale: int = 0
    forged: int = 0
    replayed: int = 0
    _alarmed: Millis | None = None

    def count(self, dropped: Dropped, now: Millis) -> bool:
        """Count one; True if an alarm is due."""
        match dropped:
            case Dropped.STALE:
                self.stale += 1
            case Dropped.REPLAYED:
                self.replayed += 1
            case Dropped.FORGED:
                self.forged += 1
                if self._alarmed is None or abs(now - self._alarmed) >= self.quiet_ms:
                    self._alarmed = now
                    return True
        return False
