"""What the machine knows: unfinished jobs, their tasks, and the devices.

Plain objects without behaviour beyond their own bookkeeping. Everything here can be rebuilt from
the store; what cannot (whether a device has been heard since the start, which assignments it
has answered) is only ever a hint that the next inventory settles. Finished jobs are dropped.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from qfleet_controlplane.machine import tables
from qfleet_controlplane.machine.holders import Arrival, Artefact, ContactPlan, Device
from qfleet_controlplane.machine.pool import Pool
from qfleet_controlplane.machine.tasks import Group, Job, Relation, Task
from qfleet_controlplane.machine.timers import Timers
from qfleet_controlplane.planning import regions
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId

_NEVER = Millis(0)
_LATENCIES = 128

WAITS = "Waiting: "
"""How a sentence of a placement begins that says why tasks wait now; it is not kept."""


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
    contacts: ContactPlan | None = None
    """When devices are in contact; None: no network is loaded, or nobody has said yet."""
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


__all__ = [
    "WAITS", "Arrival", "Artefact", "ContactPlan", "Device", "Group", "Job", "Relation", "State", "Task",
    "advance", "answer", "hold", "lasting", "move", "planned", "task_id",
]  # fmt: skip
