"""Jobs and tasks as the machine knows them: how far each got, and what copies of a task say of each other.

Plain objects without behaviour beyond their own bookkeeping.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from qfleet_controlplane.machine import tables
from qfleet_controlplane.planning import demand, plan, specification
from qfleet_wire import api
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId

_NEVER = Millis(0)


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
    rates: demand.Known = field(default_factory=dict)
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
