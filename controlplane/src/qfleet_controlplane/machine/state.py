"""What the machine knows: unfinished jobs, their tasks, and the devices.

Plain objects without behaviour beyond their own bookkeeping. Everything here can be rebuilt from
the store; what cannot (whether a device has been heard since the start, which assignments it
has answered) is only ever a hint that the next inventory settles. Finished jobs are dropped.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from qfleet_controlplane.machine import tables
from qfleet_controlplane.machine.pool import Pool
from qfleet_controlplane.machine.timers import Timers
from qfleet_controlplane.planning import plan, regions, schedule, specification, trust
from qfleet_wire import api, payloads
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId

_NEVER = Millis(0)
_LATENCIES = 128

WAITS = "Waiting: "
"""How a sentence of a placement begins that says why tasks wait now; it is not kept."""


@dataclass(slots=True, eq=False)
class Task:
    """One slice of a job, and how far it got.

    ``attempt`` counts leases; ``failures`` and ``losses`` say how they ended. ``digest`` is the
    SHA-256 of the body that counted; it came from ``device`` in ``attempt``.
    """

    id: TaskId
    job: "Job"
    position: int
    status: str = "pending"
    attempt: int = 0
    device: DeviceName | None = None
    failures: int = 0
    losses: int = 0
    errors: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    digest: bytes | None = None
    progress: float = 0.0
    accepted: bool = False
    leased_at: Millis = _NEVER
    arrived: Millis = _NEVER
    """When it came from another region."""
    cost_ms: float = 0.0
    group: "Group | None" = None
    """The copies beside which it stands; None where a job has no copies."""

    @property
    def barred(self) -> tuple[str, ...]:
        """Devices that may not have it: those that refused it, and those with another copy."""
        return self.excluded if self.group is None else (*self.excluded, *self.group.engaged(self))

    @property
    def slice(self) -> plan.Slice:
        """The part of the job that this task computes."""
        return self.job.plan.slices[self.position]


class Relation(NamedTuple):
    """How two results compare: how they contradict each other, and whether equality was demanded."""

    difference: str | None
    exact: bool


@dataclass(slots=True, eq=False)
class Group:
    """The copies of one slice of a job, by position, and how the results compare that are known."""

    index: int
    tasks: dict[int, "Task"] = field(default_factory=dict)
    relations: dict[tuple[int, int], Relation] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether it was decided about."""
        return any(task.status == "succeeded" for task in self.tasks.values()) or all(
            task.status in tables.TASK_OVER for task in self.tasks.values()
        )

    @property
    def untouched(self) -> bool:
        """Whether no device has, or had answered, any of the copies."""
        return all(task.status in {"pending", "spare"} for task in self.tasks.values())

    @property
    def contradicted(self) -> bool:
        """Whether two results contradict each other."""
        return any(relation.difference is not None for relation in self.relations.values())

    @property
    def disputed(self) -> bool:
        """Whether something went wrong that another device must make good."""
        broken = any(task.status == "failed" or task.excluded for task in self.tasks.values())
        return broken or self.contradicted

    def engaged(self, besides: "Task") -> list[str]:
        """Devices that have another copy than this one, or had the last word on it."""
        return [
            task.device
            for task in self.tasks.values()
            if task is not besides and task.device is not None and task.status in _ENGAGING
        ]

    def relation(self, one: "Task", other: "Task") -> Relation | None:
        """How two results compare; None while that is not known."""
        if one.digest == other.digest:
            return _EQUAL
        return self.relations.get(_pair(one.position, other.position))

    def difference(self, one: "Task", other: "Task") -> str | None:
        """How two results contradict each other."""
        found = self.relation(one, other)
        return None if found is None else found.difference

    def exact(self, one: "Task", other: "Task") -> bool:
        """Whether two results were to be equal, and are not."""
        found = self.relation(one, other)
        return found is not None and found.exact and found.difference is not None

    def differ(self, first: int, second: int) -> bool:
        """Whether the results at two positions contradict each other."""
        return self.differ_tasks(self.tasks[first], self.tasks[second])

    def differ_tasks(self, one: "Task", other: "Task") -> bool:
        """Whether two results contradict each other."""
        return self.difference(one, other) is not None

    def note(self, first: int, second: int, relation: Relation) -> None:
        """Remember how the results at two positions compare."""
        self.relations[_pair(first, second)] = relation

    def forget(self, position: int) -> None:
        """Forget what was compared with a result that is dropped."""
        self.relations = {pair: found for pair, found in self.relations.items() if position not in pair}


