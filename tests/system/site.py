"""A fleet of several regions as real processes: brokers, controllers over one database, agents.

Every process may be killed, paused and started again. Brokers listen on Unix sockets, so that no
port is raced for. The database is the caller's. Used by the system tests and by the benchmarks.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.system import fleet, processes
from tests.system.processes import START_S, Processes

from qfleet import Fleet

PASSPHRASE = "a passphrase of tests"
LEASES = "\n[leases]\nttl_s = 5.0\nrenew_s = 1.0\nlook_s = 0.5\n"
"""Shorter than an operator's, for tests that wait for a takeover."""


class Site:
    """A context manager: all of it is up inside the ``with`` and gone after it.

    ``regions`` maps each region to its number of agents; ``brokers`` gives each region's broker by
    name, one of its own where it says nothing. ``extra`` is TOML that is appended to every controller's
    configuration, ``agent_settings`` to every agent's. ``leases`` is TOML too; empty means the times
    that an operator has.
    """

    def __init__(
        self,
        directory: Path,
        database_url: str,
        regions: Mapping[str, int],
        *,
        brokers: Mapping[str, str] | None = None,
        extra: str = "",
        leases: str = LEASES,
        agent_settings: str = "",
    ) -> None:
        self.directory = directory
        self.processes = Processes(directory)
        self.controllers: list[str] = []
        self.devices = {
            f"{region}-{number}": region for region, count in regions.items() for number in range(count)
        }
        self._database = database_url
        self._regions = tuple(regions)
        self.brokers = {region: (brokers or {}).get(region, f"broker-{region}") for region in regions}
        self._extra = leases + extra
        self._agent_settings = f'profile = "generic"\nworkers = 1\n{agent_settings}{fleet.QUICK_LINK}'

    def __enter__(self) -> Self:
        try:
            for broker in sorted(set(self.brokers.values())):
                self.start_broker(broker)
            self.add_controller("c1")
            self._enrol_all()
            for name in self.devices:
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

    def stop(self) -> None:
        """Stop all, the youngest first."""
        self.processes.stop_all()

    # ── brokers ──────────────────────────────────────────────────────────────────────────────

    def start_broker(self, name: str) -> None:
        """Start a Mosquitto on its socket."""
        configuration = self.directory / f"{name}.conf"
        socket = self._socket(name)
        socket.unlink(missing_ok=True)
        configuration.write_text(
            f"listener 0 {socket}\nallow_anonymous true\nuser root\nset_tcp_nodelay true\n"
            "max_queued_messages 0\nmax_inflight_messages 0\n",
            encoding="utf-8",
        )
        server = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        assert server is not None, "mosquitto is not installed"
        self.processes.start(name, server, "-c", str(configuration))
        self.processes.wait_for(f"{name} listens", socket.exists)

    def _socket(self, name: str) -> Path:
        return self.directory / f"{name}.sock"

    # ── controllers ──────────────────────────────────────────────────────────────────────────

    def add_controller(self, name: str) -> None:
        """Make and start a controller; the first makes the fleet, further ones join it."""
        state = self._state(name)
        options = [f"--region={region}" for region in self._regions]
        prefix = {region: f"{region}=" if len(self._regions) > 1 else "" for region in self._regions}
        options += [
            f"--broker={prefix[region]}unix://{self._socket(broker)}"
            for region, broker in self.brokers.items()
        ]
        passphrase = self.directory / "passphrase"
        passphrase.write_text(PASSPHRASE + "\n", encoding="utf-8")
        passphrase.chmod(0o600)
        if self.controllers:
            options += ["--authority", str(self._bundle()), "--passphrase-file", str(passphrase)]
        processes.run((
            processes.tool("qfleet-controlplane"), "init", "--directory", str(state), "--fleet", "test",
            "--controller", name, "--listen", "127.0.0.1:0", "--database", self._url_of(name), *options,
        ))  # fmt: skip
        configuration = state / "controlplane.toml"
        text = configuration.read_text(encoding="utf-8")
        configuration.write_text(f"{text}{self._extra}", encoding="utf-8")
        self.controllers.append(name)
        self.start_controller(name)

    def _url_of(self, controller: str) -> str:
        """The database's URL with which its log and its triggers know the controller by name."""
        mark = "&" if "?" in self._database else "?"
        named = self._database.startswith("postgresql")
        return f"{self._database}{mark}application_name={controller}" if named else self._database

    def start_controller(self, name: str) -> None:
        """Start a controller, and wait until it answers."""
        self.launch_controller(name)
        self.wait_for(f"{name} answers", lambda: fleet.answers(self._state(name), self._token))

    def launch_controller(self, name: str) -> None:
        """Start a controller without waiting for it."""
        state = self._state(name)
        (state / "address.json").unlink(missing_ok=True)
        self.processes.start(
            name, processes.tool("qfleet-controlplane"), "run", "--config", str(state / "controlplane.toml")
        )

    def connect(self, controller: str = "c1", *, timeout_s: float = 30.0, patience_s: float = 60.0) -> Fleet:
        """A connection to a controller as it listens now."""
        return fleet.connect(self._state(controller), self._token, timeout_s=timeout_s, patience_s=patience_s)

    @property
    def _token(self) -> Path:
        return self._state("c1") / "admin.token"

    def _bundle(self) -> Path:
        """The authority for a further controller."""
        bundle = self.directory / "authority.bundle"
        if not bundle.exists():
            first = self._state(self.controllers[0])
            processes.run((
                processes.tool("qfleet-controlplane"), "authority", "export", str(bundle),
                "--config", str(first / "controlplane.toml"),
                "--passphrase-file", str(self.directory / "passphrase"),
            ))  # fmt: skip
        return bundle

    def _state(self, controller: str) -> Path:
        return self.directory / controller

    # ── agents ───────────────────────────────────────────────────────────────────────────────

    def start_agent(self, name: str) -> None:
        """Start an agent, without waiting for its session."""
        self.processes.start(name, processes.tool("qfleet-agent"), "run", "--config", str(self._agent(name)))

    def wait_online(self, names: Sequence[str] = (), *, timeout: float = START_S) -> None:
        """Wait until these agents, or all, have a session."""
        wanted = set(names or self.devices)

        def online() -> bool:
            with self.connect(self.controllers[0]) as connected:
                devices = {device.name: device.status for device in connected.devices()}
            return all(devices.get(name) == "online" for name in wanted)

        self.wait_for(f"{sorted(wanted)} are online", online, timeout=timeout)

    def wait_for(self, what: str, holds: Callable[[], bool], *, timeout: float = START_S) -> None:
        """Ask until it holds, and fail at once when a process has ended by itself."""
        self.processes.wait_for(what, holds, timeout=timeout)

    def _enrol_all(self) -> None:
        with self.connect() as connected:
            for name, region in self.devices.items():
                home = self.directory / name
                home.mkdir(mode=0o700)
                text = f'state = "{home / "state"}"\n{self._agent_settings}'
                self._agent(name).write_text(text, encoding="utf-8")
                token = connected.invite(name, region=region).token
                processes.run(
                    (processes.tool("qfleet-agent"), "enrol", "-", "--config", str(self._agent(name))),
                    text=f"{token}\n",
                )

    def _agent(self, name: str) -> Path:
        return self.directory / name / "agent.toml"
