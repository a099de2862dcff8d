"""Hands tasks to worker processes, which it starts with the first task and lets go when idle.

An agent that has nothing to do has no children and no engine in memory. Where a cluster runs the tasks,
its bridge takes the place of the workers and stays.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from qfleet_agent.machine import effects
from qfleet_agent.machine import events as machine_events
from qfleet_agent.machine.events import Key
from qfleet_agent.workers import events
from qfleet_agent.workers.events import TaskKey
from qfleet_wire.limits import LIMITS
from qfleet_wire.payloads import Calibration, Engine

IDLE_S = 300.0
"""How long workers are kept without a task."""

log = logging.getLogger(__name__)


class Workers(Protocol):
    """Where tasks run: ``pool.Pool`` or ``cluster.Cluster``, which say what each method does."""

    @property
    def running(self) -> int: ...  # noqa: D102 - see the classes

    async def start(self) -> None: ...  # noqa: D102

    def submit(  # noqa: D102
        self, key: TaskKey, work: bytes, *, memory_bytes: int, time_limit_s: float, priority: int = 0
    ) -> None: ...

    def cancel(self, key: TaskKey) -> bool: ...  # noqa: D102

    async def run(self, work: bytes, *, memory_bytes: int, time_limit_s: float) -> events.Finished: ...  # noqa: D102

    async def close(self) -> None: ...  # noqa: D102


Make: TypeAlias = Callable[[Callable[[Sequence[events.Event]], None]], Workers]
"""Makes the workers, which tell the argument what happens."""


class Executor:
    """The workers, made when they are needed. All methods are called in the event loop."""

    def __init__(
        self,
        make: Make,
        tell: Callable[[machine_events.Event], None],
        number: Callable[[], int],
        *,
        stays: bool = False,
    ) -> None:
        """``stays``: the workers are kept when there is nothing to do."""
        self._make = make
        self._stays = stays
        self._tell = tell
        self._number = number
        self._pool: Workers | None = None
        self._waiting: dict[Key, effects.Start] = {}
        self._held: set[Key] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._opening: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def running(self) -> int:
        """Tasks that workers have now."""
        return 0 if self._pool is None else self._pool.running

    def start(self, wanted: effects.Start) -> None:
        """Run a task; what comes of it is told."""
        if self._closed:
            return
        self._held.add(wanted.key)
        self._keep()
        if self._pool is None:
            self._waiting[wanted.key] = wanted
            self._open()
        else:
            _submit(self._pool, wanted)

    def stop(self, key: Key) -> None:
        """End a task, whether it runs or waits; nothing more is told of it."""
        self._held.discard(key)
        if self._waiting.pop(key, None) is None and self._pool is not None:
            self._pool.cancel(key)
        self._release()

    def open(self) -> None:
        """Make the workers now, without a task."""
        self._open()

    async def calibrate(self, engines: Sequence[Engine], memory_bytes: int) -> tuple[Calibration, ...]:
        """Measure these engines in a worker, with so much memory at most."""
        # Needed once in the life of an installation: not in the memory of every other day.
        from qfleet_agent.workers import calibration  # noqa: PLC0415  # see above

        self._keep()
        self._open()
        assert self._opening is not None
        await asyncio.shield(self._opening)
        try:
            if self._pool is None:
                return ()
            return await calibration.calibrate(self._pool, engines, memory_bytes=memory_bytes)
        finally:
            self._release()

    async def close(self) -> None:
        """Kill the workers; unfinished tasks stay journalled."""
        self._closed = True
        self._keep()
        for task in [*self._background, *([self._opening] if self._opening else [])]:
            task.cancel()
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    def _open(self) -> None:
        if self._opening is None or (self._opening.done() and self._pool is None):
            self._opening = asyncio.create_task(self._start_pool())

    async def _start_pool(self) -> None:
        opened = self._make(self._told)
        try:
            await opened.start()
        except Exception as error:  # noqa: BLE001  # whatever it is, the tasks must be answered
            log.error("The workers do not start: %s", error, extra={"action": "workers-failed"})  # noqa: TRY400
            await opened.close()
            self._fail_waiting(f"the workers do not start: {error}")
            return
        except asyncio.CancelledError:
            await opened.close()
            raise
        self._pool = opened
        waiting, self._waiting = self._waiting, {}
        for wanted in waiting.values():
            _submit(opened, wanted)

    def _fail_waiting(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for key in waiting:
            self._held.discard(key)
            self._tell(machine_events.WorkFailed(self._number(), key, reason))

    def _told(self, happened: Sequence[events.Event]) -> None:
        for one in happened:
            key: Key = one.key  # type: ignore[assignment]  # the workers' plain strings
            match one:
                case events.Started():
                    self._tell(machine_events.WorkStarted(self._number(), key))
                case events.Progress():
                    self._tell(machine_events.WorkProgressed(self._number(), key, one.fraction))
                case events.Finished():
                    self._held.discard(key)
                    self._finished(one, key)
                case events.Failed():
                    self._held.discard(key)
                    self._tell(machine_events.WorkFailed(self._number(), key, one.reason))
                case events.Cancelled():
                    self._held.discard(key)
        self._release()

    def _finished(self, one: events.Finished, key: Key) -> None:
        if len(one.body) <= LIMITS.chunk_bytes:
            self._tell(self._result(one, key, None))
            return
        task = asyncio.create_task(self._digest(one, key))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _digest(self, one: events.Finished, key: Key) -> None:
        # A state vector takes a second to hash: not in the loop.
        digest = await asyncio.to_thread(lambda: hashlib.sha256(one.body).digest())
        self._tell(self._result(one, key, digest))

    def _result(self, one: events.Finished, key: Key, digest: bytes | None) -> machine_events.WorkFinished:
        return machine_events.WorkFinished(
            self._number(),
            key,
            body=one.body,
            engine=one.engine,
            engine_version=one.engine_version,
            seed=one.seed,
            duration_ms=one.duration_ms,
            digest=digest,
        )

    def _keep(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _release(self) -> None:
        if self._stays or self._held or self._closed or self._pool is None or self._idle is not None:
            return
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._let_go)

    def _let_go(self) -> None:
        self._idle = None
        if self._held or self._pool is None:
            return
        leaving, self._pool, self._opening = self._pool, None, None
        task = asyncio.create_task(leaving.close())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _submit(opened: Workers, wanted: effects.Start) -> None:
    opened.submit(
        wanted.key,
        wanted.work,
        memory_bytes=wanted.memory_bytes,
        time_limit_s=wanted.time_limit_ms / 1000,
        priority=wanted.priority,
    )
