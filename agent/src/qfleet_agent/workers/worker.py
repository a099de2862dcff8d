"""The agent's end of one worker process: started by exec, fed through a socket, killed as a group.

It knows frames, not tasks' meaning; the pool decides what runs where. A worker that breaks the
frame protocol is killed like one that crashed.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec

from qfleet_agent.workers import cgroup, frames, limits, process
from qfleet_agent.workers.errors import FrameInvalid
from qfleet_agent.workers.events import TaskKey
from qfleet_agent.workers.stderr import Stderr

_REAP_S = 0.005


class Assignment(msgspec.Struct, eq=False, gc=False):
    """A task that the pool holds."""

    number: int
    key: TaskKey
    work: bytes
    memory_bytes: int
    time_limit_s: float
    priority: int
    light: bool
    cancelled: bool = False

    def __lt__(self, other: "Assignment") -> bool:
        return (-self.priority, self.number) < (-other.priority, other.number)


class Owner(Protocol):
    """What a worker tells the pool. ``answered`` gets all frames of one wake-up."""

    def answered(self, worker: "Worker", answers: Sequence[frames.Answer]) -> None:
        """Frames came."""

    def overdue(self, worker: "Worker") -> None:
        """The head of the line has run longer than its limit."""

    def ended(self, worker: "Worker") -> None:
        """The process is gone and reaped; ``line`` holds what it had."""


class Worker(asyncio.Protocol):
    """One process and the line of tasks that it has, the head running."""

    def __init__(self, owner: Owner, *, threads: int, memory_bytes: int, group: cgroup.Group | None) -> None:
        self.line: deque[Assignment] = deque()
        self.ready = False
        self.retiring = False
        self.verdict: str | None = None
        """Why the pool killed it, None if it ended by itself."""
        self.victim: Assignment | None = None
        """The task that it was killed for."""
        self.tasks_done = 0
        self.recent_s = 0.0
        """Moving average of task durations."""
        self.fresh_bytes = 0
        self._owner, self._group = owner, group
        self._loop = asyncio.get_running_loop()
        self._splitter: frames.Splitter[frames.Answer] = frames.Splitter(frames.Answer)  # type: ignore[arg-type] # a union of structs
        self._transport: asyncio.Transport | None = None
        self._head_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = process.start(
                "qfleet_agent.workers.child",
                str(memory_bytes),
                link=theirs,
                environment=limits.environment(threads),
                stderr=subprocess.PIPE,
            )
        self._link = ours
        if group is not None:  # long before it has imported anything, let alone been given a task
            group.add(self._process.pid)
        assert self._process.stderr is not None, "it is a pipe"
        self._stderr = Stderr(self._process.stderr, self.pid)  # type: ignore[arg-type] # a raw binary pipe

    @property
    def pid(self) -> int:
        """The process id, also of its process group."""
        return self._process.pid

    async def connect(self) -> None:
        """Take up the socket."""
        self._link.setblocking(False)  # noqa: FBT003 - the standard library's signature
        await self._loop.create_unix_connection(lambda: self, sock=self._link)

    def give(self, assignments: Sequence[Assignment]) -> None:
        """Put tasks at the end of the line, in one write."""
        assert self._transport is not None, "tasks are given after ``ready``"
        idle = not self.line
        self.line.extend(assignments)
        self._transport.write(
            b"".join(
                frames.encode(frames.Task(one.number, one.work, one.memory_bytes, one.light))
                for one in assignments
            )
        )
        if idle:
            self._watch()

    def finish_head(self) -> Assignment:
        """Take the head off the line; the next one's clock starts."""
        done = self.line.popleft()
        now = self._loop.time()
        self.recent_s += 0.25 * (now - self._head_since - self.recent_s)
        self.tasks_done += 1
        if self.line:
            self._head_since = now
        return done

    def kill(self, verdict: str) -> None:
        """Kill the process group; ``ended`` follows."""
        if self.verdict is None:
            self.verdict, self.victim = verdict, self.line[0] if self.line else None
        self._signal()

    def retire(self) -> None:
        """Let the process end by itself once its line is empty; ``ended`` follows."""
        self.retiring = True
        if not self.line and self._transport is not None:
            self._transport.close()

    def resident_growth(self) -> int:
        """Resident memory beyond what it had when it was ready, in bytes."""
        return limits.resident_bytes(self.pid) - self.fresh_bytes

    def death(self) -> str:
        """Say how the process ended."""
        code = self._process.returncode
        if code is None:
            return "worker is running"
        if code >= 0:
            text = f"worker died: exit status {code}"
        else:
            text = f"worker died: signal {-code} ({signal.strsignal(-code) or 'unknown'})"
        return f"{text}: {self._stderr.last}" if self._stderr.last else text

    def overran(self) -> bool:
        """Whether memory was what ended it, as far as can be told from outside."""
        native = "out of memory" in self._stderr.last.lower() or "bad_alloc" in self._stderr.last
        return native or (self._group is not None and self._group.overran())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ours."""
        assert isinstance(transport, asyncio.Transport), "a stream socket"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        try:
            answers = list(self._splitter.feed(data))
        except FrameInvalid as error:
            self.kill(f"worker broke the frame protocol: {error}")
            return
        if not self.ready and answers:
            self.ready = True
            self.fresh_bytes = limits.resident_bytes(self.pid)
        self._owner.answered(self, answers)

    def connection_lost(self, _: Exception | None) -> None:
        """asyncio: the socket closed, so the process has ended or must."""
        if self._timer is not None:
            self._timer.cancel()
        if self.line or not self.retiring:
            self._signal()
        self._reap()

    def abandon(self) -> None:
        """Kill and reap now, blocking for the instant that SIGKILL takes; nothing is told."""
        self._ended = True
        self._signal()
        self._process.wait()
        self._release()
        if self._transport is not None:
            self._transport.abort()
        else:
            self._link.close()

    def _watch(self) -> None:
        self._head_since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self.line[0].time_limit_s, self._check)

    def _check(self) -> None:
        self._timer = None
        if not self.line:
            return
        left = self._head_since + self.line[0].time_limit_s - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        else:
            self._owner.overdue(self)

    def _signal(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _reap(self) -> None:
        if self._ended:
            return
        if self._process.poll() is None:
            self._loop.call_later(_REAP_S, self._reap)
            return
        self._ended = True
        self._release()
        self._owner.ended(self)

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._stderr.close()
        if self._group is not None:
            self._group.remove()
