"""Real processes with their logs, every one of which may be killed, paused and started again.

Used by the fleets of the system tests and of the benchmarks. It knows commands and names, no fleet.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

START_S = 60.0
STOP_S = 20.0


class Processes:
    """Processes by name; each appends what it writes to ``NAME.log`` in the directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._running

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._running))

    def start(self, name: str, *command: str) -> None:
        """Start a process, in a session of its own."""
        with (self.directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """``kill -9`` one process, and see that the processes it had started end by themselves."""
        process = self._running.pop(name)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait(STOP_S)
        _, alive = psutil.wait_procs(children, timeout=STOP_S)
        assert not alive, f"outlived {name}: {alive}"

    def pause(self, name: str) -> None:
        """Stop a process where it stands; ``resume`` lets it go on."""
        self._running[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a paused process go on."""
        self._running[name].send_signal(signal.SIGCONT)

    def stop(self, name: str) -> None:
        """Stop one process and those it had started, by force after a while."""
        process = self._running.pop(name)
        if process.poll() is not None:
            return
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        _, alive = psutil.wait_procs([psutil.Process(process.pid), *children], timeout=STOP_S)
        for left in alive:
            left.kill()
        process.wait(STOP_S)

    def stop_all(self) -> None:
        """Stop all, the youngest first."""
        for name in reversed(tuple(self._running)):
            self.stop(name)

    def process(self, name: str) -> psutil.Process:
        """One of them, for measurements."""
        return psutil.Process(self._running[name].pid)

    def log(self, name: str) -> str:
        """What it has written so far."""
        return (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def wait_for(self, what: str, holds: Callable[[], bool], *, timeout: float = START_S) -> None:
        """Ask until it holds, and fail at once when a process has ended by itself."""
        deadline = time.monotonic() + timeout
        while not holds():
            for name, process in tuple(self._running.items()):
                assert process.poll() is None, f"{name} ended by itself:\n{self.log(name)[-3000:]}"
            assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}\n{self._logs()}"
            time.sleep(0.02)

    def _logs(self) -> str:
        return "\n".join(f"--- {name}\n{self.log(name)[-2000:]}" for name in tuple(self._running))


def run(command: Sequence[str], *, text: str = "") -> str:
    """Run a command to its end with ``text`` as its input, and return what it printed."""
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, f"{command[:3]} ended with {done.returncode}:\n{done.stderr}"
    return done.stdout


def tool(name: str) -> str:
    """An installed command of ours, or of the same environment."""
    return str(Path(sys.executable).with_name(name))


def environment() -> Mapping[str, str]:
    """The environment without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("QFLEET_")}
