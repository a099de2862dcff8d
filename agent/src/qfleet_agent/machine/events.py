"""What the machine is told. Every event has an id; the effects it causes carry it as ``cause``."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from qfleet_agent.machine.admit import Bounds
from qfleet_wire.names import Millis, TaskId
from qfleet_wire.payloads import Announcement, Contacts, Down, Sample
from qfleet_wire.ways import Way

Key: TypeAlias = tuple[TaskId, int]
"""(task, attempt): what delivery is de-duplicated by."""


class Heard(msgspec.Struct, frozen=True):
    """The payloads of one message that opened under the controller's session.

    ``sent`` is the controller's clock, the only one that deadlines are measured against.
    ``unknown`` holds the kinds of items that this agent cannot read.
    """

    id: int
    epoch: int
    sent: Millis
    items: Sequence[Down]
    unknown: Sequence[str] = ()


class SessionOpened(msgspec.Struct, frozen=True):
    """A new session with a controller is confirmed."""

    id: int


class WayTaken(msgspec.Struct, frozen=True):
    """Messages go over this way from the next session on; ``stretch`` makes telemetry so much rarer.

    Where it is ``thrifty`` every byte counts. Without this event a device has one way, and is not.
    ``again``: the session stands already, and the way's windows are not what they were.
    """

    id: int
    way: Way
    stretch: int
    thrifty: bool
    again: bool = False


class SessionLost(msgspec.Struct, frozen=True):
    """Nothing can be sent until the next session opens."""

    id: int


class Announced(msgspec.Struct, frozen=True):
    """What the device says of itself has changed, after a calibration for example.

    ``bounds`` are what it may do from now on; None: as before.
    """

    id: int
    announcement: Announcement
    bounds: Bounds | None = None


class WorkStarted(msgspec.Struct, frozen=True):
    """A worker has begun the task."""

    id: int
    key: Key


class WorkProgressed(msgspec.Struct, frozen=True):
    """A worker has done this share of the task, 0 to 1."""

    id: int
    key: Key
    fraction: float


class WorkFinished(msgspec.Struct, frozen=True):
    """A worker returned an encoded ``workload.WorkResult``.

    ``digest`` is the SHA-256 of ``body`` when it is too large for one message.
    """

    id: int
    key: Key
    body: bytes
    engine: str
    engine_version: str
    seed: int
    duration_ms: float
    digest: bytes | None = None


class WorkFailed(msgspec.Struct, frozen=True):
    """The attempt ended without a result: the engine's error, a limit, or a crash."""

    id: int
    key: Key
    reason: str


class Measured(msgspec.Struct, frozen=True):
    """Facts that admission needs: sizes in bytes, temperature in °C."""

    id: int
    disk_free_bytes: int
    temperature_c: float | None


class Covered(msgspec.Struct, frozen=True):
    """How many bytes of results, those that are promised among them, have room held on the disk."""

    id: int
    bytes: int


class Sampled(msgspec.Struct, frozen=True):
    """How the device is, for its telemetry; the machine numbers it and adds what it knows itself."""

    id: int
    sample: Sample


class JournalFull(msgspec.Struct, frozen=True):
    """The journal could not be written for want of room."""

    id: int


class Ticked(msgspec.Struct, frozen=True):
    """The time of ``Machine.next_wake`` has come."""

    id: int


class Stopping(msgspec.Struct, frozen=True):
    """The agent is going down: nothing new is accepted, what is unfinished stays journalled."""

    id: int


class StoredResult(msgspec.Struct, frozen=True):
    """A result that the journal holds: its key and the bytes it takes on disk."""

    key: Key
    size: int


class StoredTask(msgspec.Struct, frozen=True):
    """An unfinished task that the journal holds, as its encoded ``Assign``."""

    key: Key
    assign: bytes


class StoredTelemetry(msgspec.Struct, frozen=True):
    """What the journal holds of the telemetry.

    ``runs`` are the first and last numbers of neighbours, rising; ``next`` is the number that was
    to come next at the last write, ``reserved`` the first that cannot have been given.
    """

    runs: Sequence[tuple[int, int]]
    next: int
    reserved: int
    lost: int


class Restored(msgspec.Struct, frozen=True):
    """What the journal held when the agent started; the first event, once."""

    id: int
    epoch: int
    tasks: Sequence[StoredTask]
    results: Sequence[StoredResult]
    telemetry: StoredTelemetry | None = None
    contacts: Contacts | None = None
    """The contact plan."""


Event: TypeAlias = (
    Heard
    | SessionOpened
    | WayTaken
    | SessionLost
    | Announced
    | WorkStarted
    | WorkProgressed
    | WorkFinished
    | WorkFailed
    | Measured
    | Covered
    | Sampled
    | JournalFull
    | Ticked
    | Stopping
    | Restored
)
