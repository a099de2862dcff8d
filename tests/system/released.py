"""The released version and the one at work, side by side, as commands to start their processes with.

The released one is installed from its wheels into an environment of its own; what it depends on comes
from the environment of the tests, so that nothing is downloaded.
"""

import json
import sys
import venv
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import sqlalchemy
from tests.system import fleet as fleets
from tests.system import processes
from tests.system.processes import Processes

from qfleet import Fleet

WHEELS = Path(__file__).parents[1] / "vectors" / "released"
VERSION = "0.1.0"


class Version(NamedTuple):
    """How the commands of a version begin."""

    name: str
    agent: tuple[str, ...]
    controlplane: tuple[str, ...]
    python: str


NEW = Version(
    "new",
    (processes.tool("qfleet-agent"),),
    (processes.tool("qfleet-controlplane"),),
    sys.executable,
)


def install(directory: Path, version: str = VERSION) -> Version:
    """Put the wheels of a released version into a new environment."""
    venv.create(directory, symlinks=True, with_pip=False)
    packages = next(directory.glob("lib/python*/site-packages"))
    wheels = sorted((WHEELS / version).glob("*.whl"))
    assert len(wheels) == 3, wheels
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(packages)
    # A path in a .pth file is searched after the environment's own, and its .pth files are not read:
    # what is at work here, and installed by such a file, stays unseen.
    (packages / "dependencies.pth").write_text(f"{Path(sqlalchemy.__file__).parents[1]}\n")
    python = str(directory / "bin" / "python")
    run = "import sys; from {0}.command import main; sys.exit(main())"
    where = (
        "import json, qfleet_agent as a, qfleet_controlplane as c, qfleet_wire as w; "
        "print(json.dumps([one.__file__ for one in (a, c, w)]))"
    )
    seen = json.loads(processes.run((python, "-P", "-c", where)))
    assert all(Path(one).is_relative_to(packages) for one in seen), seen
    return Version(
        version,
        (python, "-P", "-m", "qfleet_agent"),
        (python, "-P", "-c", run.format("qfleet_controlplane")),
        python,
    )


class MixedFleet:
    """A control plane and agents, each of which may be another version whenever it is started.

    A context manager: the fleet is up inside the ``with`` and gone after it.
    """

    def __init__(self, directory: Path, *, controlplane: Version, agents: Mapping[str, Version]) -> None:
        self.directory = directory
        self._controlplane = controlplane
        self._agents = dict(agents)
        self._processes = Processes(directory)
        self._state = directory / fleets.CONTROL_PLANE

    def __enter__(self) -> Self:
        try:
            processes.run((
                *self._controlplane.controlplane, "init", "--directory", str(self._state), "--fleet", "test",
                "--region", "local", "--listen", "127.0.0.1:0", "--broker", "embedded",
            ))  # fmt: skip
            self.start_control_plane()
            for name, version in self._agents.items():
                self.join(name, version)
            self.wait_online()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def controlplane_config(self) -> Path:
        """The control plane's configuration."""
        return self._state / "controlplane.toml"

    def connect(self) -> Fleet:
        """A connection to the control plane as it listens now."""
        return fleets.connect(self._state)

    def start_control_plane(self, version: Version | None = None) -> None:
        """Start it, in the version that it had if none is given, and wait until it answers."""
        self._controlplane = version or self._controlplane
        (self._state / "address.json").unlink(missing_ok=True)
        command = (
            *self._controlplane.controlplane,
            "run",
            "--config",
            str(self._state / "controlplane.toml"),
        )
        self._processes.start(fleets.CONTROL_PLANE, *command)
        self.wait_for("the control plane answers", lambda: fleets.answers(self._state))

    def join(self, name: str, version: Version) -> None:
        """Enrol a device with an agent of this version, and start it."""
        home = self.directory / name
        home.mkdir(mode=0o700)
        settings = f'state = "{self.state(name)}"\nprofile = "generic"\nworkers = 2\n{fleets.QUICK_LINK}'
        self.config(name).write_text(settings, encoding="utf-8")
        with self.connect() as fleet:
            token = fleet.invite(name).token
        command = (*version.agent, "enrol", "-", "--config", str(self.config(name)))
        processes.run(command, text=f"{token}\n")
        self.start_agent(name, version)

    def start_agent(self, name: str, version: Version | None = None) -> None:
        """Start an agent, in the version that it had if none is given."""
        self._agents[name] = version or self._agents[name]
        self._processes.start(name, *self._agents[name].agent, "run", "--config", str(self.config(name)))

    def kill(self, name: str) -> None:
        """``kill -9`` one process; what it had started ends by itself."""
        self._processes.kill(name)

    def stop_one(self, name: str) -> None:
        """Stop one process as a service manager does."""
        self._processes.stop(name)

    def stop(self) -> None:
        """Stop all, the youngest first."""
        self._processes.stop_all()

    def state(self, name: str) -> Path:
        """An agent's state directory."""
        return self.directory / name / "state"

    def log(self, name: str) -> str:
        """What a process has written so far."""
        return self._processes.log(name)

    def wait_online(self) -> None:
        """Wait until every agent has a session."""
        with self.connect() as fleet:
            self.wait_for(
                "all agents are online",
                lambda: all(device.status == "online" for device in fleet.devices()),
            )

    def wait_for(self, what: str, holds: Callable[[], bool]) -> None:
        """Ask until it holds, and fail at once when a process has ended by itself."""
        self._processes.wait_for(what, holds)

    def config(self, name: str) -> Path:
        """An agent's configuration."""
        return self.directory / name / "agent.toml"
