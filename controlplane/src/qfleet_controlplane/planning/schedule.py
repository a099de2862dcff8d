"""Which device gets which task.

Jobs of higher priority go first; jobs of the same priority take turns, the oldest first. Each
task goes to the device that would finish it earliest, among those that can run it, that have not
refused it, and that have room: about ``BACKLOG_MS`` of estimated work in hand, at least
one task per worker. What finds no room stays pending. The scheduler sees estimates and numbers only.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from qfleet_controlplane.planning import cost, kinds
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import payloads

BACKLOG_MS = 2_000.0
"""Estimated work that a worker may have in hand before its device is full."""
MOST_TASKS_PER_WORKER = 64


class Requirement(NamedTuple):
    """What a task needs of a device; the same for all tasks of a job."""

    kind: str
    qubits: int
    memory_bytes: int
    devices: int = 1
    """Devices that must agree: a region needs so many."""


def requirement(job: Specification) -> Requirement:
    """What a job's tasks need of a device."""
    return Requirement(job.capability, job.vector_qubits, kinds.memory_bytes(job), job.agree)


class Capability(Protocol):
    """What a device, or a class of devices alike, can do."""

    @property
    def engines(self) -> tuple[payloads.Engine, ...]:
        """Engines and the kinds that they run."""

    @property
    def max_qubits(self) -> int:
        """Widest program."""

    @property
    def task_memory_bytes(self) -> int:
        """Memory that one task may have."""


class Worker(Capability, Protocol):
    """A capability with its measured speed, and how many tasks run there at once."""

    @property
    def calibrations(self) -> tuple[payloads.Calibration, ...]:
        """What was measured, by engine."""

    @property
    def workers(self) -> int:
        """Tasks at once."""


class Slot:
    """A device as the scheduler sees it; what is chosen is entered at once.

    ``able`` is its announcement, or the class of devices that it belongs to.
    """

    __slots__ = ("able", "backlog_ms", "held", "name", "workers")

    def __init__(self, name: str, able: Worker, *, held: int, backlog_ms: float) -> None:
        self.name = name
        self.able = able
        self.workers = max(1, able.workers)
        self.held = held
        self.backlog_ms = backlog_ms

    @property
    def wait_ms(self) -> float:
        """Estimated time until a worker is free."""
        return self.backlog_ms / self.workers

    @property
    def full(self) -> bool:
        """Whether the device has enough in hand."""
        if self.able.workers <= 0:  # a site whose cluster has gone keeps what it has
            return True
        if self.held < self.workers:
            return False
        return self.held >= self.workers * MOST_TASKS_PER_WORKER or self.wait_ms >= BACKLOG_MS

    def take(self, cost_ms: float) -> None:
        """Enter a task."""
        self.held += 1
        self.backlog_ms += cost_ms


class Candidate(Protocol):
    """A pending task as the scheduler sees it."""

    @property
    def barred(self) -> tuple[str, ...]:
        """Devices that may not have it."""


class Demand(NamedTuple):
    """A job's pending tasks, next one first, and what they need."""

    priority: int
    age: tuple[int, str]
    requirement: Requirement
    specification: Specification
    size: Callable[[Candidate], tuple[int, int]]
    """Items and shots of a task."""
    pending: Iterable[Candidate]
    """Gone through once, as far as there is room."""


class Choice(NamedTuple):
    """One decision."""

    task: Candidate
    device: str
    cost_ms: float


def lacks(requirement: Requirement, announcement: Capability) -> str | None:
    """Say why a device cannot run a task, with the numbers; None when it can."""
    if requirement.kind != "probe.echo" and not any(
        requirement.kind in engine.kinds for engine in announcement.engines
    ):
        return f"no engine for {requirement.kind}"
    if requirement.qubits > announcement.max_qubits:
        return f"{requirement.qubits} qubits are over its {announcement.max_qubits}"
    if requirement.memory_bytes > announcement.task_memory_bytes:
        return (
            f"{requirement.memory_bytes / 2**20:,.0f} MiB are over its "
            f"{announcement.task_memory_bytes / 2**20:,.0f} MiB per task"
        )
    return None


