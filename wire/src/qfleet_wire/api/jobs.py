"""Jobs: what is asked, and how they stand."""

from typing import Literal

import msgspec

from qfleet_wire.api.asked import Asked
from qfleet_wire.api.noise import NoiseRequest
from qfleet_wire.api.status import JobStatus
from qfleet_wire.names import Millis

JobKind = Literal[
    "circuit.sample",
    "circuit.expect",
    "circuit.amplitudes",
    "probe.echo",
    "dynamics.solve",
    "anneal.sample",
    "variational.minimise",
    "amplitude.estimate",
    "kernel.matrix",
    "iit.phi",
]
MAX_ATTEMPTS = 3
LOST_AFTER_S = 300.0
"""What a job has that does not say otherwise."""


class JobRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Ask for a job.

    ``program`` is OpenQASM 2 or 3 text. ``parameters`` has one mapping of input names to values
    per parameter point; none means one point without inputs. ``observables`` are Pauli sums,
    sparse (``"0.5*Z0 Z1 + X2"``) or dense labels in Qiskit's order (``"ZZI"``, qubit 0 rightmost).
    ``bitstrings`` are basis states of all qubits, qubit 0 rightmost, of a ``circuit.amplitudes`` job.
    ``items`` counts the echoes of a ``probe.echo`` job.

    ``residency`` names tags: each task runs only in a region that carries one of them. ``prefer``
    says what regions are chosen for. With ``replace`` false, a task whose device has fallen silent
    waits for that device until the deadline; with ``first_valid_wins`` false, only the attempt that
    holds the task's lease may give its result. Defaults are not spelled, so that a control plane
    of before is asked what it knows.

    With ``agree`` k above 1 each task is given to different devices until k of their results agree, ``of``
    so many devices at most (0: 2k - 1). ``probes`` mixes tasks with a known answer in: below 1 a share of
    the job's tasks, from 1 on a number of them.

    ``gradient`` asks for the derivatives of all observables, with respect to these inputs or (true) all real
    ones. ``noise`` is what disturbs a program, ``work`` what the other kinds ask for; its ``kind`` is the
    job's.
    """

    kind: JobKind
    name: str = ""
    program: str = ""
    shots: int = 0
    observables: tuple[str, ...] = ()
    bitstrings: tuple[str, ...] = ()
    parameters: tuple[dict[str, float], ...] = ()
    items: int = 1
    work: Asked | None = None
    noise: NoiseRequest | None = None
    gradient: bool | tuple[str, ...] = False
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
    agree: int = 1
    of: int = 0
    probes: float = 0.0


class TaskCounts(msgspec.Struct, frozen=True):
    """How many of a job's tasks are in each state.

    Of copies that different devices must agree about: ``answered`` ones wait for the others, ``spare`` ones
    are given out when devices contradict each other, ``rejected`` ones were outvoted, and ``dismissed``
    ones were not needed.
    """

    pending: int = 0
    leased: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    unknown: int = 0
    cancelled: int = 0
    expired: int = 0
    spare: int = 0
    answered: int = 0
    rejected: int = 0
    dismissed: int = 0


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
