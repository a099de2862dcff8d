"""What the agent runs on the workers of a Dask cluster: tasks, a way to stop them, and a question.

Imported there, by the environment of the workers, which therefore needs ``qfleet-agent[circuits]``.
A task is bytes and numbers; nothing of the fleet is ever here.
"""

import contextlib
import importlib.metadata
import platform
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from qfleet_agent.engines import registry
from qfleet_agent.workers import frames, site
from qfleet_agent.workers.errors import WorkersUnavailable
from qfleet_agent.workers.seat import Seat
from qfleet_wire import codec

IDLE_S = 300.0
"""How long the process of a seat is kept without a task."""
_STOPPED_KEPT = 4096
_REPORT_EVERY_S = 1.0


class Order(msgspec.Struct, frozen=True, array_like=True):
    """How a task is to be run. ``topic`` and ``number`` name it among all tasks of the cluster."""

    topic: str
    number: int
    memory_bytes: int
    time_limit_s: float
    light: bool


class Seats:
    """The seats of one worker process of the cluster. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[float, Seat]] = []
        self._busy: dict[tuple[str, int], Seat | None] = {}
        self._stopped: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._sweeper: threading.Timer | None = None

    @contextlib.contextmanager
    def taken(self, task: tuple[str, int], memory_bytes: int) -> Iterator[Seat | None]:
        """A seat for a task; None when the task was stopped before."""
        with self._lock:
            stopped = task in self._stopped
            if not stopped:
                self._busy[task] = None
        if stopped:
            yield None
            return
        try:
            seat = self._seat(memory_bytes)
            with self._lock:
                self._busy[task] = seat
                stopped = task in self._stopped
            try:
                yield None if stopped else seat
            finally:
                self._leave(seat)
        finally:
            with self._lock:
                self._busy.pop(task, None)

    def stop(self, task: tuple[str, int]) -> None:
        """End a task, or see that it never begins here."""
        with self._lock:
            self._stopped[task] = None
            if len(self._stopped) > _STOPPED_KEPT:
                self._stopped.popitem(last=False)
            seat = self._busy.get(task)
        if seat is not None:
            seat.kill("crash", "cancelled")

    def sweep(self, now: float) -> None:
        """Let seats go that nobody has used for long."""
        with self._lock:
            self._sweeper = None
            old = [seat for since, seat in self._idle if now - since >= IDLE_S]
            self._idle = [entry for entry in self._idle if now - entry[0] < IDLE_S]
            if self._idle:
                self._sweep_later()
        for seat in old:
            seat.close()

    def _seat(self, memory_bytes: int) -> Seat:
        with self._lock:
            while self._idle:
                _, seat = self._idle.pop()
                if seat.usable and seat.memory_bytes >= memory_bytes:
                    return seat
                seat.close()
        return Seat(memory_bytes)

    def _leave(self, seat: Seat) -> None:
        if not seat.usable:
            seat.close()
            return
        with self._lock:
            self._idle.append((time.monotonic(), seat))
            if self._sweeper is None:
                self._sweep_later()

    def _sweep_later(self) -> None:
        self._sweeper = threading.Timer(IDLE_S + 1, lambda: self.sweep(time.monotonic()))
        self._sweeper.daemon = True
        self._sweeper.start()


SEATS = Seats()
"""Those of this process."""


def run(work: bytes, order: bytes) -> bytes:
    """Run an encoded ``workload.Work`` in a seat; returns an encoded ``frames.Done`` or ``frames.Broken``.

    ``order`` is an encoded ``Order``. That it runs and how far it is, is told as events of its topic:
    ``[number, worker's address, share or None]``.
    """
    from distributed import get_worker  # noqa: PLC0415 - only where a cluster's worker is

    wanted, worker = msgspec.msgpack.decode(order, type=Order), get_worker()
    name, task = (wanted.topic, wanted.number), _task(work, wanted)

    def tell(share: float | None) -> None:
        worker.log_event(wanted.topic, [wanted.number, worker.address, share])

    limit = worker.memory_manager.memory_limit or 0
    room = max(site.share(limit, worker.state.nthreads), wanted.memory_bytes)
    try:
        with SEATS.taken(name, room) as seat:
            if seat is None:
                return codec.encode(frames.Broken(task.number, "crash", "cancelled"))
            if not wanted.light:
                tell(None)
            return codec.encode(seat.run(task, wanted.time_limit_s, _seldom(tell)))
    except WorkersUnavailable as error:
        return codec.encode(frames.Broken(task.number, "crash", f"no process can be started: {error}"))


def stop(topic: str, number: int) -> None:
    """End a task that runs here, or is about to."""
    SEATS.stop((topic, number))


def report() -> dict[str, Any]:
    """Say what this worker has: a ``site.Report`` as plain values, which any version can read."""
    said = site.Report(
        protocol=site.PROTOCOL,
        wire=importlib.metadata.version("qfleet-wire"),
        agent=importlib.metadata.version("qfleet-agent"),
        machine=platform.machine(),
        engines=registry.available(),
    )
    plain: dict[str, Any] = msgspec.to_builtins(said)
    return plain


def _task(work: bytes, order: Order) -> frames.Task:
    return frames.Task(order.number, bytes(work), order.memory_bytes, order.light)


def _seldom(tell: Callable[[float], None]) -> Callable[[float], None]:
    """Pass progress on once a second at most: every word goes through the scheduler."""
    following = time.monotonic() + _REPORT_EVERY_S

    def heard(share: float) -> None:
        nonlocal following
        if (now := time.monotonic()) >= following:
            following = now + _REPORT_EVERY_S
            tell(share)

    return heard
