"""Whether what one device sends to another may be forwarded: pure, nothing is stored, nothing promised.

The bodies are sealed between the two devices; only names, sizes and times are known here.
"""

from typing import Final, NamedTuple, TypeAlias

from qfleet_controlplane.machine.tables import SHUT_OUT
from qfleet_wire.channel.rates import Buckets
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, Millis, RegionName
from qfleet_wire.payloads import PeerRefusal, ToPeer

BLOCK_BYTES: Final = 4096
BURST: Final = 1024
"""What a device may send at once: so many messages, each counted once more for every block of its body."""
INTERVAL_MS: Final = 2
"""Milliseconds after which it may send one more: 500 small messages a second, or 2 MiB/s in large ones."""


class Place(NamedTuple):
    """Where a device is, and what its table says of it."""

    region: RegionName
    status: str


class Refused(NamedTuple):
    """Why something is not forwarded."""

    code: PeerRefusal
    text: str


Verdict: TypeAlias = Refused | None


class Gate:
    """Judges what the devices of one region send."""

    def __init__(self) -> None:
        self._rates = Buckets(burst=BURST, interval_ms=INTERVAL_MS)

    def judge_sender(self, sender: DeviceName, status: str | None, item: ToPeer, now: Millis) -> Verdict:
        """Say what keeps a sender's message from being forwarded to anyone."""
        if status is None or status in SHUT_OUT:
            return Refused(
                "shut-out", f"device {sender!r} is {status or 'unknown'}: nothing of it is forwarded"
            )
        if len(item.body) > LIMITS.peer_bytes:
            return Refused("size", f"a body of {len(item.body)} bytes is over {LIMITS.peer_bytes}: split it")
        if item.peer == sender:
            return Refused("self", f"device {sender!r} sends to itself")
        if not self._rates.admit(sender, now, cost_of(item)):
            return Refused("rate", f"device {sender!r} sends more than it may: wait and repeat")
        return None


def cost_of(item: ToPeer) -> int:
    """What a message takes of its sender's allowance."""
    return 1 + len(item.body) // BLOCK_BYTES


def judge_receiver(name: DeviceName, place: Place | None) -> Verdict:
    """Say what keeps anything from being forwarded to a device."""
    if place is None:
        return Refused("unknown", f"the fleet has no device {name!r}")
    if place.status in SHUT_OUT:
        return Refused("shut-out", f"device {name!r} is {place.status}")
    return None
