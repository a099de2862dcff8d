"""What the machine wants done; each effect carries the id of the event that caused it.

``Save…`` effects name what changed; the service stores it as it stands when the batch is
closed, so that a thing that changed ten times is written once. Sends happen after the commit only, and
every one of them may be repeated.
"""

from typing import Literal, NamedTuple, TypeAlias

import msgspec

from qfleet_controlplane.machine.state import Device, Job, Task
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId


class _Effect(msgspec.Struct, frozen=True, gc=False):
    """Base of all effects; ``cause`` is the id of an event."""

    cause: int


class SaveJob(_Effect, frozen=True):
    """A job is new (``created``) or its status has changed."""

    job: Job
    created: bool = False


class SaveTask(_Effect, frozen=True):
    """A task has changed."""

    task: Task


class SaveDevice(_Effect, frozen=True):
    """A device has changed."""

    device: Device


class ShowDevice(_Effect, frozen=True):
    """A device has said how it is: news for people, which need no transaction of their own."""

    device: Device


class MoveTasks(_Effect, frozen=True):
    """Pending tasks of a job are another region's from now on; the machine has forgotten them.

    One commit stores the tasks under their new region, that region's share and the order by which it
    learns of them.
    """

    job: Job
    tasks: tuple[Task, ...]
    to: str


class OrderDone(_Effect, frozen=True):
    """What an order asked for is in this commit: delete it."""

    order: int


class SaveResult(_Effect, frozen=True):
    """The result that counts for a task, as the device encoded and signed it.

    ``batch`` names the signed flush it came in, ``position`` its place there.
    """

    task: TaskId
    device: DeviceName
    raw: bytes
    result: payloads.TaskResult
    batch: bytes
    position: int
    received: Millis


class DropResult(_Effect, frozen=True):
    """A stored result that waited for agreement goes: its device was shut out."""

    task: TaskId


class SaveBatch(_Effect, frozen=True):
    """A signed flush of results of which at least one counts: its provenance."""

    batch: bytes
    device: DeviceName
    signature: bytes
    digests: bytes
    received: Millis


class SaveChunk(_Effect, frozen=True):
    """A piece of an artefact."""

    device: DeviceName
    chunk: payloads.Chunk


class SaveTelemetry(_Effect, frozen=True):
    """Samples of a device; ``lost`` is how many it says will never come."""

    device: DeviceName
    samples: tuple[payloads.Sample, ...]
    lost: int


class DropChunks(_Effect, frozen=True):
    """An artefact's pieces are of no use."""

    device: DeviceName
    digest: bytes


class Audit(_Effect, frozen=True):
    """Something that must be provable later."""

    who: str
    action: str
    subject: str
    detail: str


class Alarm(_Effect, frozen=True):
    """Something is wrong that a person should look at; it stands in the audit log too."""

    kind: Literal["disagreement", "artefact", "invalid-result", "journal", "probe", "quarantine"]
    subject: str
    detail: str


class Send(_Effect, frozen=True):
    """Send a payload to a device once everything before it is stored."""

    device: DeviceName
    payload: payloads.Down


class Notify(_Effect, frozen=True):
    """Whoever watches this job should look again."""

    job: Job


class Assemble(_Effect, frozen=True):
    """Read an artefact's chunks back, verify their SHA-256, and post ``events.Assembled``."""

    device: DeviceName
    digest: bytes
    count: int


class Compare(_Effect, frozen=True):
    """Compare a further result of a finished task with the stored one; post ``events.Compared``."""

    device: DeviceName
    result: payloads.TaskResult


class Weighing(NamedTuple):
    """A stored result to be compared: where, its SHA-256, and the architecture it was computed on."""

    position: int
    digest: bytes
    machine: str


class Weigh(_Effect, frozen=True):
    """Compare the stored results of some copies of a task with each other; post ``events.Weighed``."""

    job: JobId
    copies: tuple[Weighing, ...]


Effect: TypeAlias = (
    SaveJob
    | SaveTask
    | SaveDevice
    | ShowDevice
    | MoveTasks
    | OrderDone
    | SaveResult
    | DropResult
    | SaveBatch
    | SaveChunk
    | SaveTelemetry
    | DropChunks
    | Audit
    | Alarm
    | Send
    | Notify
    | Assemble
    | Compare
    | Weigh
)
