"""Devices as the machine knows them, and what has come from them but does not count yet.

Plain objects without behaviour.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from qfleet_controlplane.machine.tasks import Task
from qfleet_controlplane.planning import regions, trust
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName, Millis, TaskId
from qfleet_wire.ways import Window

_NEVER = Millis(0)


@dataclass(slots=True, eq=False)
class Device:
    """A device, what it told about itself, and the tasks it holds."""

    name: DeviceName
    status: str
    announcement: payloads.Announcement | None = None
    heartbeat: payloads.Heartbeat | None = None
    last_seen: Millis | None = None
    reason: str | None = None
    record: trust.Record = trust.UNKNOWN
    """What its results have shown of it."""
    certificate_hash: bytes | None = None
    certificate_expires: Millis | None = None
    silent_since: Millis | None = None
    held: dict[TaskId, Task] = field(default_factory=dict)
    backlog_ms: float = 0.0
    since: Millis = _NEVER
    """When its books last changed by an end or a beginning: from then on it works on what it holds."""
    connected: bool = False
    """Heard since the start, and no last will since: the scheduler may use it."""
    heard_at: Millis = _NEVER
    """As ``last_seen``, but counted from the start of this machine at the earliest."""
    hinted_at: Millis | None = None
    """When a last will came that nothing was heard after."""
    inventory_due: bool = False
    unanswered: int = 0
    """Assignments without an answer; while there are some, a resend timer runs."""
    resend_ms: int = 0
    """The present wait of that timer; 0 while none runs."""
    resend_at: Millis = _NEVER
    """When that timer is due; an earlier one is left over from before and does nothing."""
    saved_at: Millis = _NEVER
    """When its row was last stored; heartbeats alone do so now and then only."""
    silence_at: Millis = _NEVER
    """When to look next whether it is silent; an earlier timer does nothing."""
    rests_until: Millis = _NEVER
    alarms_since: Millis = _NEVER
    alarms: int = 0
    """Alarms about what it sent since then, those not raised too."""
    gathered: list[payloads.Down] = field(default_factory=list)
    """What is sent to it together, when that is due."""
    sends_at: Millis = _NEVER
    patience_ms: int | None = None
    """How long it may be unheard, where its way has a rhythm of its own."""
    kind: regions.DeviceClass | None = None
    """The class of its announcement; None while that was not looked at."""


@dataclass(slots=True, eq=False)
class Arrival:
    """A result as it came: its signed bytes, and the flush whose signature covers them."""

    result: payloads.TaskResult
    raw: bytes
    position: int
    flush: payloads.Results


class ContactPlan(NamedTuple):
    """When devices are in contact: windows of each in order and apart; it says nothing from ``until`` on."""

    windows: Mapping[DeviceName, tuple[Window, ...]]
    until: Millis


@dataclass(slots=True, eq=False)
class Artefact:
    """Chunks of a large result that have come, and the result that waits for them."""

    count: int = 0
    have: set[int] = field(default_factory=set)
    arrival: Arrival | None = None
    reading: bool = False
    """Complete, and being read back from the store."""
