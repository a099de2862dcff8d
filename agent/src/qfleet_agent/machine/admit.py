"""Admission: may this task run here? Every refusal has a code for programs and numbers for people.

A refusal never depends on the device's own clock: what is late is measured between the
controller's own two times.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from qfleet_agent.machine import work
from qfleet_agent.machine.work import Head
from qfleet_wire.errors import RemoteError
from qfleet_wire.names import Millis
from qfleet_wire.payloads import Assign

Code: TypeAlias = Literal["memory", "engine", "qubits", "disk", "busy", "time", "invalid", "stopping"]

MIB = 1024 * 1024
AMPLITUDE_BYTES = 16
"""A complex128."""
ROW_BYTES = 512
"""Disk that a journalled task or result takes beside its own bytes, rounded up."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What this device may do: its profile, cut to what the machine really has."""

    workers: int
    task_memory_bytes: int
    max_qubits: int
    max_shots: int
    task_ms: int
    disk_bytes: int
    """Most that the journal with its outbox may take."""
    disk_reserve_bytes: int
    """Free space of the file system that is left to others."""
    queue_tasks: int
    queue_bytes: int
    """Most unfinished tasks, and bytes of them, that are held in memory."""
    kinds: Mapping[str, str]
    """Workload kinds that run here, each with the engine that runs it."""
    temperature_limit_c: float | None = None


class Load(msgspec.Struct):
    """What the device has taken on, and how it is."""

    unfinished: int = 0
    unfinished_bytes: int = 0
    reserved_bytes: int = 0
    """Disk promised to results that do not exist yet."""
    stored_bytes: int = 0
    """Disk that unfinished tasks and results take."""
    covered_bytes: int | None = None
    """Most that may be promised with the room that is held on the disk; None: nobody holds any."""
    arriving_bytes: int = 0
    """Disk that accepted tasks take which may not be journalled yet."""
    disk_free_bytes: int | None = None
    temperature_c: float | None = None
    stopping: bool = False


class Refusal(NamedTuple):
    """Why not."""

    code: Code
    text: str


class Admitted(NamedTuple):
    """The task may run; ``reserve`` is the disk kept for it, ``runs_for_ms`` ends at its deadline."""

    reserve: int
    runs_for_ms: int | None


class _Case(NamedTuple):
    assign: Assign
    head: Head
    sent: Millis
    size: int
    bounds: Bounds
    load: Load


def admit(assign: Assign, sent: Millis, bounds: Bounds, load: Load) -> Admitted | Refusal:
    """Decide about one assignment that the controller sent at ``sent`` by its own clock."""
    if load.stopping:
        return Refusal("stopping", "the agent is stopping")
    try:
        head = work.head_of(assign.work)
    except RemoteError as error:
        return Refusal("invalid", f"this agent cannot read the work: {error}")
    case = _Case(assign, head, sent, memoryview(assign.work).nbytes, bounds, load)
    for check in CHECKS:
        refusal = check(case)
        if refusal is not None:
            return refusal
    runs_for = None if assign.deadline is None else assign.deadline - sent
    return Admitted(reserve_of(assign), runs_for)


def reserve_of(assign: Assign) -> int:
    """Disk that is kept for the result of a task from its acceptance on, in bytes."""
    return assign.result_bytes + ROW_BYTES


def arriving(items: Iterable[object], bounds: Bounds, load: Load) -> int:
    """Disk that those assignments among ``items`` need which could fit, with their results, in bytes."""
    most = bounds.disk_bytes - load.stored_bytes - load.reserved_bytes
    needs = (_need(one, memoryview(one.work).nbytes) for one in items if isinstance(one, Assign))
    return sum(need for need in needs if 0 < need <= most)


def _need(assign: Assign, size: int) -> int:
    return size + ROW_BYTES + reserve_of(assign)


def _sane(case: _Case) -> Refusal | None:
    assign = case.assign
    if min(assign.memory_bytes, assign.result_bytes, assign.time_limit_ms - 1, assign.attempt) < 0:
        return Refusal(
            "invalid",
            f"attempt {assign.attempt}, memory {assign.memory_bytes}, result {assign.result_bytes} bytes and "
            f"time limit {assign.time_limit_ms} ms must not be negative, nor the time limit 0",
        )
    return None