def schedule(demands: Iterable[Demand], slots: Iterable[Slot], most: int | None = None) -> list[Choice]:
    """Choose devices for as many pending tasks as there is room for, ``most`` at most.

    The choices come in the order of the decisions.
    """
    roomy = [slot for slot in slots if not slot.full]
    choices: list[Choice] = []
    levels: dict[int, list[Demand]] = {}
    for demand in demands:
        levels.setdefault(demand.priority, []).append(demand)
    for _, level in sorted(levels.items(), reverse=True):
        level.sort(key=_age)
        roomy = [slot for slot in roomy if not slot.full]
        if not roomy:
            break
        left = None if most is None else most - len(choices)
        choices.extend(itertools.islice(_level([_Queue(demand, roomy) for demand in level]), left))
    return choices


def _age(demand: Demand) -> tuple[int, str]:
    return demand.age


def _level(queues: list["_Queue"]) -> Iterator[Choice]:
    """Let the jobs of one priority take turns until none finds a device."""
    while queues:
        waiting: list[_Queue] = []
        for queue in queues:
            choice = queue.next()
            if choice is not None:
                yield choice
                waiting.append(queue)
        queues = waiting


class _Queue:
    """One job's pending tasks and the devices open to them, soonest free first."""

    __slots__ = ("_demand", "_heap", "_rates", "_tasks")

    def __init__(self, demand: Demand, slots: Iterable[Slot]) -> None:
        self._demand = demand
        self._tasks = iter(demand.pending)
        self._rates: dict[str, cost.Rates] = {}
        self._heap: list[tuple[float, int, Slot]] = []
        alike: dict[int, cost.Rates | None] = {}
        for index, slot in enumerate(slots):
            key = id(slot.able)
            if key not in alike:
                alike[key] = self._rates_of(slot.able)
            rates = alike[key]
            if rates is not None:
                self._rates[slot.name] = rates
                self._heap.append((self._finish(slot), index, slot))
        heapq.heapify(self._heap)

    def _rates_of(self, able: Worker) -> cost.Rates | None:
        """Rates on such a device; None where the job cannot run."""
        if lacks(self._demand.requirement, able) is not None:
            return None
        calibration = cost.calibration_of(able, self._demand.requirement.kind)
        return kinds.rates(self._demand.specification, calibration)

    def next(self) -> Choice | None:
        """Choose for the next task that any device can take; None when no more can be placed."""
        while self._heap:
            task = next(self._tasks, None)
            if task is None:
                return None
            choice = self._place(task)
            if choice is not None:
                return choice
        return None

    def _place(self, task: Candidate) -> Choice | None:
        aside: list[tuple[float, int, Slot]] = []
        choice = None
        while self._heap:
            known, index, slot = self._heap[0]
            finish = self._finish(slot)
            if slot.full:
                heapq.heappop(self._heap)
            elif finish > known:
                heapq.heapreplace(self._heap, (finish, index, slot))
            elif slot.name in task.barred:
                aside.append(heapq.heappop(self._heap))
            else:
                cost_ms = self._rates[slot.name].cost_ms(*self._demand.size(task))
                slot.take(cost_ms)
                heapq.heapreplace(self._heap, (self._finish(slot), index, slot))
                choice = Choice(task, slot.name, cost_ms)
                break
        for entry in aside:
            heapq.heappush(self._heap, entry)
        return choice

    def _finish(self, slot: Slot) -> float:
        """When the device would finish one item of this job, if it were given one now."""
        return slot.wait_ms + self._rates[slot.name].item_ms + self._one_item_shots_ms(slot)

    def _one_item_shots_ms(self, slot: Slot) -> float:
        return self._rates[slot.name].shot_ms * self._demand.specification.shots


def explain(requirement: Requirement, fleet: Mapping[str, payloads.Announcement]) -> list[str]:
    """Say of each device why it cannot run a job."""
    reasons = ((name, lacks(requirement, announcement)) for name, announcement in sorted(fleet.items()))
    return [f"{name}: {reason}" for name, reason in reasons if reason is not None]
