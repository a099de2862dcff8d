"""What daemon and key process say to each other, a frame at a time (``framing``).

Bodies are opaque to the daemon. Messages between devices may be lost on every step; orders and reports
are repeated until the other end has answered: an order by the control plane, a report by the key process.
"""

from typing import Annotated, Final, TypeAlias

import msgspec

from qfleet_agent import framing
from qfleet_agent.errors import KeyLinkInvalid
from qfleet_agent.framing import Splitter
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, FleetName, RegionName
from qfleet_wire.payloads import PeerRefusal

VERSION: Final = 1
MOST_BYTES: Final = LIMITS.key_body_bytes + 4096
"""Longest frame: the largest body, with names and a list of revocations beside it."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
PeerBody = Annotated[bytes, msgspec.Meta(max_length=LIMITS.peer_bytes)]
KeyBody = Annotated[bytes, msgspec.Meta(max_length=LIMITS.key_body_bytes)]


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag="w"):
    """Daemon, first: who this device is, what it knows of revocations, and whether a session stands."""

    version: int
    fleet: FleetName
    region: RegionName
    device: DeviceName
    standing: Standing
    online: bool


class State(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """Daemon: what ``Welcome`` said has changed."""

    standing: Standing
    online: bool


class Incoming(msgspec.Struct, frozen=True, array_like=True, tag="i"):
    """Daemon: a body that is said to come from this device."""

    peer: DeviceName
    body: PeerBody


class NotSent(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """Daemon: body ``number`` to this device was not forwarded, as ``payloads.PeerRefused`` says."""

    peer: DeviceName
    number: int
    code: PeerRefusal
    text: str


class Order(msgspec.Struct, frozen=True, array_like=True, tag="o"):
    """Daemon: an order of the control plane. It comes again until ``OrderTaken`` has arrived there."""

    id: Name
    body: KeyBody


class ReportStored(msgspec.Struct, frozen=True, array_like=True, tag="k"):
    """Daemon: the control plane has stored this report for good."""

    id: Name


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="x"):
    """Daemon, instead of ``Welcome``, before it closes: why this key process is not served."""

    text: str


class Outgoing(msgspec.Struct, frozen=True, array_like=True, tag="O"):
    """Key process: send a body to this device; ``number`` names it if it is refused."""

    peer: Name
    body: PeerBody
    number: int


class OrderTaken(msgspec.Struct, frozen=True, array_like=True, tag="T"):
    """Key process: this order is stored here for good, or was before."""

    id: Name


class Report(msgspec.Struct, frozen=True, array_like=True, tag="R"):
    """Key process: a report to the control plane; repeated until ``ReportStored`` comes."""

    id: Name
    body: KeyBody


FromDaemon: TypeAlias = Welcome | State | Incoming | NotSent | Order | ReportStored | Refused
FromKeys: TypeAlias = Outgoing | OrderTaken | Report

encode = framing.encode


def daemon_frames() -> Splitter[FromDaemon]:
    """Read what the daemon says; wrong bytes raise ``KeyLinkInvalid``."""
    return Splitter(FromDaemon, MOST_BYTES, KeyLinkInvalid)


def key_frames() -> Splitter[FromKeys]:
    """Read what the key process says; wrong bytes raise ``KeyLinkInvalid``."""
    return Splitter(FromKeys, MOST_BYTES, KeyLinkInvalid)
