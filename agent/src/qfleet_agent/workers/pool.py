"""The parent's side of the worker processes: hands out tasks, enforces limits, replaces what dies.

Runs in the agent's event loop and never blocks it. It imports no engine, and trusts nothing
that a worker says beyond the shape of its frames.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from qfleet_agent.workers import events
from qfleet_agent.workers.events import TaskKey


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How many workers there are and what each may use."""

    workers: int
    threads: int = 1
    """Threads of an engine in one worker (``OMP_NUM_THREADS``); answers are bit-equal only for one number."""
    memory_bytes: int
    """Most that one worker may use, engines included; a task's own limit lies below it."""
    tasks_per_child: int = 10_000
    """Tasks after which a worker is replaced."""
    growth_bytes: int = 256 * 1024 * 1024
    """Resident memory beyond that of a fresh worker at which an idle worker is replaced."""
    cgroup: Path | None = None
    """Delegated cgroup v2 folder to place workers in; None leaves them where the agent is."""


class Pool:
    """Worker processes with one queue. All methods are called in the event loop's thread."""

    def __init__(self, settings: Settings, tell: Callable[[Sequence[events.Event]], None]) -> None:
        """``tell`` is called in the loop with what happened since its last call, in order."""

    async def start(self) -> None:
        """Start the workers and wait until each has said that it is ready (imports done)."""

    def submit(
        self, key: TaskKey, work: bytes, *, memory_bytes: int, time_limit_s: float, priority: int = 0
    ) -> None:
        """Queue an encoded ``workload.Work``; higher priorities run first, equals in order.

        ``memory_bytes`` and ``time_limit_s`` bound this task; the clock starts when a worker has it.

        Raises:
            DuplicateTask: the key is queued or running.
            PoolClosed: after ``close``.
        """

    def cancel(self, key: TaskKey) -> bool:
        """Stop a task (its worker is killed if it runs). False if the key is not queued or running."""

    async def run(self, work: bytes, *, memory_bytes: int, time_limit_s: float) -> events.Finished:
        """Run one work outside the tasks; its events are not told.

        Raises:
            WorkFailed: with the reason.
        """

    @property
    def running(self) -> int:
        """Tasks that workers have."""

    @property
    def queued(self) -> int:
        """Tasks that wait for a worker."""

    async def close(self) -> None:
        """Stop taking tasks, kill the workers and reap them; unfinished tasks get no event."""
