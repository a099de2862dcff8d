"""The agent's side of a Dask cluster: the same calls as the pool of local workers, over one bridge process.

It holds every task until it has ended. A bridge that ends, because its scheduler has gone or
otherwise, is replaced, and gets again what was in flight: a task gives the same answer however often
it runs. It imports neither Dask nor an engine, and trusts only the shape of the bridge's frames.
"""

import asyncio
import heapq
import logging
from collections.abc import Callable, Sequence

from qfleet_agent.workers import events, frames
from qfleet_agent.workers.bridge import Bridge
from qfleet_agent.workers.bridge_frames import Connect, Drop, Dropped, Give, Site, Trouble, Up
from qfleet_agent.workers.events import TaskKey
from qfleet_agent.workers.intake import Intake
from qfleet_agent.workers.worker import Assignment

RESTART_S = (0.2, 1.0, 5.0, 15.0, 30.0)
"""Wait before an ended bridge is replaced, by number of ends without a cluster between."""
AHEAD = 2
"""Tasks per thread that the cluster is given, so that none waits for the way there."""

log = logging.getLogger(__name__)


class Cluster(Intake):
    """One cluster. All methods are called in the event loop's thread."""

    def __init__(
        self,
        connect: Connect,
        tell: Callable[[Sequence[events.Event]], None],
        follow: Callable[[Site | Trouble], None],
    ) -> None:
        """``tell`` is called with what happened; ``follow`` with what the cluster is, when that changes."""
        super().__init__(tell)
        self._connect, self._follow = connect, follow
        self._bridge: Bridge | None = None
        self._site: Site | None = None
        self._given: dict[int, Assignment] = {}
        self._ends = 0
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Start the bridge; returns at once, whether there is a cluster or not."""
        self._begin()

    def cancel(self, key: TaskKey) -> bool:
        """Stop a task, wherever it is. False if the key is not queued or running."""
        one = self._held.get(key)
        if one is None:
            return False
        one.cancelled = True
        if one.number in self._given:
            assert self._bridge is not None, "what is given is given to a bridge"
            self._bridge.send(Drop(one.number))
        else:
            self._withdraw(one)
        return True

    @property
    def running(self) -> int:
        """Tasks that the cluster has."""
        return min(len(self._given), 0 if self._site is None else self._site.threads)

    @property
    def processes(self) -> tuple[int, ...]:
        """Process id of the bridge."""
        return () if self._bridge is None else (self._bridge.pid,)

    async def close(self) -> None:
        """Let the cluster go; unfinished tasks get no event, and end there with the bridge."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._bridge is not None:
            self._bridge.abandon()
            self._bridge = None
        self._given.clear()
        self._forget()
        await asyncio.sleep(0)

    # ── what the bridge tells ───────────────────────────────────────────────────────────────

    def answered(self, heard: Sequence[Up]) -> None:
        """Turn the bridge's frames into events, and give it more to do."""
        for frame in heard:
            match frame:
                case Site():
                    self._ends = 0
                    self._site = frame
                    self._follow(frame)
                case Trouble():
                    self._lose(frame)
                case _:
                    self._note(frame)
        self._pump()
        self._news.flush()

    def ended(self, reason: str) -> None:
        """The bridge has ended: keep what it had, and start another."""
        if self._closed:
            return
        self._bridge = None
        if self._site is not None:
            self._lose(Trouble(reason))
        given, self._given = list(self._given.values()), {}
        self._again(given)
        self._news.flush()
        self._begin_later()

    # ── inside ──────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        self._timer = None
        try:
            self._bridge = Bridge(self)
        except OSError as error:
            log.error("The bridge cannot be started: %s", error, extra={"action": "bridge-failed"})  # noqa: TRY400 - the cause is the message
            self._begin_later()
        else:
            self._bridge.send(self._connect)

    def _begin_later(self) -> None:
        wait = RESTART_S[min(self._ends, len(RESTART_S) - 1)]
        self._ends += 1
        self._timer = asyncio.get_running_loop().call_later(wait, self._begin)

    def _lose(self, trouble: Trouble) -> None:
        self._site = None
        self._follow(trouble)

    def _note(
        self, frame: Dropped | frames.Begun | frames.Share | frames.Done | frames.Broken | frames.Ready
    ) -> None:
        one = None if isinstance(frame, frames.Ready) else self._given.get(frame.number)
        if one is None:
            return  # it was dropped when this was on its way
        match frame:
            case frames.Begun():
                self._news.add(events.Started(one.key))
            case frames.Share():
                self._news.add(events.Progress(one.key, frame.fraction))
            case frames.Done():
                done = (frame.body, frame.engine, frame.version, frame.seed, frame.duration_ms)
                self._end(one, events.Finished(one.key, *done))
            case frames.Broken():
                self._end(one, events.Failed(one.key, frame.kind, frame.reason))
            case Dropped():
                self._end(one, events.Cancelled(one.key))

    def _end(self, one: Assignment, event: events.Event) -> None:
        self._given.pop(one.number, None)
        super()._end(one, event)

    def _pump(self) -> None:
        if self._bridge is None or self._site is None:
            return
        room = self._site.threads * AHEAD - len(self._given)
        while self._queue and room > 0:
            one = heapq.heappop(self._queue)
            self._given[one.number] = one
            self._bridge.send(
                Give(one.number, one.work, one.memory_bytes, one.time_limit_s, one.priority, one.light)
            )
            room -= 1
