"""Time for devices that cannot keep it: a lower bound that only rises.

A device without a battery-backed clock boots in 1970. No work is refused and no state is dropped
because of a clock; the bound only decides which controllers' certificates may still speak.
"""

from qfleet_wire.channel.certificates import Validity
from qfleet_wire.errors import Untrusted
from qfleet_wire.names import Millis


def lower_bound(*, stored: Millis, build: Millis, own_not_before: Millis) -> Millis:
    """Return the earliest time that it can be now: the latest of these three.

    Args:
        stored: the bound as it was stored last; 0 on a new device.
        build: when the agent was built.
        own_not_before: start of the device's own certificate.
    """
    return max(stored, build, own_not_before)


def accept(bound: Millis, validity: Validity, stated: Millis) -> Millis:
    """Judge a controller's stated time against its certificate and the bound; return the new bound.

    A certificate that ended before the bound is refused: a stolen controller key dies with it.
    The stated time must lie within the certificate, so that it cannot push the bound beyond what
    the fleet's authority vouched for. A stated time below the bound is accepted and moves nothing:
    the clocks of two controllers differ, and the bound has already done its work.

    Raises:
        Untrusted: with the times.
    """
    if validity.not_after < bound:
        raise Untrusted(
            f"controller's certificate ended at {validity.not_after}, it is at least {bound} (ms since 1970)",
            code="expired",
        )
    if not validity.not_before <= stated <= validity.not_after:
        raise Untrusted(
            f"controller states the time {stated}, outside its certificate "
            f"({validity.not_before} to {validity.not_after}, ms since 1970)",
            code="expired",
        )
    return max(bound, stated)