_EQUAL = Relation(None, exact=True)
_ENGAGING = tables.TASK_HELD | tables.TASK_STORED | {"failed"}


def _pair(first: int, second: int) -> tuple[int, int]:
    return (first, second) if first < second else (second, first)


@dataclass(slots=True, eq=False)
class Job:
    """A job with its tasks, in the order of its plan's slices."""

    id: JobId
    request: api.JobRequest
    specification: specification.Specification
    plan: plan.Plan
    created: Millis
    status: str = "planned"
    finished: Millis | None = None
    deadline: Millis | None = None
    tasks: list[Task] = field(default_factory=list)
    pending: deque[Task] = field(default_factory=deque)
    counts: dict[str, int] = field(default_factory=dict)
    devices: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    placement: list[str] = field(default_factory=list)
    """Sentences that say which region got how many tasks, and why; moves included."""
    waiting: str = ""
    """Why its tasks can only wait here, while that is so."""
    task_ms: float = 0.0
    """Estimated time of one of its tasks on a typical device; 0 while that was not asked."""
    done_items: float = 0.0
    """Items of succeeded tasks plus the reported share of the others …"""
    all_items: int = 0
    """… of so many in all tasks that are here; an item that is split by shots counts for each."""
    rates: schedule.Known = field(default_factory=dict)
    """How fast classes of devices run it."""
    stranded_since: Millis | None = None
    """Since when no usable device here can run its waiting tasks."""
    groups: dict[int, Group] = field(default_factory=dict)
    """Copies by slice; empty where each task is given to one device."""

    @property
    def items(self) -> int:
        """Number of items over all slices."""
        return self.plan.items

    @property
    def achieved(self) -> int:
        """Number of slices that have their result."""
        if not self.groups:
            return self.counts.get("succeeded", 0)
        return sum(
            any(task.status == "succeeded" for task in group.tasks.values()) for group in self.groups.values()
        )

    @property
    def wanted(self) -> int:
        """Number of slices that are here."""
        return len(self.groups) if self.groups else len(self.tasks)

    @property
    def lost_after_ms(self) -> int:
        """How long an unknown task waits for its device."""
        return int(self.request.lost_after_s * 1000)


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
    kind: regions.DeviceClass | None = None
    """The class of its announcement; None while that was not looked at."""


@dataclass(slots=True, eq=False)
class Arrival:
    """A result as it came: its signed bytes, and the flush whose signature covers them."""

    result: payloads.TaskResult
    raw: bytes
    position: int
    flush: payloads.Results


@dataclass(slots=True, eq=False)
class Artefact:
    """Chunks of a large result that have come, and the result that waits for them."""

    count: int = 0
    have: set[int] = field(default_factory=set)
    arrival: Arrival | None = None
    reading: bool = False
    """Complete, and being read back from the store."""


