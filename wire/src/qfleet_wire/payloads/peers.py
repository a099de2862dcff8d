"""What devices say to each other through the controller, who reads only the names."""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.names import DeviceName


class FromPeer(msgspec.Struct, frozen=True, tag="from-peer"):
    """What another device sent to this one, sealed between the two of them. May be lost, and come twice.

    The controller says who sent it; the device proves it with the session inside.
    """

    peer: DeviceName
    body: bytes


class ToPeer(msgspec.Struct, frozen=True, tag="to-peer"):
    """Forward ``body``, sealed between two devices, to ``peer``. Repeatable; it may be lost.

    ``number`` is the sender's own, for the answer if it is refused.
    """

    peer: DeviceName
    body: bytes
    number: int = 0


PeerRefusal: TypeAlias = Literal["self", "unknown", "shut-out", "away", "size", "rate", "full"]


class PeerRefused(msgspec.Struct, frozen=True, tag="peer-refused"):
    """Message ``number`` to ``peer`` was not forwarded; ``code`` for programs, ``text`` for people.

    ``self`` it is the sender; ``unknown`` the fleet has no such device; ``shut-out`` it is revoked,
    quarantined or retired, or the sender is; ``away`` it has no session; ``size`` the body is too large;
    ``rate`` the sender sends too much; ``full`` too much waits for the receiver. A hint: it may be lost.
    """

    peer: DeviceName
    number: int
    code: PeerRefusal
    text: str
