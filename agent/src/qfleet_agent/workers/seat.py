"""A place on a cluster's worker: one process that runs a task at a time, driven by a thread that waits.

The same child as on a device runs the work, so that a task has the same memory and time limits there,
gives the same answer to the last bit, and takes nobody with it when it crashes.
"""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from qfleet_agent.workers import frames, limits, process
from qfleet_agent.workers.errors import WorkersUnavailable
from qfleet_agent.workers.events import FailureKind

START_S = 60.0
THREADS = 1
"""Threads of an engine: as on a device, or answers would not be equal bit by bit."""
_REAP_S = 1.0
_READ_BYTES = 256 * 1024
_LAST_CHARACTERS = 500


class Seat:
    """One child process. ``run`` belongs to one thread at a time, ``kill`` to any."""

    def __init__(self, memory_bytes: int) -> None:
        """Start it and wait until its engines are imported.

        Raises:
            WorkersUnavailable: it ended before, or took too long.
        """
        self.memory_bytes = memory_bytes
        self._verdict: tuple[FailureKind, str] | None = None
        self._lock = threading.Lock()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the seat
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = process.start(
                "qfleet_agent.workers.child",
                str(memory_bytes),
                link=theirs,
                environment=limits.environment(THREADS),
                stderr=self._stderr,
            )
        self._splitter: frames.Splitter[frames.Answer] = frames.Splitter(frames.Answer)  # type: ignore[arg-type] # a union of structs
        if not any(isinstance(answer, frames.Ready) for answer in self._answers(time.monotonic() + START_S)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_REAP_S)
            reason = self._death()
            self.close()
            raise WorkersUnavailable(reason)

    @property
    def usable(self) -> bool:
        """Whether it may be given a task."""
        return self._verdict is None and self._process.poll() is None

    def run(
        self, task: frames.Task, time_limit_s: float, report: Callable[[float], None]
    ) -> frames.Done | frames.Broken:
        """Run a task to its end; ``report`` gets the share that is done. A task's fault raises nothing."""
        try:
            self._link.settimeout(time_limit_s)
            self._link.sendall(frames.encode(task))
        except OSError:
            return self._obituary(task)
        for answer in self._answers(time.monotonic() + time_limit_s):
            match answer:
                case frames.Share():
                    report(answer.fraction)
                case frames.Done() | frames.Broken():
                    return answer
        if self._process.poll() is None and self._verdict is None:
            self.kill("time", f"stopped after its time limit of {time_limit_s:g} s")
        return self._obituary(task)

    def kill(self, kind: FailureKind, reason: str) -> None:
        """End the process and what it runs, whoever runs it."""
        with self._lock:
            if self._verdict is None:
                self._verdict = (kind, reason)
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process and let go of what belongs to it."""
        self.kill("closed", "the seat was closed")
        self._process.wait()
        self._link.close()
        self._stderr.close()

    def _answers(self, deadline: float) -> Iterator[frames.Answer]:
        """What the child says until ``deadline``; ends early when it ends."""
        while (left := deadline - time.monotonic()) > 0:
            self._link.settimeout(left)
            try:
                data = self._link.recv(_READ_BYTES)
            except OSError:  # also that its time is over
                return
            if not data:
                return
            yield from self._splitter.feed(data)

    def _obituary(self, task: frames.Task) -> frames.Broken:
        self._process.wait()
        if self._verdict is not None:
            return frames.Broken(task.number, *self._verdict)
        last = self._last_words()
        if "out of memory" in last.lower() or "bad_alloc" in last:
            text = f"over its memory limit of {task.memory_bytes >> 20} MiB: {self._death()}"
            return frames.Broken(task.number, "memory", text)
        return frames.Broken(task.number, "crash", self._death())

    def _death(self) -> str:
        code = self._process.poll()
        if code is None:
            return f"no process was ready after {START_S:.0f} s"
        how = (
            f"signal {-code} ({signal.strsignal(-code) or 'unknown'})" if code < 0 else f"exit status {code}"
        )
        last = self._last_words()
        return f"the task's process died: {how}{': ' if last else ''}{last}"

    def _last_words(self) -> str:
        written = self._stderr.fileno()
        start = max(0, os.fstat(written).st_size - _LAST_CHARACTERS)
        lines = os.pread(written, _LAST_CHARACTERS, start).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