@dataclass(slots=True, eq=False)
class State:
    """All of it. ``tasks`` indexes the tasks of ``jobs``."""

    jobs: dict[JobId, Job] = field(default_factory=dict)
    tasks: dict[TaskId, Task] = field(default_factory=dict)
    devices: dict[DeviceName, Device] = field(default_factory=dict)
    artefacts: dict[tuple[DeviceName, bytes], Artefact] = field(default_factory=dict)
    timers: Timers = field(default_factory=Timers)
    pool: Pool = field(default_factory=Pool)
    latencies: deque[int] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    """Times from an assignment to its acceptance, the latest ones."""
    excluding: dict[str, set[TaskId]] = field(default_factory=dict)
    """By device: tasks that it has refused; some may be over."""
    aside: dict[TaskId, list[tuple[DeviceName, payloads.TaskResult]]] = field(default_factory=dict)
    """Results that do not count, of open tasks: to be compared with the one that will."""
    orders: dict[int, None] = field(default_factory=dict)
    """Orders that were carried out, the latest ones."""
    elsewhere: tuple[regions.RegionFacts, ...] = ()
    """The other regions that are led, as they last described themselves."""
    began: Millis = _NEVER
    """When the machine was rebuilt: its devices take a while to come back to it."""
    now: Millis = _NEVER
    """Time of the event that is being handled."""
    kinds: dict[regions.DeviceClass, regions.DeviceClass] = field(default_factory=dict)
    """One object for each class of devices."""
    link_down_since: Millis | None = None
    """Since when the broker is not connected; None while it is, or while nobody says."""

    @property
    def link_up(self) -> bool:
        """Whether what is sent now can reach a device."""
        return self.link_down_since is None

    def kind_of(self, device: Device) -> regions.DeviceClass | None:
        """The class of a device; None for one that has not announced itself."""
        if device.kind is None and device.announcement is not None:
            kind = regions.kind_of(device.announcement)
            if kind not in self.kinds:
                self.kinds[kind] = regions.known_as(kind, self.kinds.values())
            device.kind = self.kinds[kind]
        return device.kind

    def offer(self, device: Device) -> None:
        """Note that a device may have room for tasks."""
        kind = device.kind or self.kind_of(device)
        if kind is not None:
            self.pool.offer(device.name, kind, holds=bool(device.held))

    def release(self, device: Device, task: Task) -> None:
        """Strike a task from a device's books; one that is not there is left alone."""
        if device.held.pop(task.id, None) is None:
            return
        if not task.accepted:
            device.unanswered -= 1
        device.backlog_ms = max(0.0, device.backlog_ms - task.cost_ms) if device.held else 0.0
        device.since = self.now
        self.offer(device)

    def enqueue(self, task: Task, *, first: bool = False) -> None:
        """Let a pending task wait for a device, before or after the others of its job."""
        if first:
            task.job.pending.appendleft(task)
        else:
            task.job.pending.append(task)
        self.pool.changed = True

    def add(self, job: Job) -> None:
        """Take a job and its tasks in, and put its books in order."""
        self.jobs[job.id] = job
        tasks, job.tasks = job.tasks, []
        job.counts, job.pending, job.done_items, job.all_items = {}, deque(), 0.0, 0
        job.groups = {}
        self.extend(job, tasks)

    def extend(self, job: Job, tasks: Iterable[Task]) -> None:
        """Take further tasks of a known job in."""
        for task in tasks:
            job.tasks.append(task)
            job.counts[task.status] = job.counts.get(task.status, 0) + 1
            items = task.slice.items
            job.all_items += items if _wanted(task) else 0
            job.done_items += task.progress * items
            self.tasks[task.id] = task
            _join(job, task)
            for name in task.excluded:
                self.excluding.setdefault(name, set()).add(task.id)
            if task.status in tables.TASK_HELD:
                self._give_back(task)
            if task.status == "pending":
                self.enqueue(task)

    def _give_back(self, task: Task) -> None:
        """Enter a loaded task in the books of its device, if that is still one of this region."""
        device = None if task.device is None else self.devices.get(task.device)
        if device is None:
            move(task, "lose")
        else:
            hold(device, task)

    def part(self, job: Job, tasks: Collection[Task]) -> None:
        """Forget pending tasks of a job that are another region's."""
        gone = {task.position for task in tasks}
        job.tasks = [task for task in job.tasks if task.position not in gone]
        job.pending = deque(task for task in job.pending if task.position not in gone)
        for task in tasks:
            job.counts[task.status] -= 1
            job.all_items -= task.slice.items if _wanted(task) else 0
            job.done_items -= task.progress * task.slice.items
            self._forget(task)
            if task.group is not None:
                job.groups.pop(task.group.index, None)

    def call(self, task: Task) -> None:
        """Let a spare copy wait for a device."""
        move(task, "call")
        task.job.all_items += task.slice.items
        self.enqueue(task, first=True)

    def drop(self, job: Job) -> None:
        """Forget a finished job."""
        del self.jobs[job.id]
        for task in job.tasks:
            self._forget(task)

    def exclude(self, task: Task, device: DeviceName) -> None:
        """Note that a device has refused a task."""
        task.excluded = (*task.excluded, device)
        self.excluding.setdefault(device, set()).add(task.id)

    def readmit(self, device: DeviceName) -> list[Task]:
        """Forget what a device has refused, and return those of the tasks that are not over."""
        ids = self.excluding.pop(device, set())
        self.pool.changed = True
        known = (self.tasks.get(task_id) for task_id in sorted(ids))
        again = [task for task in known if task is not None and task.status not in tables.TASK_OVER]
        for task in again:
            task.excluded = tuple(name for name in task.excluded if name != device)
        return again

    def _forget(self, task: Task) -> None:
        del self.tasks[task.id]
        self.aside.pop(task.id, None)
        for name in task.excluded:
            tasks = self.excluding.get(name)
            if tasks is not None:
                tasks.discard(task.id)


