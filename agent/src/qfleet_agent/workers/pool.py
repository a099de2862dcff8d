"""The agent's side of the worker processes: hands out tasks, enforces limits, replaces what dies.

Runs in the agent's event loop and never blocks it. It imports no engine, and trusts nothing
that a worker says beyond the shape of its frames.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from qfleet_agent.workers import cgroup, events, frames, placement
from qfleet_agent.workers.errors import WorkersUnavailable
from qfleet_agent.workers.events import TaskKey
from qfleet_agent.workers.intake import Intake
from qfleet_agent.workers.worker import Assignment, Worker

START_S = 60.0
"""Within this a worker imports its engines, on the slowest device."""
BACKOFF_S = (0.0, 0.1, 0.5, 2.0, 10.0, 30.0)
"""Wait before a dead worker is replaced, by number of deaths without a finished task between."""
_MEASURE_EVERY = 64
_GROUP_BASE_BYTES = 256 * 1024 * 1024
"""Allowed to a worker's control group beside its tasks: interpreter, engines, file pages."""

log = logging.getLogger(__name__)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How many workers there are and what each may use."""

    workers: int
    threads: int = 1
    """Threads of an engine in one worker (``OMP_NUM_THREADS``); answers are bit-equal only for one number."""
    memory_bytes: int
    """Most that one worker may use beside its engines; a task's own limit lies below it."""
    tasks_per_child: int = 10_000
    """Tasks that take time after which a worker is replaced."""
    growth_bytes: int = 256 * 1024 * 1024
    """Resident memory beyond that of a fresh worker at which an idle worker is replaced."""
    cgroup: Path | None = None
    """Delegated cgroup v2 folder to place workers in (``cgroup.find()``); None leaves them with the agent."""


