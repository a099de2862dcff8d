"""What the agent last said of itself, in a file that ``qfleet-agent status`` reads without it.

Nothing secret stands in it. The lock tells whether the agent still runs, whatever the file says.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from qfleet_agent.errors import NotEnrolled, StateInUse
from qfleet_wire.names import Millis


class DamagedJournal(msgspec.Struct, frozen=True):
    """A journal that was set aside: when, why, what was saved of it, and where it lies."""

    at: Millis
    reason: str
    saved: str
    file: str
    kept: int
    """How many journals lie aside now."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the agent is. Times in milliseconds since 1970, sizes in bytes."""

    time: Millis
    pid: int
    version: str
    fleet: str
    region: str
    device: str
    profile: str
    online: bool
    """Whether a session with a controller is open."""
    trouble: str | None
    """Why not."""
    way: str = ""
    """The way in use, in words; empty: there is one only."""
    unfinished: int
    running: int
    outbox: int
    """Results that the controller has not acknowledged."""
    stored_bytes: int
    reserved_bytes: int
    disk_bytes: int
    """Most that the journal may take."""
    journal_full: bool
    workers: int
    max_qubits: int
    task_memory_bytes: int
    executor: str = "local"
    """Where tasks run, in words."""
    engines: tuple[str, ...]
    certificate_ends: Millis
    dropped: dict[str, int]
    """Messages that did not open, by reason."""
    quantum_key: str = ""
    """Whether a key of the key delivery stands behind the session, in words; empty: none is wanted."""
    telemetry_held: int = 0
    """Samples that the controller has not acknowledged."""
    telemetry_lost: int = 0
    damaged_journal: DamagedJournal | None = None
    """The last journal that was set aside."""
    reported: tuple[str, ...] = ()
    """What the operator should know, a sentence each."""


def path_in(state: Path) -> Path:
    """Where the status file is in a state directory."""
    return state / "status.json"


def write(state: Path, status: Status) -> None:
    """Replace the status file; it may be lost in a power cut."""
    path = path_in(state)
    written = path.with_suffix(".new")
    written.write_bytes(msgspec.json.format(msgspec.json.encode(status), indent=2) + b"\n")
    written.replace(path)


def read(state: Path) -> Status | None:
    """Read the last status; None when there is none that this version understands."""
    try:
        return msgspec.json.decode(path_in(state).read_bytes(), type=Status)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


class Lock:
    """Held by the one agent that runs on a state directory."""

    def __init__(self, state: Path) -> None:
        self._path = state / "lock"
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            StateInUse: an agent runs on the directory.
            NotEnrolled: there is no such directory.
        """
        try:
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            raise NotEnrolled from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.__exit__(None, None, None)
            raise StateInUse(f"an agent runs on {self._path.parent} already: stop it first") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the lock go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_running(state: Path) -> bool:
    """Whether an agent holds the state directory."""
    if not (state / "lock").exists():
        return False
    try:
        with Lock(state):
            return False
    except StateInUse:
        return True
