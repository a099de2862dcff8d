"""A control plane and a broker as processes, and a fleet of light devices that is enrolled in bulk.

Enrolling 10,000 devices by token would measure the rate limit of enrolments; so certificates are
issued with the fleet's own device issuer, and their rows are stored by the authority's own
functions, while the control plane does not run. Everything after that is the real protocol.
"""

import contextlib
import hashlib
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec
import psutil
import sqlalchemy as sa
from benchmarks.fleet_size_generator import Fleet
from benchmarks.fleet_size_region import Identity
from benchmarks.fleet_size_running import Generator

from qfleet_controlplane import settings as configuration
from qfleet_controlplane.authority import accounts, files, membership
from qfleet_controlplane.authority.keyring import Issued
from qfleet_controlplane.authority.sealing import Sealer
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.machine import state
from qfleet_controlplane.store import records
from qfleet_controlplane.store.commit import Commit
from qfleet_controlplane.store.database import Database
from qfleet_wire.channel import certificates, identity, keys
from qfleet_wire.names import DeviceName, FleetName, Millis, RegionName

Broker = Literal["embedded", "mosquitto"]
BROKERS: tuple[Broker, ...] = ("embedded", "mosquitto")
FLEET, REGION = "bench", RegionName("local")
NOBODY = Login("", "")
START_S = 120.0
STOP_S = 60.0
_LOOK_S = 0.02


