"""The HTTP API's requests and answers, shared by the control plane and the client.

Times are milliseconds since the epoch, UTC. Everything is JSON; ``kind`` and ``status`` values
are the ones of the machines' tables.
"""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.names import Millis

JobKind = Literal["circuit.sample", "circuit.expect", "probe.echo"]
JobStatus = Literal["planned", "running", "succeeded", "partial", "failed", "cancelled"]
DeviceStatus = Literal[
    "invited", "enrolled", "online", "silent", "lost", "quarantined", "revoked", "retired"
]  # fmt: skip
FINISHED: frozenset[str] = frozenset({"succeeded", "partial", "failed", "cancelled"})
MAX_ATTEMPTS = 3
LOST_AFTER_S = 300.0
"""What a job has that does not say otherwise."""


class JobRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Ask for a job.

    ``program`` is OpenQASM 2 or 3 text. ``parameters`` has one mapping of input names to values
    per parameter point; none means one point without inputs. ``observables`` are Pauli sums,
    sparse (``"0.5*Z0 Z1 + X2"``) or dense labels in Qiskit's order (``"ZZI"``, qubit 0 rightmost).
    ``items`` counts the echoes of a ``probe.echo`` job.

    ``residency`` names tags: each task runs only in a region that carries one of them. ``prefer``
    says what regions are chosen for. With ``replace`` false, a task whose device has fallen silent
    waits for that device until the deadline; with ``first_valid_wins`` false, only the attempt that
    holds the task's lease may give its result. Defaults are not spelled, so that a control plane
    of before is asked what it knows.
    """

    kind: JobKind
    name: str = ""
    program: str = ""
    shots: int = 0
    observables: tuple[str, ...] = ()
    parameters: tuple[dict[str, float], ...] = ()
    items: int = 1
    seed: int | None = None
    priority: int = 0
    max_attempts: int = MAX_ATTEMPTS
    lost_after_s: float = LOST_AFTER_S
    time_limit_s: float = 3600.0
    deadline_s: float | None = None
    residency: tuple[str, ...] = ()
    prefer: Literal["time", "energy"] = "time"
    replace: bool = True
    first_valid_wins: bool = True


class TaskCounts(msgspec.Struct, frozen=True):
    """How many of a job's tasks are in each state."""

    pending: int = 0
    leased: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    unknown: int = 0
    cancelled: int = 0
    expired: int = 0


class TaskView(msgspec.Struct, frozen=True):
    """One task of a job: where it is and what happened to its attempts."""

    id: str
    status: str
    attempt: int
    device: str | None
    items: int
    progress: float
    errors: tuple[str, ...]


class JobView(msgspec.Struct, frozen=True):
    """A job as it stands.

    ``plan`` says in sentences how and why it was split, ``placement`` where its tasks went and why.
    """

    id: str
    name: str
    kind: str
    status: JobStatus
    created: Millis
    finished: Millis | None
    items: int
    progress: float
    tasks: TaskCounts
    devices: tuple[str, ...]
    plan: tuple[str, ...]
    errors: tuple[str, ...]
    placement: tuple[str, ...] = ()


class JobDetail(msgspec.Struct, frozen=True):
    """A job with its tasks."""

    job: JobView
    tasks: tuple[TaskView, ...]


class SampleItemView(msgspec.Struct, frozen=True):
    """Counts of one parameter point; keys as Qiskit writes them, registers split by a space."""

    parameters: dict[str, float]
    shots: int
    counts: dict[str, int]


class ValueView(msgspec.Struct, frozen=True):
    """One expectation value. ``exact`` means evaluated on the state vector, without sampling."""

    observable: str
    value: float
    standard_error: float
    exact: bool


class ExpectItemView(msgspec.Struct, frozen=True):
    """Expectation values of one parameter point."""

    parameters: dict[str, float]
    values: tuple[ValueView, ...]


class SourceView(msgspec.Struct, frozen=True):
    """Which device and engine computed how many tasks in how much time."""

    device: str
    engine: str
    engine_version: str
    tasks: int
    duration_ms: float


