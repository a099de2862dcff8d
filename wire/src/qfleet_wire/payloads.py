"""What travels inside sealed messages: typed payloads, many to a batch.

A batch holds raw items that are decoded one by one: an item of an unknown kind is answered with
``Unsupported`` and harms no other. Unknown fields are ignored inside a major version. Every item
may arrive twice or late; each says in its docstring what makes it repeatable.
"""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.names import DeviceName, JobId, Millis, TaskId
from qfleet_wire.ways import Way, Window


class Batch(msgspec.Struct, frozen=True):
    """The plaintext of one sealed message.

    ``epoch`` is the sender's region-lease epoch on the way down, 0 on the way up; an agent
    remembers the highest and refuses less.
    """

    epoch: int
    sent: Millis
    items: tuple[msgspec.Raw, ...]


# ── down: controller to device ──────────────────────────────────────────────────────────────


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


class Renewed(msgspec.Struct, frozen=True, tag="renewed"):
    """A renewed certificate chain for the CSR with this SHA-256. Same CSR, same answer."""

    csr_hash: bytes
    chain: tuple[bytes, ...]


class RenewalRefused(msgspec.Struct, frozen=True, tag="renewal-refused"):
    """Why a renewal was not granted, and what to do."""

    csr_hash: bytes
    reason: str


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Ask a device for its announcement and inventory again, or to rekey."""

    what: Literal["announcement", "inventory"]


class TelemetryAcknowledge(msgspec.Struct, frozen=True, tag="telemetry-ack"):
    """Samples up to this sequence number are stored for good; the device drops them. Repeatable."""

    up_to: int


class FromPeer(msgspec.Struct, frozen=True, tag="from-peer"):
    """What another device sent to this one, sealed between the two of them. May be lost, and come twice.

    The controller says who sent it; the device proves it with the session inside.
    """

    peer: DeviceName
    body: bytes


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


class Contacts(msgspec.Struct, frozen=True, tag="contacts"):
    """When the device is in contact, by a plan: for its ways whose settings leave their windows to that.

    The one issued last counts. ``windows`` are in order and apart from each other; from ``until`` on the
    plan says nothing, and one without windows ends it at once. Repeatable.
    """

    issued: Millis
    until: Millis
    windows: tuple[Window, ...]


class KeyOrder(msgspec.Struct, frozen=True, tag="key-order"):
    """An order to the device's key process, opaque here. Repeated until ``KeyOrderTaken`` names it."""

    id: str
    body: bytes


class KeyReportStored(msgspec.Struct, frozen=True, tag="key-report-stored"):
    """Reports that are stored for good; the key process forgets them. Repeatable."""

    ids: tuple[str, ...]


# ── up: device to controller ────────────────────────────────────────────────────────────────


class Calibration(msgspec.Struct, frozen=True, omit_defaults=True):
    """Measured speed of an engine on a device: the coefficients of the cost model in ``costs``.

    The first three are all that agents of before measure, and all that control planes of before read.
    """

    engine: str
    amplitude_ns: float
    """Nanoseconds per gate and amplitude of a state vector, at the largest size that was measured."""
    gate_us: float
    """Microseconds per gate that do not depend on the width."""
    shot_us: float
    """Microseconds per shot of a dynamic program beside its gates."""
    curve: tuple[tuple[float, float], ...] = ()
    """Sizes of a state, ascending, and microseconds of a pass over it; empty: not measured."""
    item_us: float = 0.0
    part_us: float = 0.0
    turn_us: float = 0.0
    history_us: float = 0.0
    draw_us: float = 0.0
    """Microseconds of each thing that ``costs.Load`` counts; they mean something where there is a curve."""
    load_ms: float = 0.0
    """Milliseconds that the engine takes to be loaded, once in a worker's life."""
    kinds: tuple[str, ...] = ()
    """What was measured, as in ``Engine.kinds``; empty: all that the engine runs."""


