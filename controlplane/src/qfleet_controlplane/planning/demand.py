"""What waits, where there is room, and what is decided: devices and jobs as the scheduler sees them."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, TypeAlias

from qfleet_controlplane.planning import cost
from qfleet_controlplane.planning.needs import Requirement, Worker
from qfleet_controlplane.planning.specification import Specification

BACKLOG_MS = 2_000.0
"""Estimated work that a worker may have in hand before its device is full."""
MOST_TASKS_PER_WORKER = 64


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
