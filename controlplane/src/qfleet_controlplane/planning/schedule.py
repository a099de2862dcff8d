"""Which device gets which task.

Jobs of higher priority go first; jobs of the same priority take turns, the oldest first. Each
task goes to the device that would finish it earliest, among those that can run it, that have not
refused it, and that have room: about ``BACKLOG_MS`` of estimated work in hand, at least
one task per worker. What finds no room stays pending, and so does what a device without room would
still finish earlier (``horizon``). The scheduler sees estimates and numbers only.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from qfleet_controlplane.planning import cost, horizon, kinds
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
    copying_bytes: int = 0
    """Memory needed where a state is copied before it is drawn from, if that is more."""

    def bytes_on(self, able: "Capability") -> int:
        """Memory that a task needs on a device like this."""
        return max(self.memory_bytes, self.copying_bytes if able.copies_state else 0)


def requirement(job: Specification) -> Requirement:
    """What a job's tasks need of a device."""
    return Requirement(
        job.capability, job.vector_qubits, kinds.memory_bytes(job), job.agree, kinds.copying_bytes(job)
    )


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

    @property
    def copies_state(self) -> bool:
        """Whether its engine copies a state before it draws from it."""


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

    ``able`` is its announcement, or the class of devices that it belongs to; ``reach_ms`` is how long its
    answers are on their way.
    """

    __slots__ = ("able", "backlog_ms", "held", "name", "reach_ms", "workers")

    def __init__(
        self, name: str, able: Worker, *, held: int, backlog_ms: float, reach_ms: float = 0.0
    ) -> None:
        self.name = name
        self.able = able
        self.workers = max(1, able.workers)
        self.held = held
        self.backlog_ms = backlog_ms
        self.reach_ms = reach_ms

    @property
    def wait_ms(self) -> float:
        """Estimated time until a worker is free, and that of an answer on its way."""
        return self.backlog_ms / self.workers + self.reach_ms

    @property
    def full(self) -> bool:
        """Whether the device has enough in hand."""
        if self.able.workers <= 0:  # a site whose cluster has gone keeps what it has
            return True
        if self.held < self.workers:
            return False
        return self.held >= self.workers * MOST_TASKS_PER_WORKER or (
            self.backlog_ms >= self.workers * BACKLOG_MS
        )

    def take(self, cost_ms: float) -> None:
        """Enter a task."""
        self.held += 1
        self.backlog_ms += cost_ms


class Candidate(Protocol):
    """A pending task as the scheduler sees it."""

    @property
    def barred(self) -> tuple[str, ...]:
        """Devices that may not have it."""


Known: TypeAlias = dict[int, tuple[Worker, cost.Rates | None]]
"""A job's rates by the identity of a class of devices, which is held so that no other has it."""


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
    left: int = 0
    """Number of pending tasks; 0: nobody looks ahead for them."""
    typical: tuple[int, int] = (1, 0)
    """Items and shots of a usual task."""
    known: Known | None = None
    """Where rates are kept from one scheduling to the next."""


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
    needed = requirement.bytes_on(announcement)
    if needed > announcement.task_memory_bytes:
        return (
            f"{needed / 2**20:,.0f} MiB are over its "
            f"{announcement.task_memory_bytes / 2**20:,.0f} MiB per task"
        )
    return None


