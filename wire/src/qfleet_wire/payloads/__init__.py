"""What travels inside sealed messages: typed payloads, many to a batch.

A batch holds raw items that are decoded one by one: an item of an unknown kind is answered with
``Unsupported`` and harms no other. Unknown fields are ignored inside a major version. Every item
may arrive twice or late; each says in its docstring what makes it repeatable.
"""

from typing import TypeAlias

import msgspec

from qfleet_wire.names import Millis
from qfleet_wire.payloads.devices import Announcement, Ask, Calibration, Contacts, Engine, Inventory
from qfleet_wire.payloads.health import Heartbeat, Sample, Telemetry, TelemetryAcknowledge
from qfleet_wire.payloads.keys import KeyOrder, KeyOrderTaken, KeyReport, KeyReportStored
from qfleet_wire.payloads.peers import FromPeer, PeerRefusal, PeerRefused, ToPeer
from qfleet_wire.payloads.renewals import RenewalRefused, Renewed, RenewRequest
from qfleet_wire.payloads.tasks import (
    NO_BODY,
    Accepted,
    Acknowledge,
    Assign,
    Cancel,
    Chunk,
    Progress,
    Provenance,
    Refused,
    Results,
    Started,
    TaskResult,
)

__all__ = [
    "NO_BODY",
    "Accepted",
    "Acknowledge",
    "Announcement",
    "Ask",
    "Assign",
    "Batch",
    "Calibration",
    "Cancel",
    "Chunk",
    "Contacts",
    "Down",
    "Engine",
    "FromPeer",
    "Heartbeat",
    "Inventory",
    "KeyOrder",
    "KeyOrderTaken",
    "KeyReport",
    "KeyReportStored",
    "PeerRefusal",
    "PeerRefused",
    "Progress",
    "Provenance",
    "Refused",
    "RenewRequest",
    "RenewalRefused",
    "Renewed",
    "Results",
    "Sample",
    "Started",
    "TaskResult",
    "Telemetry",
    "TelemetryAcknowledge",
    "ToPeer",
    "Unsupported",
    "Up",
]


class Batch(msgspec.Struct, frozen=True):
    """The plaintext of one sealed message.

    ``epoch`` is the sender's region-lease epoch on the way down, 0 on the way up; an agent
    remembers the highest and refuses less.
    """

    epoch: int
    sent: Millis
    items: tuple[msgspec.Raw, ...]


class Unsupported(msgspec.Struct, frozen=True, tag="unsupported"):
    """The receiver does not know this kind of payload; either direction."""

    kind: str


Down: TypeAlias = (
    Assign
    | Cancel
    | Acknowledge
    | Renewed
    | RenewalRefused
    | Ask
    | TelemetryAcknowledge
    | FromPeer
    | PeerRefused
    | Contacts
    | KeyOrder
    | KeyReportStored
    | Unsupported
)


Up: TypeAlias = (
    Announcement
    | Inventory
    | Accepted
    | Refused
    | Started
    | Progress
    | Results
    | Chunk
    | Heartbeat
    | RenewRequest
    | Telemetry
    | ToPeer
    | KeyOrderTaken
    | KeyReport
    | Unsupported
)
