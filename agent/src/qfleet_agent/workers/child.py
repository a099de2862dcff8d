"""The worker process: runs one task at a time and holds no secret.

Started as ``python -P -m qfleet_agent.workers.child PARENT MEMORY`` with a stream socket as standard
input. It ends when that socket closes or its parent does. It never talks to anything else.
"""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

from qfleet_agent.engines import execution, timing
from qfleet_agent.engines.errors import EngineMissing, MemoryShort, WorkInvalid
from qfleet_agent.errors import AgentError
from qfleet_agent.workers import frames, limits
from qfleet_agent.workers.events import FailureKind
from qfleet_wire import codec, workload
from qfleet_wire.errors import WireError

_READ_BYTES = 256 * 1024
_FLUSH_BYTES = 64 * 1024
_PROGRESS_S = 0.25
_REASON_CHARACTERS = 2000
_ASKED: type[workload.Work | timing.Timing] = workload.Work | timing.Timing  # type: ignore[assignment] # a union of structs


class Child:
    """Reads tasks from a socket and answers them in order."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._out = bytearray()
        self._engines: dict[str, tuple[str, str]] = {}

    def serve(self) -> None:
        """Run tasks until the socket closes. Answers to light tasks are sent together."""
        splitter = frames.Splitter(frames.Task)
        self._put(frames.Ready())
        self._flush()
        while data := self._link.recv(_READ_BYTES):
            for task in splitter.feed(data):
                if not task.light:
                    self._put(frames.Begun(task.number))
                    self._flush()
                self._put(self._answer(task))
                if not task.light or len(self._out) > _FLUSH_BYTES:
                    self._flush()
            self._flush()

    def _answer(self, task: frames.Task) -> frames.Answer:
        try:
            return self._run(task)
        except Exception as error:  # noqa: BLE001 - whatever an engine raises is the task's failure
            kind, reason = _diagnosis(error, task)
            return frames.Broken(task.number, kind, reason[:_REASON_CHARACTERS])

    def _run(self, task: frames.Task) -> frames.Done:
        work = codec.decode(task.work, _ASKED, limit=len(task.work))
        if isinstance(work, timing.Timing):
            return _measured(task, work)
        name, version = self._engine(work)
        begun = time.perf_counter()
        with contextlib.nullcontext() if task.light else _bounded(task.memory_bytes):
            result = execution.execute(work, budget=task.memory_bytes, report=_Reporter(self, task.number))
        duration_ms = (time.perf_counter() - begun) * 1000
        seed = 0 if isinstance(work, workload.ProbeEcho) else work.seed
        return frames.Done(task.number, codec.encode(result), name, version, seed, duration_ms)

    def _engine(self, work: workload.Work) -> tuple[str, str]:
        wanted = execution.capability_of(work)
        known = self._engines.get(wanted)
        if known is None:
            engine = execution.engine_of(work)
            known = self._engines[wanted] = (engine.name, engine.version)
        return known

    def report(self, number: int, fraction: float) -> None:
        """Send a progress frame at once."""
        self._put(frames.Share(number, fraction))
        self._flush()

    def _put(self, frame: frames.Answer) -> None:
        self._out += frames.encode(frame)

    def _flush(self) -> None:
        if self._out:
            self._link.sendall(self._out)
            self._out.clear()


def _measured(task: frames.Task, asked: timing.Timing) -> frames.Done:
    begun = time.perf_counter()
    with _bounded(task.memory_bytes):
        timed = execution.measure(asked, memory_bytes=task.memory_bytes)
    duration_ms = (time.perf_counter() - begun) * 1000
    return frames.Done(task.number, codec.encode(timed), asked.engine, "", 0, duration_ms)


class _Reporter:
    """Passes progress on, a few times a second at most."""

    def __init__(self, child: Child, number: int) -> None:
        self._child, self._number = child, number
        self._next = time.monotonic() + _PROGRESS_S

    def __call__(self, fraction: float) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PROGRESS_S
            self._child.report(self._number, min(1.0, max(0.0, fraction)))


@contextlib.contextmanager
def _bounded(memory_bytes: int) -> Iterator[None]:
    limits.allow(memory_bytes)
    try:
        yield
    finally:
        limits.release()


def _diagnosis(error: Exception, task: frames.Task) -> tuple[FailureKind, str]:
    match error:
        case MemoryError():
            limit = f"its limit of {task.memory_bytes >> 20} MiB"
            return "memory", f"the task needs more memory than {limit}: {error or 'allocation failed'}"
        case MemoryShort():
            return "memory", str(error)
        case EngineMissing():
            return "engine", str(error)
        case WireError() | WorkInvalid():
            return "invalid", str(error)
        case AgentError():
            return "error", str(error)
        case _:
            return "error", f"{type(error).__name__}: {error}"


def main() -> None:
    """Settle under the limits, load the engines, serve."""
    parent, memory_bytes = int(sys.argv[1]), int(sys.argv[2])
    limits.die_with(parent)
    for number in (signal.SIGINT, signal.SIGTERM):  # a stop of the whole unit is the agent's to handle
        signal.signal(number, signal.SIG_IGN)
    limits.settle()
    link = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted
        os.dup2(nothing.fileno(), 0)
    execution.preload()
    limits.cap(memory_bytes)
    with link:
        Child(link).serve()


if __name__ == "__main__":
    with contextlib.suppress(ConnectionError):
        main()
