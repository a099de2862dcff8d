"""Brokers started from the very files in ``packaging/brokers``, with a test's ports and certificates."""

import contextlib
import os
import shutil
import socket
import string
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.integration import broker_certificates
from tests.integration.broker_certificates import Certificates
from tests.integration.site_of_controlplane import initialise

from qfleet_controlplane.broker.child import find_server
from qfleet_controlplane.command import main

PACKAGING = Path(__file__).parents[2] / "packaging" / "brokers"
HOST = "127.0.0.1"
PATIENCE_S = 15.0


def free_port() -> int:
    with socket.create_server((HOST, 0)) as holder:
        port: int = holder.getsockname()[1]
        return port


def variables(path: Path, **changes: object) -> dict[str, str]:
    """The variables of a ``site.env``, some of them changed; a change of an unknown one is an error."""
    lines = (line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    found = dict(line.split("=", 1) for line in lines)
    assert set(changes) <= set(found), set(changes) - set(found)
    return found | {name: str(value) for name, value in changes.items()}


class Process:
    """A broker's process that can be killed and started again."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], log: Path, ready: Callable[[], bool]
    ) -> None:
        self._command, self._environment, self._log, self._ready = command, dict(environment), log, ready
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env={**os.environ, **self._environment}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE_S
        while not self._ready():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, f"it does not get ready: {self.log}"
            time.sleep(0.02)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text()


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


class SecuredMosquitto:
    """Mosquitto with TLS and dynamic security, and a control plane that is configured for it."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
        if program is None:
            pytest.skip("Mosquitto is not installed: apt-get install mosquitto")
        self.folder, self.port = folder, free_port()
        self.certificates: Certificates = broker_certificates.make(folder)
        self.url = f"mqtts://{HOST}:{self.port}"
        self.directory = folder / "controlplane"
        self.accounts = folder / "dynamic-security.json"
        configure(self.directory, self.url, accounts="dynsec", ca_file=self.certificates.authority)
        self.rebuild()
        source = PACKAGING / "mosquitto"
        settings = variables(
            source / "site.env",
            BROKER_HOST=HOST,
            BROKER_PORT=self.port,
            BROKER_CERTIFICATE=self.certificates.certificate,
            BROKER_KEY=self.certificates.key,
            DYNSEC_PLUGIN=find_plugin(),
            DYNSEC_FILE=self.accounts,
        )
        rendered = folder / "mosquitto.conf"
        rendered.write_text(string.Template((source / "mosquitto.conf.in").read_text()).substitute(settings))
        give_to_mosquitto(folder, self.certificates.key, self.certificates.certificate)
        log = folder / "mosquitto.log"
        self.broker = Process([program, "-c", str(rendered)], {}, log, lambda: listens(self.port))

    def rebuild(self) -> None:
        """Write the plugin's file from the device table, as an operator does."""
        control_plane("broker", "rebuild", "--output", self.accounts, directory=self.directory)
        give_to_mosquitto(self.folder, self.accounts)


def find_plugin() -> Path:
    for folder in Path("/usr/lib").glob("*-linux-gnu"):
        if (found := folder / "mosquitto_dynamic_security.so").exists():
            return found
    pytest.skip("Mosquitto's dynamic security plugin is not installed: apt-get install mosquitto")


def give_to_mosquitto(folder: Path, *paths: Path) -> None:
    """Started by root, Mosquitto becomes another user, who must reach its files."""
    if os.geteuid() != 0:
        return
    for parent in (folder, *folder.parents)[:4]:
        with contextlib.suppress(PermissionError):
            parent.chmod(parent.stat().st_mode | 0o011)
    folder.chmod(folder.stat().st_mode | 0o022)  # the plugin writes a file beside its own
    for path in paths:
        shutil.chown(path, "mosquitto")


def configure(directory: Path, url: str, **broker: object) -> None:
    """Initialise a control plane, complete its broker's table and make its logins."""
    initialise(directory, url)
    config = directory / "controlplane.toml"
    broker = {"login_file": directory / "logins.toml", **broker}
    lines = [f"{name} = {_toml(value)}" for name, value in broker.items()]
    config.write_text(config.read_text().replace("\n[broker]\n", "\n[broker]\n" + "\n".join(lines) + "\n"))
    control_plane("broker", "logins", directory=directory)


def control_plane(*arguments: object, directory: Path) -> None:
    """Run a command of the control plane."""
    assert main([*map(str, arguments), "--config", str(directory / "controlplane.toml")]) == 0


def _toml(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"'


@contextlib.contextmanager
def started(*processes: Process) -> Iterator[None]:
    """Start brokers and stop them, whatever happens."""
    try:
        for process in processes:
            process.start()
        yield
    finally:
        for process in processes:
            process.stop()


def nats_server() -> str:
    return str(find_server())