def lasting(placement: Iterable[str]) -> list[str]:
    """A stored placement without what was true only when it was stored."""
    return [sentence for sentence in placement if not sentence.startswith(WAITS)]


def task_id(job: JobId, position: int) -> TaskId:
    """The id of the task at a position of a job's plan."""
    return TaskId(f"{job}-{position}")


def planned(job: Job, positions: Iterable[int]) -> list[Task]:
    """New tasks of a job; of the copies of a slice as many wait as must agree, the others are spare."""
    kept = job.specification
    return [
        Task(
            task_id(job.id, position),
            job,
            position,
            "pending" if position % kept.copies < kept.agree else "spare",
        )
        for position in positions
    ]


def _join(job: Job, task: Task) -> None:
    """Let a copy stand beside the others of its slice."""
    copies = job.specification.copies
    if copies > 1:
        index = task.position // copies
        group = job.groups.get(index)
        if group is None:
            group = job.groups[index] = Group(index)
        group.tasks[task.position] = task
        task.group = group


def _wanted(task: Task) -> bool:
    """Whether a task counts towards its job's progress: a copy that was never needed does not."""
    return task.status != "spare" and not (task.status == "dismissed" and task.progress == 0.0)


def move(task: Task, action: str) -> None:
    """Take one step of the task's table and keep its job's counts."""
    before = task.status
    task.status = tables.step(tables.TASK, before, action)
    counts = task.job.counts
    counts[before] -= 1
    counts[task.status] = counts.get(task.status, 0) + 1


def hold(device: Device, task: Task) -> None:
    """Enter a task in a device's books."""
    if not device.held:
        device.since = task.leased_at
    device.held[task.id] = task
    device.backlog_ms += task.cost_ms
    task.device = device.name
    if not task.accepted:
        device.unanswered += 1


def answer(device: Device, task: Task) -> None:
    """Note that the device has answered the assignment of a task it holds."""
    if not task.accepted:
        task.accepted = True
        device.unanswered -= 1


def advance(task: Task, fraction: float) -> None:
    """Set a task's share that is done, and its job's sum with it."""
    task.job.done_items += (fraction - task.progress) * task.slice.items
    task.progress = fraction