class SampleResultView(msgspec.Struct, frozen=True, tag_field="kind", tag="circuit.sample"):
    """Result of a sampling job. The quantum state is simulated on the devices."""

    job: str
    status: JobStatus
    seed: int
    items: tuple[SampleItemView, ...]
    sources: tuple[SourceView, ...]


class ExpectResultView(msgspec.Struct, frozen=True, tag_field="kind", tag="circuit.expect"):
    """Result of an expectation job. The quantum state is simulated on the devices."""

    job: str
    status: JobStatus
    seed: int
    items: tuple[ExpectItemView, ...]
    sources: tuple[SourceView, ...]


class EchoResultView(msgspec.Struct, frozen=True, tag_field="kind", tag="probe.echo"):
    """Result of an echo job: how many echoes came back right."""

    job: str
    status: JobStatus
    items: int
    sources: tuple[SourceView, ...]


ResultView: TypeAlias = SampleResultView | ExpectResultView | EchoResultView


class InviteRequest(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """Ask for a one-time join token for a device of this name.

    ``region`` is where it shall join; it may be left out where there is one region.
    """

    device: str
    valid_s: float = 3600.0
    region: str | None = None


class Invitation(msgspec.Struct, frozen=True):
    """The answer to an invitation; ``token`` is shown once and never stored in clear."""

    device: str
    token: str
    expires: Millis


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """A device as the control plane knows it; None where it has not told yet."""

    name: str
    region: str
    status: DeviceStatus
    profile: str | None = None
    machine: str | None = None
    agent_version: str | None = None
    engines: tuple[str, ...] = ()
    cores: int | None = None
    memory_bytes: int | None = None
    workers: int | None = None
    max_qubits: int | None = None
    last_seen: Millis | None = None
    running: int = 0
    queued: int = 0
    load: float | None = None
    temperature_c: float | None = None
    certificate_expires: Millis | None = None
    trust: float | None = None
    reason: str | None = None


class TelemetrySample(msgspec.Struct, frozen=True, kw_only=True):
    """How a device was at one moment, by its own clock. Load in [0, 1] per core, sizes in bytes."""

    sequence: int
    at: Millis
    load: float
    memory_free_bytes: int
    disk_free_bytes: int
    running: int
    outbox: int
    finished: int
    temperature_c: float | None = None


class TelemetryGap(msgspec.Struct, frozen=True):
    """Samples that are missing between two numbers, both of which are there."""

    after: int
    before: int


class TelemetryView(msgspec.Struct, frozen=True):
    """What a device measured, the oldest first.

    ``gaps`` are the numbers missing among ``samples``: still on the device, or lost. ``lost`` is
    how many the device said, with the last sample, will never come.
    """

    device: str
    samples: tuple[TelemetrySample, ...]
    gaps: tuple[TelemetryGap, ...]
    lost: int


class RevokeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why a device is revoked, quarantined or retired; the reason stands in the audit log."""

    reason: str


class FleetView(msgspec.Struct, frozen=True):
    """What this control plane leads."""

    fleet: str
    region: str
    version: str
    broker: str
    devices: int
    online: int
    jobs_running: int


class RegionView(msgspec.Struct, frozen=True, kw_only=True):
    """A region and who leads it.

    ``controller`` is None while nobody holds its lease, which ends in ``lease_s`` seconds; ``latency_ms``
    is the median from an assignment to its acceptance, None while nothing was measured.
    ``broker_connected`` is what the leading controller sees.
    """

    name: str
    controller: str | None
    epoch: int
    lease_s: float
    devices: int = 0
    devices_online: int = 0
    tasks_pending: int = 0
    tasks_held: int = 0
    latency_ms: float | None = None
    residency: tuple[str, ...] = ()
    energy_price: float | None = None
    broker_connected: bool | None = None


class Place(msgspec.Struct, frozen=True):
    """Where in a program something is wrong; both count from 1."""

    line: int
    column: int


class Problem(msgspec.Struct, frozen=True):
    """The body of every error answer: what was wrong, where, and what to do."""

    code: str
    message: str
    hint: str = ""
    where: Place | None = None
    field: str | None = None
