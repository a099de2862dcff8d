"""What a pool of local workers and a cluster share: tasks are taken, wait in one queue, and end once."""

import abc
import asyncio
import heapq
import itertools
from collections.abc import Callable, Sequence

from qfleet_agent.workers import events, news, placement
from qfleet_agent.workers.errors import DuplicateTask, PoolClosed
from qfleet_agent.workers.events import TaskKey
from qfleet_agent.workers.worker import Assignment


class Intake(abc.ABC):
    """The queue, and the door to it. All methods are called in the event loop's thread."""

    def __init__(self, tell: Callable[[Sequence[events.Event]], None]) -> None:
        """``tell`` is called in the loop with what happened since its last call, in order."""
        self._news = news.News(tell)
        self._queue: list[Assignment] = []
        self._held: dict[TaskKey, Assignment] = {}
        self._numbers = itertools.count(1)
        self._scheduled = self._closed = False

    def submit(
        self, key: TaskKey, work: bytes, *, memory_bytes: int, time_limit_s: float, priority: int = 0
    ) -> None:
        """Queue an encoded ``workload.Work``; higher priorities run first, equals in order.

        ``memory_bytes`` bounds what the task may use beside the engine, ``time_limit_s`` how long it may
        run; the clock starts when a worker has it.

        Raises:
            DuplicateTask: the key is queued or running.
            PoolClosed: after ``close``.
        """
        if self._closed:
            raise PoolClosed(f"task {key} came after the workers were closed")
        if key in self._held:
            raise DuplicateTask(f"task {key} is queued or running already")
        work = bytes(work)
        light = placement.is_light(work)
        one = Assignment(next(self._numbers), key, work, memory_bytes, time_limit_s, priority, light)
        self._held[key] = one
        heapq.heappush(self._queue, one)
        self._schedule()

    @abc.abstractmethod
    def cancel(self, key: TaskKey) -> bool:
        """Stop a task, wherever it is. False if the key is not queued or running."""

    async def run(self, work: bytes, *, memory_bytes: int, time_limit_s: float) -> events.Finished:
        """Run one work outside the tasks; its events are not told.

        Raises:
            WorkFailed: with the reason.
        """
        key, done = self._news.expect(next(self._numbers))
        try:
            self.submit(key, work, memory_bytes=memory_bytes, time_limit_s=time_limit_s)
            return await done
        finally:
            self._news.forget(key)
            self.cancel(key)

    @abc.abstractmethod
    def _pump(self) -> None:
        """Hand out of the queue what there is room for."""

    def _withdraw(self, one: Assignment) -> None:
        """Take back what still waits."""
        self._queue.remove(one)
        heapq.heapify(self._queue)
        self._end(one, events.Cancelled(one.key))
        self._schedule()

    def _again(self, assignments: Sequence[Assignment]) -> None:
        """Queue again what was handed out in vain; what was cancelled meanwhile ends."""
        for one in assignments:
            if one.cancelled:
                self._end(one, events.Cancelled(one.key))
            else:
                heapq.heappush(self._queue, one)

    def _end(self, one: Assignment, event: events.Event) -> None:
        self._held.pop(one.key, None)
        self._news.add(events.Cancelled(one.key) if one.cancelled else event)

    def _schedule(self) -> None:
        """Pump once after all that the loop does now, so that many submissions share one write."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        if not self._closed:
            self._pump()
            self._news.flush()

    def _forget(self) -> None:
        """Let everything go that was taken; it gets no event."""
        self._queue.clear()
        self._held.clear()
        self._news.close()