def schedule(
    demands: Iterable[Demand],
    slots: Iterable[Slot],
    most: int | None = None,
    crowded: Callable[[], Sequence[Slot]] = tuple,
) -> list[Choice]:
    """Choose devices for as many pending tasks as there is room for, ``most`` at most.

    ``crowded`` names devices without room, if it matters: they get nothing, but a task that one of them
    would finish earlier may wait for it. The choices come in the order of the decisions.
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
        queues = [_Queue(demand, roomy) for demand in level]
        choices.extend(itertools.islice(_level(_look_ahead(queues, roomy, crowded)), left))
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


def _look_ahead(
    queues: list["_Queue"], roomy: Sequence[Slot], crowded: Callable[[], Sequence[Slot]]
) -> list["_Queue"]:
    """Tell the queues by when all their tasks can be done, where tasks or ways are long enough to care.

    Returns them in the order of their turns: those first whose tasks fill much of the time that is left.
    """
    far = any(slot.reach_ms > horizon.WORTH_MS for slot in roomy)
    looking = [queue for queue in queues if queue.left and (far or queue.longest_ms > horizon.WORTH_MS)]
    if not looking:
        return queues
    everyone = [*crowded(), *roomy]
    counts = [queue.left for queue in looking]
    costs = {id(slot.able): [queue.typical_ms(slot.able) for queue in looking] for slot in everyone}
    least = [
        min((each for each in across if each is not None), default=0.0)
        for across in zip(*costs.values(), strict=True)
    ]
    speeds = {key: horizon.relative_speed(each, least, counts) for key, each in costs.items()}
    work_ms = sum(count * each for count, each in zip(counts, least, strict=True))
    hands = [horizon.Hands(slot.wait_ms, slot.workers, speeds[id(slot.able)]) for slot in everyone]
    end_ms = horizon.horizon_ms(hands, work_ms)
    for queue in looking:
        queue.look_ahead(end_ms, everyone[:_MOST_COMPARED])
    urgent = sorted((-each, index) for index, each in enumerate(least) if each > horizon.URGENT * end_ms)
    first = [looking[index] for _, index in urgent]
    return [*first, *(queue for queue in queues if queue not in first)]


class _Queue:
    """One job's pending tasks and the devices open to them, soonest free first."""

    __slots__ = ("_compared", "_demand", "_end_ms", "_heap", "_known", "_tasks")

    def __init__(self, demand: Demand, slots: Iterable[Slot]) -> None:
        self._demand = demand
        self._tasks = iter(demand.pending)
        self._known: Known = {} if demand.known is None else demand.known
        self._heap: list[tuple[float, int, Slot]] = []
        self._end_ms = math.inf
        self._compared: Sequence[Slot] = ()
        for index, slot in enumerate(slots):
            if self._rates(slot.able) is not None:
                self._heap.append((self._finish(slot), index, slot))
        heapq.heapify(self._heap)

    @property
    def left(self) -> int:
        """Tasks that wait, as far as they want to be looked ahead for."""
        return self._demand.left

    @property
    def longest_ms(self) -> float:
        """Time of a usual task where that is longest."""
        sizes = self._demand.typical
        known = (rates for _, rates in self._known.values())
        return max((rates.cost_ms(*sizes) for rates in known if rates is not None), default=0.0)

    def typical_ms(self, able: Worker) -> float | None:
        """Time of a usual task on such a device; None where the job cannot run."""
        rates = self._rates(able)
        return None if rates is None else rates.cost_ms(*self._demand.typical)

    def look_ahead(self, end_ms: float, everyone: Sequence[Slot]) -> None:
        """Leave tasks that would end after ``end_ms`` to a device that is earlier, with room or without."""
        self._end_ms = end_ms * horizon.SLACK
        self._compared = [slot for slot in everyone if self._rates(slot.able) is not None]

    def next(self) -> Choice | None:
        """Choose for the next task that any device can take; None when no more can be placed."""
        deferred = 0
        while self._heap and deferred <= _MOST_DEFERRED:
            task = next(self._tasks, None)
            if task is None:
                return None
            choice = self._place(task)
            if choice is not None:
                return choice
            deferred += self._end_ms < math.inf
        return None

    def _rates(self, able: Worker) -> cost.Rates | None:
        """Rates on such a device; None where the job cannot run."""
        found = self._known.get(id(able))
        if found is None:
            wanted, job = self._demand.requirement, self._demand.specification
            fits = lacks(wanted, able) is None
            rates = kinds.rates(job, cost.calibration_of(able, wanted.kind)) if fits else None
            found = self._known[id(able)] = (able, rates)
        return found[1]

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
                cost_ms = self._cost_ms(slot, task)
                if self._earlier_elsewhere(task, slot.wait_ms + cost_ms):
                    break
                slot.take(cost_ms)
                heapq.heapreplace(self._heap, (self._finish(slot), index, slot))
                choice = Choice(task, slot.name, cost_ms)
                break
        for entry in aside:
            heapq.heappush(self._heap, entry)
        return choice

    def _earlier_elsewhere(self, task: Candidate, finish_ms: float) -> bool:
        """Whether a device without room now is the better one to wait for."""
        return finish_ms > self._end_ms and any(
            slot.wait_ms + self._cost_ms(slot, task) < finish_ms
            for slot in self._compared
            if slot.name not in task.barred
        )

    def _cost_ms(self, slot: Slot, task: Candidate) -> float:
        rates = self._rates(slot.able)
        assert rates is not None, "only devices that can run the job are looked at"
        return rates.cost_ms(*self._demand.size(task))

    def _finish(self, slot: Slot) -> float:
        """When the device would finish a usual task of this job, if it were given one now."""
        return slot.wait_ms + (self.typical_ms(slot.able) or 0.0)


_MOST_COMPARED = 256
"""Devices that a task is compared on."""
_MOST_DEFERRED = 16
"""Tasks of a job that are looked at in vain before the next job has its turn."""


def explain(requirement: Requirement, fleet: Mapping[str, payloads.Announcement]) -> list[str]:
    """Say of each device why it cannot run a job."""
    reasons = ((name, lacks(requirement, announcement)) for name, announcement in sorted(fleet.items()))
    return [f"{name}: {reason}" for name, reason in reasons if reason is not None]
