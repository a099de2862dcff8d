"""The demo's processes: started in sessions of their own, recorded at once, stopped for certain.

The record on disk names each process by number and start time, so that a later demo can stop what
one that was killed left behind, and never touches a process that merely got the same number.
Reads ``/proc``: the demo runs on Linux, as the devices do.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from qfleet import errors
from qfleet.demo import interruptions

_STEP_S = 0.02
_PATIENCE_S = 15.0
"""How long a process may take to stop by itself."""


class Record(msgspec.Struct, frozen=True):
    """A process: ``started`` in clock ticks after boot; it leads a session of its own."""

    name: str
    pid: int
    started: int


class Family:
    """The processes of one demo; ``record`` is the file that remembers them."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._children: list[tuple[Record, subprocess.Popen[bytes], Path]] = []

    def start(self, name: str, command: Sequence[str], *, log: Path) -> None:
        """Start a process whose output goes to ``log``."""
        # a signal between the start of a process and its record would leave it behind
        with log.open("ab") as output, interruptions.deferred():
            child = subprocess.Popen(  # noqa: S603 – our own commands, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(),
                start_new_session=True,
            )
            started = _stat(child.pid)
            self._children.append((Record(name, child.pid, started[1] if started else 0), child, log))
            _write(self._record, [record for record, _, _ in self._children])

    def check(self) -> None:
        """Raise ``DemoFailed`` when a process has ended by itself."""
        for record, child, log in self._children:
            if child.poll() is not None:
                raise errors.DemoFailed(f"{record.name} ended with code {child.returncode}", log=log)

    def log(self, name: str) -> Path:
        """Where the process called ``name`` writes its log."""
        return next(log for record, _, log in self._children if record.name == name)

    def stop(self) -> None:
        """Stop all, the last started first, and forget them."""
        for record, child, _ in reversed(self._children):
            _terminate(record)
            child.wait(_PATIENCE_S)
        self._children.clear()
        self._record.unlink(missing_ok=True)


def run(command: Sequence[str], *, log: Path, stdin: str = "", timeout_s: float = 60.0) -> None:
    """Run a command to its end; its messages go to ``log``, its output, which may be secret, nowhere.

    Raises:
        DemoFailed: it did not end well, or not within ``timeout_s``.
    """
    name = Path(command[0]).name
    with log.open("ab") as output:
        try:
            done = subprocess.run(  # noqa: S603 – our own commands, no shell
                command,
                input=stdin.encode(),
                stdout=subprocess.DEVNULL,
                stderr=output,
                env=environment(),
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise errors.DemoFailed(f"{name} took more than {timeout_s:g} s", log=log) from error
    if done.returncode != 0:
        raise errors.DemoFailed(f"{name} ended with code {done.returncode}", log=log)


def stop_recorded(record: Path) -> int:
    """Stop what an earlier demo recorded in this file and return how many processes still ran."""
    try:
        records = msgspec.json.decode(record.read_bytes(), type=list[Record])
    except (FileNotFoundError, msgspec.MsgspecError):
        return 0
    running = [one for one in records if _is_alive(one)]
    for one in reversed(running):
        _terminate(one)
    record.unlink()
    return len(running)


def environment() -> Mapping[str, str]:
    """This process's environment without settings of qfleet, which are not meant for the demo."""
    return {name: value for name, value in os.environ.items() if not name.startswith("QFLEET_")}


def _terminate(record: Record) -> None:
    """Ask a process to stop, wait, and kill whatever is left of its session."""
    if _is_alive(record):
        _signal(record.pid, signal.SIGTERM)
    end = time.monotonic() + _PATIENCE_S
    while _is_alive(record) and time.monotonic() < end:
        time.sleep(_STEP_S)
    for pid in _session(record):
        _signal(pid, signal.SIGKILL)
    while _session(record) and time.monotonic() < end + _PATIENCE_S:
        time.sleep(_STEP_S)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _is_alive(record: Record) -> bool:
    stat = _stat(record.pid)
    return stat is not None and stat[1] == record.started


def _session(record: Record) -> list[int]:
    """Living processes of the session that ``record`` leads or led, none started before it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            stat = _stat(int(entry.name))
            if stat is not None and stat[0] == record.pid and stat[1] >= record.started:
                found.append(int(entry.name))
    return found


def _stat(pid: int) -> tuple[int, int] | None:
    """Session and start time of a living process, as in proc(5); None when it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    if fields[0] in {"Z", "X"}:
        return None
    return int(fields[3]), int(fields[19])


def _write(file: Path, records: Sequence[Record]) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(list(records)))
    fresh.replace(file)
