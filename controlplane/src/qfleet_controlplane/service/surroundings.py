"""Where the service gets time and randomness, and the region it leads."""

from collections.abc import Callable
from dataclasses import dataclass, field

from qfleet_controlplane.machine.policy import Policy
from qfleet_controlplane.store import leases
from qfleet_wire.names import Millis


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Given once. ``clock`` is wall time; ``random`` returns that many secret-quality bytes."""

    region: str
    clock: Callable[[], Millis]
    random: Callable[[int], bytes] = field(repr=False)
    policy: Policy = field(default_factory=Policy)
    fence: leases.Fence | None = None
    """The lease under which every transaction stands; None where nobody else can lead the region."""