def _engine(case: _Case) -> Refusal | None:
    kind = work.kind_of(case.head)
    if kind in case.bounds.kinds:
        return None
    here = ", ".join(sorted(case.bounds.kinds)) or "nothing"
    return Refusal("engine", f"no engine here runs {kind}; this device runs {here}")


def _qubits(case: _Case) -> Refusal | None:
    qubits, most = work.qubits_of(case.head), case.bounds.max_qubits
    if qubits > most:
        return Refusal("qubits", f"the program has {qubits} qubits, this device takes at most {most}")
    return None


def _memory(case: _Case) -> Refusal | None:
    state = AMPLITUDE_BYTES << work.qubits_of(case.head) if work.qubits_of(case.head) else 0
    needed, most = max(case.assign.memory_bytes, state), case.bounds.task_memory_bytes
    if needed > most:
        return Refusal("memory", f"the task needs {_mib(needed)}, a worker here has {_mib(most)}")
    return None


def _time(case: _Case) -> Refusal | None:
    assign, bounds = case.assign, case.bounds
    if assign.time_limit_ms > bounds.task_ms:
        return Refusal(
            "time",
            f"the task may take {assign.time_limit_ms / 1000:g} s, "
            f"this device gives a task at most {bounds.task_ms / 1000:g} s",
        )
    if work.shots_of(case.head) > bounds.max_shots:
        return Refusal(
            "time",
            f"the task draws {work.shots_of(case.head)} shots, this device draws at most {bounds.max_shots}",
        )
    if assign.deadline is not None and assign.deadline <= case.sent:
        return Refusal("time", f"the deadline had passed {case.sent - assign.deadline} ms before it was sent")
    return None


def _busy(case: _Case) -> Refusal | None:
    bounds, load = case.bounds, case.load
    if load.unfinished >= bounds.queue_tasks:
        return Refusal("busy", f"{load.unfinished} tasks wait here, at most {bounds.queue_tasks} may")
    # One task always fits, however large: otherwise it could never run anywhere like here.
    if load.unfinished and load.unfinished_bytes + case.size > bounds.queue_bytes:
        return Refusal(
            "busy",
            f"the waiting tasks hold {_mib(load.unfinished_bytes)}, this one has {_mib(case.size)}, "
            f"together at most {_mib(bounds.queue_bytes)}",
        )
    limit, now = bounds.temperature_limit_c, load.temperature_c
    if limit is not None and now is not None and now >= limit:
        return Refusal("busy", f"the device is at {now:.1f} °C, its limit is {limit:.1f} °C")
    return None


def _disk(case: _Case) -> Refusal | None:
    bounds, load = case.bounds, case.load
    needed = _need(case.assign, case.size)
    taken = load.stored_bytes + load.reserved_bytes
    if taken + needed > bounds.disk_bytes:
        return Refusal(
            "disk",
            f"the task and its result need {_mib(needed)}; {_mib(taken)} of the journal's "
            f"{_mib(bounds.disk_bytes)} are stored or promised",
        )
    return _unfree(needed + reserve_of(case.assign), bounds, load) or _uncovered(needed, load)


def _uncovered(needed: int, load: Load) -> Refusal | None:
    covered, promised = load.covered_bytes, load.reserved_bytes + load.arriving_bytes
    if covered is None or promised + needed <= covered:
        return None
    return Refusal(
        "disk",
        f"the task and its result need {_mib(needed)}; room for {_mib(covered)} could be held on the disk, "
        f"of which {_mib(promised)} are promised",
    )


def _unfree(needed: int, bounds: Bounds, load: Load) -> Refusal | None:
    if load.disk_free_bytes is None:
        return None
    # While a result is being written it stands in the journal's log and in the journal.
    held, promised = 2 * (load.covered_bytes or 0), 2 * load.reserved_bytes
    if max(promised + needed - held, 0) + bounds.disk_reserve_bytes <= load.disk_free_bytes:
        return None
    return Refusal(
        "disk",
        f"the task and its result need {_mib(needed)} while they are written; the disk has "
        f"{_mib(load.disk_free_bytes)} free, of which {_mib(bounds.disk_reserve_bytes)} stay free, and "
        f"{_mib(held)} held for results, {_mib(promised)} are promised",
    )


CHECKS: tuple[Callable[[_Case], Refusal | None], ...] = (
    _sane,
    _engine,
    _qubits,
    _memory,
    _time,
    _busy,
    _disk,
)
"""In this order: what can never run here first, what cannot run now last."""


def _mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB"