class Site:
    """A context manager: what was started is gone after it.

    Args:
        directory: empty; everything is kept in it.
        broker: the embedded NATS server, or a Mosquitto of its own.
        devices: how many are enrolled.
    """

    def __init__(self, directory: Path, broker: Broker, devices: int) -> None:
        self.directory = directory
        self.broker = broker
        self.devices = devices
        self.state = directory / "controlplane"
        self._config = self.state / "controlplane.toml"
        self._port = _free_port()
        self.identities: list[Identity] = []
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._generators: list[Generator] = []

    def __enter__(self) -> Self:
        try:
            address = "embedded" if self.broker == "embedded" else f"mqtt://127.0.0.1:{self._port}"
            _run("qfleet-controlplane", "init", "--directory", str(self.state), "--fleet", FLEET,
                 "--region", REGION, "--listen", "127.0.0.1:0", "--broker", address)  # fmt: skip
            self._enrol()
            if self.broker == "mosquitto":
                self.start_broker()
            self.start_control_plane()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # ── processes ───────────────────────────────────────────────────────────────────────────

    def start_control_plane(self) -> None:
        """Start it, and wait until it answers."""
        (self.state / "address.json").unlink(missing_ok=True)
        self._start("controlplane", [_tool("qfleet-controlplane"), "run", "--config", str(self._config)])
        self.wait_for("the control plane answers", self._answers)

    def kill_control_plane(self) -> None:
        """``kill -9``; its embedded broker ends with it."""
        process = self._processes.pop("controlplane")
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait(STOP_S)
        psutil.wait_procs(children, timeout=STOP_S)

    def start_broker(self) -> None:
        """Start the Mosquitto."""
        program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
        if program is None:
            raise SystemExit(
                "Mosquitto is not installed: apt-get install mosquitto, or use --broker embedded"
            )
        path = self.directory / "mosquitto.conf"
        path.write_text(
            f"listener {self._port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            "persistence false\nmax_inflight_messages 20\nmax_queued_messages 100000\nmax_connections -1\n"
            "log_dest none\nuser root\n"
        )
        self._start("mosquitto", [program, "-c", str(path)])
        self.wait_for("the broker listens", self._listens)

    def kill_broker(self) -> None:
        """``kill -9`` the broker and see that it comes back: its supervisor starts it, or we do."""
        if self.broker == "embedded":
            (server,) = [child for child in self.control_plane.children() if "nats" in child.name()]
            server.kill()
        else:
            process = self._processes.pop("mosquitto")
            process.kill()
            process.wait(STOP_S)
            self.start_broker()

    @property
    def control_plane(self) -> psutil.Process:
        """The control plane's own process."""
        return psutil.Process(self._processes["controlplane"].pid)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the broker."""
        if self.broker == "mosquitto":
            return "127.0.0.1", self._port
        addresses = msgspec.json.decode((self.state / "address.json").read_bytes(), type=dict[str, str])
        return "127.0.0.1", int(addresses["broker"].rpartition(":")[2])

    @property
    def broker_process(self) -> psutil.Process:
        """The broker's process."""
        if self.broker == "mosquitto":
            return psutil.Process(self._processes["mosquitto"].pid)
        (server,) = [child for child in self.control_plane.children() if "nats" in child.name()]
        return server

    def stop(self) -> None:
        """Stop all, devices first."""
        for generator in self._generators:
            generator.stop()
        for name in reversed(tuple(self._processes)):
            process = self._processes.pop(name)
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_S)

    # ── what is asked ───────────────────────────────────────────────────────────────────────

    def metrics(self) -> dict[str, float]:
        """Every figure of ``/metrics`` by its name with labels."""
        found = {}
        for line in self._get("/metrics").decode().splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def post(self, path: str, body: object) -> dict[str, object]:
        """Post to the API and return its answer."""
        answer = msgspec.json.decode(self._get(path, json.dumps(body).encode()))
        assert isinstance(answer, dict)
        return answer

    def get(self, path: str) -> object:
        """Ask the API."""
        return msgspec.json.decode(self._get(path))

    def wait_for(self, what: str, holds: Callable[[], bool], *, timeout_s: float = START_S) -> float:
        """Ask until it holds; return the seconds that it took."""
        began = time.monotonic()
        while not holds():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended by itself:\n{self.log(name)[-3000:]}")
            if time.monotonic() - began > timeout_s:
                raise TimeoutError(
                    f"not within {timeout_s:.0f} s: {what}\n{self.log('controlplane')[-2000:]}"
                )
            time.sleep(_LOOK_S)
        return time.monotonic() - began

    def log(self, name: str) -> str:
        """What a process has written so far."""
        path = self.directory / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    # ── the devices ─────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def generator(self, *, heartbeat_s: float = 30.0, arrive: float = 200.0) -> Iterator["Generator"]:
        """Run all devices in a process of their own."""
        host, port = self.address
        layout = files.Layout(self.state / "authority")
        path = self.directory / "fleet.bin"
        path.write_bytes(
            msgspec.msgpack.encode(
                Fleet(REGION, files.read(layout.record), host, port, "", tuple(self.identities))
            )
        )
        generator = Generator(path, self.directory / "generator.log", heartbeat_s, arrive)
        self._generators.append(generator)
        try:
            yield generator
        finally:
            generator.stop()
            self._generators.remove(generator)

    def _enrol(self) -> None:
        chosen = configuration.read(self._config)
        layout = files.Layout(self.state / "authority")
        chain = (files.read(layout.issuer_certificate("device")),)
        issuer = certificates.below(chain, keys.load(files.read_secret(layout.issuer_key("device"))))
        now = Millis(time.time_ns() // 1_000_000)
        validity = certificates.lasting(now, certificates.DEVICE_DAYS)
        made: list[tuple[str, bytes, Issued]] = []
        for number in range(self.devices):
            name, key = f"device-{number}", keys.generate(secrets.token_bytes)
            who = identity.DeviceIdentity(FleetName(FLEET), DeviceName(name))
            public = key.public_key()
            issued = certificates.issue(issuer, public, who, validity, random=secrets.token_bytes)
            made.append((name, keys.save(key), Issued(issued, validity, public.public_bytes_raw())))
        sealer = Sealer(files.read_secret(layout.rest_key), secrets.token_bytes)
        database = Database(chosen.database_url)
        try:
            self.identities = database.writer.transact(
                lambda connection: _store(connection, sealer, made, own_logins=self.broker == "embedded")
            )
        finally:
            database.close()

    def _answers(self) -> bool:
        try:
            self._get("/readyz")
        except OSError:
            return False
        return True

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
            return True
        return False

    def _get(self, path: str, body: bytes | None = None) -> bytes:
        address = msgspec.json.decode((self.state / "address.json").read_bytes(), type=dict[str, str])
        headers = {
            "Authorization": f"Bearer {(self.state / 'admin.token').read_text().strip()}",
            "Content-Type": "application/json",
        }
        request = urllib.request.Request(address["api"] + path, body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    def _start(self, name: str, command: Sequence[str]) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


def _store(
    connection: sa.Connection, sealer: Sealer, made: Sequence[tuple[str, bytes, Issued]], *, own_logins: bool
) -> list[Identity]:
    """Enter devices as an enrolment does: certificate, device row, and a login of their own."""
    rows, entered = [], []
    for name, seed, issued in made:
        device = state.Device(DeviceName(name), "enrolled")
        device.certificate_hash = issued.hash
        device.certificate_expires = issued.validity.not_after
        rows.append(records.device_row(device, REGION))
        csr_hash = hashlib.sha256(issued.public_key).digest()
        membership.enter(connection, device.name, csr_hash, issued)
        login = accounts.give(connection, sealer, REGION, device.name) if own_logins else NOBODY
        entered.append(Identity(name, seed, issued.chain, login.user, login.password))
    Commit(devices=rows).write(connection)
    return entered


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(name: str, *arguments: str) -> None:
    done = subprocess.run([_tool(name), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{name} {arguments[0]} ended with {done.returncode}:\n{done.stderr}")


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
