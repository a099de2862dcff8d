"""A real fleet of processes in one directory, every one of which may be killed and started again.

Control plane with its embedded broker, and agents, through their installed commands. Addresses are
the system's choice. Used by the system tests and by the benchmarks; it knows no job.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import psutil

from qfleet import Fleet, Unreachable, configuration

START_S = 60.0
STOP_S = 20.0
CONTROL_PLANE = "controlplane"
"""The control plane's name among the processes."""
QUICK_LINK = "[link]\nreconnect_base_s = 0.2\nreconnect_most_s = 1.0\n"
"""Agents' settings for tests that cut and restore: the default back-off begins at 5 s."""


class LocalFleet:
    """A context manager: the fleet is up inside the ``with`` and gone after it."""

    def __init__(
        self,
        directory: Path,
        *,
        agents: int,
        workers: int = 1,
        profile: str = "generic",
        settings: str = "",
        broker_listen: str = "",
        agent_prefix: tuple[str, ...] = (),
    ) -> None:
        """``settings`` is TOML that is appended to every agent's configuration.

        ``broker_listen`` lets the broker listen beyond loopback; ``agent_prefix`` begins the agents' command
        lines, to run them in another network namespace.
        """
        self.directory = directory
        self._broker_listen = broker_listen
        self._agent_prefix = agent_prefix
        self.agents = tuple(f"device-{number}" for number in range(agents))
        self._agent_settings = f'profile = "{profile}"\nworkers = {workers}\n{settings}'
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._state = directory / CONTROL_PLANE
        self._config = self._state / "controlplane.toml"

    def __enter__(self) -> Self:
        try:
            listen = ("--broker-listen", self._broker_listen) if self._broker_listen else ()
            _run("qfleet-controlplane", "init", "--directory", str(self._state), "--fleet", "test",
                 "--region", "local", "--listen", "127.0.0.1:0", "--broker", "embedded", *listen)  # fmt: skip
            self.start_control_plane()
            with self.connect() as fleet:
                for name in self.agents:
                    self._enrol(name, fleet.invite(name).token)
            for name in self.agents:
                self.start_agent(name)
            self.wait_online()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def connect(self) -> Fleet:
        """A connection to the control plane as it listens now."""
        address = msgspec.json.decode((self._state / "address.json").read_bytes(), type=dict[str, str])
        return Fleet(address["api"], configuration.read_token(self._state / "admin.token"))

    def start_control_plane(self) -> None:
        """Start it, and wait until it answers."""
        (self._state / "address.json").unlink(missing_ok=True)
        self._start(CONTROL_PLANE, (_tool("qfleet-controlplane"),), self._config)
        self.wait_for("the control plane answers", self._answers)

    def start_agent(self, name: str) -> None:
        """Start it, without waiting for its session."""
        self._start(name, (*self._agent_prefix, _tool("qfleet-agent")), self._agent(name))

    def kill(self, name: str) -> None:
        """``kill -9`` one process, and see that the processes it had started end by themselves."""
        process = self._processes.pop(name)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait(STOP_S)
        _, alive = psutil.wait_procs(children, timeout=STOP_S)
        assert not alive, f"outlived {name}: {alive}"

    def process(self, name: str) -> psutil.Process:
        """The process of the control plane or of an agent, for measurements."""
        return psutil.Process(self._processes[name].pid)

    def log(self, name: str) -> str:
        """What it has written so far."""
        return (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def wait_online(self) -> None:
        """Wait until every agent has a session."""
        with self.connect() as fleet:
            self.wait_for(
                "all agents are online",
                lambda: all(device.status == "online" for device in fleet.devices()),
            )

    def wait_for(self, what: str, holds: Callable[[], bool], *, timeout: float = START_S) -> None:
        """Ask until it holds, and fail at once when a process has ended by itself."""
        deadline = time.monotonic() + timeout
        while not holds():
            for name, process in self._processes.items():
                assert process.poll() is None, f"{name} ended by itself:\n{self.log(name)[-3000:]}"
            assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}\n{self._logs()}"
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop all, agents first, and leave nothing of their sessions."""
        for name in reversed(tuple(self._processes)):
            process = self._processes.pop(name)
            if process.poll() is not None:
                continue
            children = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            _, alive = psutil.wait_procs([psutil.Process(process.pid), *children], timeout=STOP_S)
            for left in alive:
                left.kill()
            process.wait(STOP_S)

    def _enrol(self, name: str, token: str) -> None:
        home = self.directory / name
        home.mkdir(mode=0o700)
        self._agent(name).write_text(f'state = "{home / "state"}"\n{self._agent_settings}', encoding="utf-8")
        _run("qfleet-agent", "enrol", "-", "--config", str(self._agent(name)),
             prefix=self._agent_prefix, text=token + "\n")  # fmt: skip

    def _agent(self, name: str) -> Path:
        return self.directory / name / "agent.toml"

    def _start(self, name: str, command: tuple[str, ...], config: Path) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*command, "run", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )

    def _answers(self) -> bool:
        try:
            with self.connect() as fleet:
                fleet.overview()
        except (Unreachable, FileNotFoundError, msgspec.DecodeError):
            return False
        return True

    def _logs(self) -> str:
        return "\n".join(f"--- {name}\n{self.log(name)[-2000:]}" for name in self._processes)


def _run(name: str, *arguments: str, prefix: tuple[str, ...] = (), text: str = "") -> None:
    done = subprocess.run(
        [*prefix, _tool(name), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
        env=_environment(),
    )
    assert done.returncode == 0, f"{name} {arguments[0]} ended with {done.returncode}:\n{done.stderr}"


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("QFLEET_")}