class Pool(Intake):
    """Worker processes with one queue. All methods are called in the event loop's thread."""

    def __init__(self, settings: Settings, tell: Callable[[Sequence[events.Event]], None]) -> None:
        """``tell`` is called in the loop with what happened since its last call, in order."""
        super().__init__(tell)
        self._settings = settings
        self._workers: list[Worker] = []
        self._names = itertools.count(1)
        self._deaths = 0
        self._grouped = False
        self._timers: set[asyncio.TimerHandle] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._ready: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Start the workers and wait until each has said that it is ready (imports done).

        Raises:
            WorkersUnavailable: a worker ended before it was ready, or took too long.
        """
        group = self._settings.cgroup
        self._grouped = group is not None and cgroup.prepare(group)
        self._ready = asyncio.get_running_loop().create_future()
        for _ in range(self._settings.workers):
            self._add()
        try:
            await asyncio.wait_for(self._ready, START_S)
        except TimeoutError as error:
            raise WorkersUnavailable(f"no worker was ready after {START_S:.0f} s") from error
        finally:
            self._ready = None

    def cancel(self, key: TaskKey) -> bool:
        """Stop a task (its worker is killed if it runs). False if the key is not queued or running."""
        one = self._held.get(key)
        if one is None:
            return False
        one.cancelled = True
        for worker in self._workers:
            if worker.line and worker.line[0] is one and not one.light:
                worker.kill("cancelled")
                return True
        if not any(one in worker.line for worker in self._workers):
            self._withdraw(one)
        return True

    @property
    def running(self) -> int:
        """Tasks that workers have."""
        return sum(len(worker.line) for worker in self._workers)

    @property
    def queued(self) -> int:
        """Tasks that wait for a worker."""
        return len(self._queue)

    @property
    def processes(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return tuple(worker.pid for worker in self._workers)

    async def close(self) -> None:
        """Stop taking tasks, kill the workers and reap them; unfinished tasks get no event."""
        self._closed = True
        for timer in self._timers:
            timer.cancel()
        for task in self._connecting:
            task.cancel()
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.abandon()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        self._forget()
        await asyncio.sleep(0)

    # ── what workers tell ───────────────────────────────────────────────────────────────────

    def answered(self, worker: Worker, answers: Sequence[frames.Answer]) -> None:
        """Turn a worker's frames into events and give it more to do."""
        for answer in answers:
            if isinstance(answer, frames.Ready):
                self._welcome()
            elif not worker.line or worker.line[0].number != answer.number:
                worker.kill("worker answered for a task that it does not run")
                break
            else:
                self._note(worker, answer)
        self._replace_worn(worker)
        self._pump()
        self._news.flush()

    def overdue(self, worker: Worker) -> None:
        """Kill a worker whose task has run too long."""
        worker.kill("time")

    def ended(self, worker: Worker) -> None:
        """Blame the head of the line, queue the rest again, start another worker."""
        if self._closed:
            return
        self._workers.remove(worker)
        if worker.line and (worker.verdict is None or worker.line[0] is worker.victim):
            head = worker.line.popleft()
            self._end(head, placement.obituary(worker, head))
        self._requeue(worker)
        if worker.verdict is None and not worker.retiring:
            log.warning("A worker ended: %s", worker.death(), extra={"action": "worker-died"})
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(WorkersUnavailable(worker.death()))
        self._replace(worker)
        self._news.flush()

    # ── inside ──────────────────────────────────────────────────────────────────────────────

    def _note(
        self, worker: Worker, answer: frames.Begun | frames.Share | frames.Done | frames.Broken
    ) -> None:
        key = worker.line[0].key
        match answer:
            case frames.Begun():
                self._news.add(events.Started(key))
            case frames.Share():
                self._news.add(events.Progress(key, answer.fraction))
            case frames.Done():
                self._deaths = 0
                self._end(
                    worker.finish_head(),
                    events.Finished(
                        key, answer.body, answer.engine, answer.version, answer.seed, answer.duration_ms
                    ),
                )
            case frames.Broken():
                self._end(worker.finish_head(), events.Failed(key, answer.kind, answer.reason))
        if worker.line and worker.line[0].cancelled and not worker.line[0].light:
            worker.kill("cancelled")

    def _pump(self) -> None:
        given: dict[Worker, list[Assignment]] = {}
        free = [
            worker
            for worker in self._workers
            if worker.ready and worker.verdict is None and not worker.retiring
        ]
        while self._queue and free:
            worker = min(free, key=lambda one: len(one.line) + len(given.get(one, ())))
            alone = len(self._workers) == 1
            if not placement.takes(worker, given.get(worker, ()), self._queue[0], alone=alone):
                break
            given.setdefault(worker, []).append(heapq.heappop(self._queue))
        for worker, assignments in given.items():
            worker.give(assignments)

    def _welcome(self) -> None:
        if (
            self._ready is not None
            and not self._ready.done()
            and all(worker.ready for worker in self._workers)
        ):
            self._ready.set_result(None)

    def _add(self) -> None:
        settings, name = self._settings, f"worker-{next(self._names)}"
        group = None
        if self._grouped and settings.cgroup is not None:
            group = cgroup.Group(settings.cgroup, name, settings.memory_bytes + _GROUP_BASE_BYTES)
        worker = Worker(self, threads=settings.threads, memory_bytes=settings.memory_bytes, group=group)
        self._workers.append(worker)
        task = asyncio.get_running_loop().create_task(worker.connect())
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _replace(self, worker: Worker) -> None:
        if worker.verdict is None and not worker.retiring:
            self._deaths += 1
        wait = BACKOFF_S[min(self._deaths, len(BACKOFF_S) - 1)]

        def start() -> None:
            self._timers.discard(timer)
            try:
                self._add()
            except OSError as error:
                self._deaths += 1
                log.error("No worker can be started: %s", error, extra={"action": "worker-failed"})  # noqa: TRY400 - the cause is the message
                self._replace(worker)

        timer = asyncio.get_running_loop().call_later(wait, start)
        self._timers.add(timer)

    def _replace_worn(self, worker: Worker) -> None:
        if worker.line or worker.retiring or worker.verdict is not None or worker.tasks_done == 0:
            return
        grown = (
            worker.tasks_done % _MEASURE_EVERY == 0 and worker.resident_growth() > self._settings.growth_bytes
        )
        if grown or worker.tasks_done >= self._settings.tasks_per_child:
            log.info(
                "A worker is replaced after %d tasks", worker.tasks_done, extra={"action": "worker-replaced"}
            )
            worker.retire()

    def _requeue(self, worker: Worker) -> None:
        self._again(worker.line)
        worker.line.clear()
