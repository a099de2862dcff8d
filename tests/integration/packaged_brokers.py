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
        self._configure()
        self.rebuild()
        self.fresh_accounts = folder / "fresh.json"
        shutil.copy(self.accounts, self.fresh_accounts)
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
        template = (source / "mosquitto.conf.in").read_text()
        rendered.write_text(self._adapt(string.Template(template).substitute(settings)))
        give_to_mosquitto(folder, self.certificates.key, self.certificates.certificate)
        log = folder / "mosquitto.log"
        self.broker = Process([program, "-c", str(rendered)], {}, log, lambda: listens(self.port))

    def _configure(self) -> None:
        configure(self.directory, self.url, accounts="dynsec", ca_file=self.certificates.authority)

    def _adapt(self, rendered: str) -> str:
        return rendered

    @property
    def processes(self) -> list[Process]:
        return [self.broker]

    def rebuild(self) -> None:
        """Write the plugin's file from the device table, as an operator does."""
        control_plane("broker", "rebuild", "--output", self.accounts, directory=self.directory)
        give_to_mosquitto(self.folder, self.accounts)


class FiledMosquitto(SecuredMosquitto):
    """The same with a password file and an access file in place of the plugin, as the README says."""

    def _configure(self) -> None:
        self.accounts = self.folder / "qfleet.passwords"
        self._access = self.folder / "qfleet.acl"
        self._pid = self.folder / "pid"
        configure(
            self.directory,
            self.url,
            accounts="mosquitto",
            accounts_file=self.accounts,
            reload_command=["/bin/sh", "-c", f"kill -HUP $(cat {self._pid})"],
            ca_file=self.certificates.authority,
        )
        control_plane("broker", "access", self._access, directory=self.directory)
        give_to_mosquitto(self.folder, self._access)

    def _adapt(self, rendered: str) -> str:
        kept = [line for line in rendered.splitlines() if not line.startswith("plugin")]
        kept += [f"password_file {self.accounts}", f"acl_file {self._access}", f"pid_file {self._pid}"]
        return "\n".join(kept) + "\n"


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


class NatsNode(Process):
    """A NATS server from a packaged configuration, with a folder and a users file of its own."""

    def __init__(self, folder: Path, source: str, settings: Mapping[str, object], port: int) -> None:
        folder.mkdir()
        (file,) = (PACKAGING / source).glob("*.conf")
        shutil.copy(file, folder)
        environment = variables(PACKAGING / source / "site.env", STORE_DIR=folder / "store", **settings)
        command = [str(find_server()), "-c", str(folder / file.name)]
        super().__init__(command, environment, folder / "log", lambda: listens(port))
        self.folder, self.port = folder, port
        self.pid_file = folder / "pid"

    def start(self) -> None:
        super().start()
        self.pid_file.write_text(str(self.pid))


class NatsSite:
    """NATS servers with the control plane's accounts, and a control plane that is configured for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificates: Certificates = broker_certificates.make(folder, HOST, title="nats")
        self.directory = folder / "controlplane"
        self.users = folder / "users.conf"
        self.nodes: list[NatsNode] = []

    @property
    def processes(self) -> list[Process]:
        return [*self.nodes]

    @property
    def tls(self) -> dict[str, object]:
        return {"BROKER_CERTIFICATE": self.certificates.certificate, "BROKER_KEY": self.certificates.key}

    def single(self) -> "NatsSite":
        """One server."""
        port = free_port()
        settings = {"MQTT_LISTEN": f"{HOST}:{port}", **self.tls}
        self.nodes = [NatsNode(self.folder / "nats", "nats", settings, port)]
        return self._finish(self.nodes)

    def cluster(self) -> "NatsSite":
        """Three servers and a leaf; the control plane knows the three."""
        routes = [free_port() for _ in range(3)]
        leaves = [free_port() for _ in range(3)]
        ports = [free_port() for _ in range(4)]
        shared = {f"ROUTE_{number + 1}": f"nats-route://{HOST}:{port}" for number, port in enumerate(routes)}
        for number in range(3):
            settings = {
                "NODE_NAME": f"node-{number + 1}",
                "MQTT_LISTEN": f"{HOST}:{ports[number]}",
                "CLUSTER_LISTEN": f"{HOST}:{routes[number]}",
                "LEAF_LISTEN": f"{HOST}:{leaves[number]}",
                "LEAF_PASSWORD": "p4ssword",
                "BROKER_CA": self.certificates.authority,
                **shared,
                **self.tls,
            }
            folder = self.folder / f"node-{number + 1}"
            self.nodes.append(NatsNode(folder, "nats-cluster", settings, ports[number]))
        hubs = {
            f"HUB_{number + 1}": f"tls://site:p4ssword@{HOST}:{port}" for number, port in enumerate(leaves)
        }
        settings = {
            "MQTT_LISTEN": f"{HOST}:{ports[3]}",
            "HUB_CA": self.certificates.authority,
            **hubs,
            **self.tls,
        }
        self.nodes.append(NatsNode(self.folder / "leaf", "leaf", settings, ports[3]))
        return self._finish(self.nodes[:3])

    @property
    def leaf(self) -> NatsNode:
        return self.nodes[3]

    def url(self, *nodes: NatsNode) -> str:
        return ",".join(f"mqtts://{HOST}:{node.port}" for node in nodes)

    def _finish(self, reached: list[NatsNode]) -> "NatsSite":
        """Configure the control plane; its command brings the users to every server and signals it."""
        script = self.folder / "distribute"
        lines = ["#!/bin/sh", "set -e"]
        for node in self.nodes:
            lines.append(f"cp {self.users} {node.folder}/users.conf")
            lines.append(f"kill -HUP $(cat {node.pid_file}) 2>/dev/null || true")
        script.write_text("\n".join(lines) + "\n")
        script.chmod(0o700)
        configure(
            self.directory,
            self.url(*reached),
            accounts="nats",
            accounts_file=self.users,
            reload_command=[str(script)],
            ca_file=self.certificates.authority,
        )
        control_plane("broker", "rebuild", "--output", self.users, directory=self.directory)
        for node in self.nodes:
            shutil.copy(self.users, node.folder)
        return self
