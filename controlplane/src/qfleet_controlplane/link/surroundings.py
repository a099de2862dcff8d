"""What every part of the link is given: whose region it serves, time, randomness, counters."""

from collections.abc import Callable
from dataclasses import dataclass

from qfleet_controlplane.link.counts import Counts
from qfleet_wire.names import Millis, RegionName


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Shared by the parts of one link; ``clock`` gives the present, ``random`` so many bytes."""

    region: RegionName
    counts: Counts
    clock: Callable[[], Millis]
    random: Callable[[int], bytes]
