"""What tasks and their ends look like on their way."""

from typing import Literal

import msgspec

from qfleet_wire.names import JobId, Millis, TaskId


class Assign(msgspec.Struct, frozen=True, tag="assign"):
    """Run a task. Repeatable: a device answers the same (task, attempt) with the same word.

    ``work`` is an encoded ``workload.Work``; ``deadline`` bounds the run by wall clock and
    ``time_limit_ms`` by duration; ``result_bytes`` is the disk to reserve for the result.
    """

    task: TaskId
    attempt: int
    job: JobId
    work: msgspec.Raw
    memory_bytes: int
    result_bytes: int
    time_limit_ms: int
    priority: int = 0
    deadline: Millis | None = None


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop a task or forget it. Repeatable: the answer is a result with outcome ``cancelled``."""

    task: TaskId
    attempt: int
    reason: str


class Acknowledge(msgspec.Struct, frozen=True, tag="ack"):
    """Results that are stored for good; the device drops them from its outbox. Repeatable."""

    tasks: tuple[tuple[TaskId, int], ...]


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """The task is journalled and will run. Repeatable."""

    task: TaskId
    attempt: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The task will not run here; ``code`` for programs, ``text`` with the numbers for people."""

    task: TaskId
    attempt: int
    code: Literal["memory", "engine", "qubits", "disk", "busy", "time", "invalid", "stopping"]
    text: str


class Started(msgspec.Struct, frozen=True, tag="started"):
    """A worker has begun the task. A hint for people; may be lost."""

    task: TaskId
    attempt: int


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """Share of a task that is done, 0 to 1. A hint for people; may be lost."""

    task: TaskId
    attempt: int
    fraction: float


class Provenance(msgspec.Struct, frozen=True):
    """Where a result comes from. The batch that carries it is signed by the device."""

    device: str
    engine: str
    engine_version: str
    seed: int
    duration_ms: float


NO_BODY = msgspec.Raw(b"\xc0")
"""MessagePack's nil. ``Raw | None`` would not do: a union with ``Raw`` decodes nothing but nil."""


class TaskResult(msgspec.Struct, frozen=True):
    """The end of one attempt. ``body`` is an encoded ``workload.WorkResult`` on success.

    A body larger than a chunk travels as an artefact and ``artefact`` holds its SHA-256.
    """

    task: TaskId
    attempt: int
    outcome: Literal["succeeded", "failed", "cancelled", "expired"]
    provenance: Provenance | None = None
    body: msgspec.Raw = NO_BODY
    artefact: bytes | None = None
    error: str | None = None


class Results(msgspec.Struct, frozen=True, tag="results"):
    """Encoded ``TaskResult`` items with one signature of the device's key over their hashes.

    Kept in the outbox until acknowledged. Repeatable: merging is by task, duplicates by
    (task, attempt).
    """

    results: tuple[msgspec.Raw, ...]
    signature: bytes


class Chunk(msgspec.Struct, frozen=True, tag="chunk"):
    """Piece ``index`` of the artefact with this SHA-256. Repeatable: content-addressed."""

    digest: bytes
    index: int
    count: int
    data: bytes
