"""What every part of the link is given: the region and its lease, time, randomness, counters."""

from collections.abc import Callable
from dataclasses import dataclass

from qfleet_controlplane.link.counts import Counts
from qfleet_wire.names import Millis, RegionName


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Shared by the parts of one link; ``clock`` gives the present, ``random`` so many bytes.

    ``epoch`` is the region's lease's; ``leads`` tells whether the lease still lasts by this process's
    own clock: when it does not, nothing may be sent.
    """

    region: RegionName
    counts: Counts
    clock: Callable[[], Millis]
    random: Callable[[int], bytes]
    epoch: int = 1
    leads: Callable[[], bool] = lambda: True
