"""A real fleet of processes in one directory, every one of which may be killed and started again.

Control plane with its embedded broker, and agents, through their installed commands. Addresses are
the system's choice. Used by the system tests and by the benchmarks; it knows no job.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import psutil
from tests.system import processes
from tests.system.processes import START_S, Processes

from qfleet import Fleet, JobRequest, Unreachable, configuration

CONTROL_PLANE = "controlplane"
"""The control plane's name among the processes."""
_ONE_QUBIT = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\nh q;\n'
_MEASURED_S = 120.0
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
        cores: Sequence[int] = (),
    ) -> None:
        """``settings`` is TOML that is appended to every agent's configuration.

        ``broker_listen`` lets the broker listen beyond loopback; ``agent_prefix`` begins the agents' command
        lines, to run them in another network namespace. ``cores`` pins agents to one core each, in order.
        """
        self.directory = directory
        self._broker_listen = broker_listen
        self._agent_prefix = agent_prefix
        self.agents = tuple(f"device-{number}" for number in range(agents))
        self._pins = {
            name: ("taskset", "-c", str(core)) for name, core in zip(self.agents, cores, strict=False)
        }
        self._agent_settings = f'profile = "{profile}"\nworkers = {workers}\n{settings}'
        self._processes = Processes(directory)
        self._state = directory / CONTROL_PLANE
        self._config = self._state / "controlplane.toml"

    def __enter__(self) -> Self:
        try:
            listen = ("--broker-listen", self._broker_listen) if self._broker_listen else ()
            processes.run((
                processes.tool("qfleet-controlplane"), "init", "--directory", str(self._state),
                "--fleet", "test", "--region", "local", "--listen", "127.0.0.1:0",
                "--broker", "embedded", *listen,
            ))  # fmt: skip
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
        return connect(self._state)

    def start_control_plane(self) -> None:
        """Start it, and wait until it answers."""
        (self._state / "address.json").unlink(missing_ok=True)
        self._processes.start(
            CONTROL_PLANE, processes.tool("qfleet-controlplane"), "run", "--config", str(self._config)
        )
        self.wait_for("the control plane answers", lambda: answers(self._state))

    def start_agent(self, name: str) -> None:
        """Start it, without waiting for its session."""
        self._processes.start(
            name,
            *self._agent_prefix,
            *self._pins.get(name, ()),
            processes.tool("qfleet-agent"),
            "run",
            "--config",
            str(self._agent(name)),
        )

    def kill(self, name: str) -> None:
        """``kill -9`` one process, and see that the processes it had started end by themselves."""
        self._processes.kill(name)

    def process(self, name: str) -> psutil.Process:
        """The process of the control plane or of an agent, for measurements."""
        return self._processes.process(name)

    def log(self, name: str) -> str:
        """What it has written so far."""
        return self._processes.log(name)

    def wait_online(self) -> None:
        """Wait until every agent has a session."""
        with self.connect() as fleet:
            self.wait_for(
                "all agents are online",
                lambda: all(device.status == "online" for device in fleet.devices()),
            )

    def wait_measured(self) -> None:
        """Wait until every agent has measured its engines: what is timed before is timed beside that."""
        probe = JobRequest(kind="circuit.expect", program=_ONE_QUBIT, observables=("Z0",))
        with self.connect() as fleet:
            self.wait_for(
                "all agents have measured their engines",
                lambda: sum(device.measured for device in fleet.plan(probe).devices) == len(self.agents),
                timeout=_MEASURED_S,
            )

    def wait_for(self, what: str, holds: Callable[[], bool], *, timeout: float = START_S) -> None:
        """Ask until it holds, and fail at once when a process has ended by itself."""
        self._processes.wait_for(what, holds, timeout=timeout)

    def stop(self) -> None:
        """Stop all, agents first, and leave nothing of their sessions."""
        self._processes.stop_all()

    def _enrol(self, name: str, token: str) -> None:
        home = self.directory / name
        home.mkdir(mode=0o700)
        self._agent(name).write_text(f'state = "{home / "state"}"\n{self._agent_settings}', encoding="utf-8")
        command = (processes.tool("qfleet-agent"), "enrol", "-", "--config", str(self._agent(name)))
        processes.run((*self._agent_prefix, *command), text=f"{token}\n")

    def _agent(self, name: str) -> Path:
        return self.directory / name / "agent.toml"


def connect(
    state: Path, token: Path | None = None, *, timeout_s: float = 30.0, patience_s: float = 60.0
) -> Fleet:
    """A connection to the controller of a state directory, with the token of a file, by default its own."""
    address = msgspec.json.decode((state / "address.json").read_bytes(), type=dict[str, object])
    secret = configuration.read_token(token or state / "admin.token")
    return Fleet(str(address["api"]), secret, timeout_s=timeout_s, patience_s=patience_s)


def answers(state: Path, token: Path | None = None) -> bool:
    """Whether the controller of a state directory answers."""
    try:
        with connect(state, token) as fleet:
            fleet.overview()
    except (Unreachable, FileNotFoundError, msgspec.DecodeError):
        return False
    return True