class Engine(msgspec.Struct, frozen=True):
    """An engine that a device has, and the workload kinds it runs."""

    name: str
    version: str
    kinds: tuple[str, ...]


class Announcement(msgspec.Struct, frozen=True, tag="announcement"):
    """What a device is and can do. Sent on every new session and on change; the last one counts."""

    agent_version: str
    profile: str
    boot_id: str
    machine: str
    cores: int
    memory_bytes: int
    workers: int
    task_memory_bytes: int
    max_qubits: int
    engines: tuple[Engine, ...]
    calibrations: tuple[Calibration, ...] = ()
    task_time_ms: int = 900_000
    """Longest time limit that a task may have here; an agent that does not say keeps 15 minutes."""
    way: Way | None = None
    """The way that the session came over; None: the device has one way only."""

    @property
    def copies_state(self) -> bool:
        """Whether its engine copies a state before it draws from it: agents of 0.1 do."""
        return self.agent_version.startswith("0.1.")


class Inventory(msgspec.Struct, frozen=True, tag="inventory"):
    """All (task, attempt) pairs the device holds, sent on every new session.

    Accepted but unfinished, and finished but unacknowledged: both sides agree after any cut.
    """

    unfinished: tuple[tuple[TaskId, int], ...]
    finished: tuple[tuple[TaskId, int], ...]


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


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """How a device is. The last one counts; load in [0, 1] per core, sizes in bytes, °C."""

    sent: Millis
    uptime_s: int
    load: float
    memory_free_bytes: int
    disk_free_bytes: int
    running: int
    queued: int
    outbox: int
    temperature_c: float | None = None
    dropped: int = 0
    """Inbound messages that did not open since the start."""
    telemetry_lost: int = 0
    """Samples that were shed for want of room or went with a power cut, in all; see ``Telemetry``."""
    journal_full: bool = False
    """Whether the device could not write its journal when it tried last."""
    journal_set_aside: Millis | None = None
    """When a damaged journal was last set aside, by the device's clock; None: never."""
    journal_damage: str = ""
    """What was wrong with it, and what of it was saved, in words."""
    latency_ms: float | None = None
    """Round trip to the gateway of the way in use, where there are several; None: not measured."""


class Sample(msgspec.Struct, frozen=True):
    """How a device was at one moment. Load in [0, 1] per core, sizes in bytes, °C.

    A device never gives two samples the same ``sequence``, whatever happens to it; it rises, with
    gaps where samples were lost.
    """

    sequence: int
    at: Millis
    load: float
    memory_free_bytes: int
    disk_free_bytes: int
    running: int
    outbox: int
    finished: int
    """Tasks that ended on the device since its agent's start."""
    temperature_c: float | None = None


class Telemetry(msgspec.Struct, frozen=True, tag="telemetry"):
    """Samples, oldest first, kept on the device until acknowledged. Repeatable by ``sequence``.

    ``lost`` counts, since the device's journal was made, the samples that will never come.
    """

    samples: tuple[Sample, ...]
    lost: int = 0


class ToPeer(msgspec.Struct, frozen=True, tag="to-peer"):
    """Forward ``body``, sealed between two devices, to ``peer``. Repeatable; it may be lost.

    ``number`` is the sender's own, for the answer if it is refused.
    """

    peer: DeviceName
    body: bytes
    number: int = 0


class KeyOrderTaken(msgspec.Struct, frozen=True, tag="key-order-taken"):
    """The key process has stored this order for good, now or before. Repeatable."""

    id: str


class KeyReport(msgspec.Struct, frozen=True, tag="key-report"):
    """A report of the device's key process, opaque here. Repeated until ``KeyReportStored`` names it."""

    id: str
    body: bytes


class RenewRequest(msgspec.Struct, frozen=True, tag="renew"):
    """Ask for a new certificate. The CSR (DER) is stored before it is sent; repeatable."""

    csr: bytes


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
