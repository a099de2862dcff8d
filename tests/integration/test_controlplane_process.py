"""The command ``qfleet-controlplane`` as a process of its own: exit codes, signals, readiness."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from tests.integration.site_of_controlplane import initialise

COMMAND = [sys.executable, "-c", "import sys; from qfleet_controlplane.command import main; sys.exit(main())"]
PATIENCE_S = 30.0


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


def wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


class Running:
    """A running control plane and how to reach it."""

    def __init__(self, directory: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.directory, self.process, self._log = directory, process, log

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def url(self) -> str:
        return str(json.loads((self.directory / "address.json").read_bytes())["api"])

    @property
    def token(self) -> str:
        return (self.directory / "admin.token").read_text().strip()

    def broker(self) -> psutil.Process | None:
        children = psutil.Process(self.process.pid).children()
        return next((child for child in children if child.name() == "nats-server"), None)

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except (httpx.HTTPError, OSError, ValueError):
            return False


@contextlib.contextmanager
def running(directory: Path, **environment: str) -> Iterator[Running]:
    (directory / "address.json").unlink(missing_ok=True)
    log = directory.parent / "log"
    arguments = [*COMMAND, "run", "--config", str(directory / "controlplane.toml")]
    with log.open("wb") as sink:
        process = subprocess.Popen(arguments, stderr=sink, env={**os.environ, **environment})
    site = Running(directory, process, log)
    try:
        wait_for(site.ready, "the control plane is ready")
        yield site
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "controlplane"
    initialise(made)
    return made


def test_it_serves_whoever_has_a_token_and_stops_cleanly(directory: Path) -> None:
    with running(directory) as site:
        answer = httpx.get(f"{site.url}/api/v1/fleet")
        assert answer.status_code == 401
        headers = {"Authorization": f"Bearer {site.token}"}
        fleet = httpx.get(f"{site.url}/api/v1/fleet", headers=headers).json()
        assert (fleet["fleet"], fleet["region"], fleet["devices"]) == ("home", "north", 0)
        broker = site.broker()
        assert broker is not None
        submitted = httpx.post(f"{site.url}/api/v1/jobs", headers=headers, json={"kind": "probe.echo"})
        assert submitted.status_code == 201
        job = submitted.json()["id"]
        with httpx.stream("GET", f"{site.url}/api/v1/jobs/{job}/events", headers=headers) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: job"
            site.process.send_signal(signal.SIGTERM)  # a watcher does not hold it up
            assert site.process.wait(15) == 0
        assert not broker.is_running()
    assert "The control plane stops." in site.log
    assert "Traceback" not in site.log
    assert site.token not in site.log


def test_a_refused_program_says_where(directory: Path) -> None:
    with running(directory) as site:
        answer = httpx.post(
            f"{site.url}/api/v1/jobs",
            headers={"Authorization": f"Bearer {site.token}"},
            json={
                "kind": "circuit.sample",
                "shots": 1,
                "program": "OPENQASM 3.0;\nqubit q;\n  nonsense q;\n",
            },
        )
        problem = answer.json()
        assert answer.status_code == 422
        assert (problem["code"], problem["field"], problem["where"]["line"]) == ("program", "program", 3)


def test_a_killed_control_plane_takes_its_broker_along_and_comes_back(directory: Path) -> None:
    with running(directory) as site:
        address = json.loads((directory / "address.json").read_bytes())
        broker = site.broker()
        assert broker is not None
        site.process.kill()
        site.process.wait(10)
        wait_for(lambda: not broker.is_running(), "the broker ends with its parent")
    with running(directory):  # at the same addresses, which devices and people remember
        assert json.loads((directory / "address.json").read_bytes()) == address


def test_a_killed_broker_comes_back_and_the_link_with_it(directory: Path) -> None:
    with running(directory) as site:
        broker = site.broker()
        assert broker is not None
        broker.kill()
        wait_for(lambda: not site.ready(), "readiness says that the broker is gone")
        assert httpx.get(f"{site.url}/healthz").text == "ok\n"
        wait_for(site.ready, "broker and link are back")
        metrics = httpx.get(f"{site.url}/metrics").text
        assert "qfleet_broker_restarts 1\n" in metrics


def test_systemd_hears_ready_watchdog_and_stopping(directory: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        with running(directory, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000"):
            heard = {systemd.recv(64) for _ in range(4)}
        assert heard == {b"READY=1", b"WATCHDOG=1"}
        while (word := systemd.recv(64)) == b"WATCHDOG=1":
            pass
        assert word == b"STOPPING=1"


def test_init_protects_what_is_secret_and_never_overwrites(directory: Path) -> None:
    for name in ("admin.token", "authority/root.key", "authority/rest.key"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o400
    again = command("init", "--directory", str(directory))
    assert again.returncode == 78
    assert "exists already" in again.stderr
    assert again.stdout == ""


def test_the_admin_token_is_printed_once(tmp_path: Path) -> None:
    made = command("init", "--directory", str(tmp_path / "c"), "--fleet", "home", "--region", "north")
    token = (tmp_path / "c" / "admin.token").read_text().strip()
    assert made.stdout.count(token) == 1
    database = (tmp_path / "c" / "controlplane.db").read_bytes()
    assert token.encode() not in database


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["init", "--region", "North Pole"], 78, "North Pole"),
        (["init", "--listen", "here"], 78, "HOST:PORT"),
        (["init", "--listen", "0.0.0.0:1"], 78, "tls_certificate"),
        (["init", "--broker", "mqtt://u:p@h"], 78, "login"),
        (["run", "--config", "/nonexistent.toml"], 78, "init"),
        (["rnu"], 2, "invalid choice"),
    ],
)
def test_wrong_usage_says_what_to_do(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    if arguments[0] == "init":
        arguments = [*arguments, "--directory", str(tmp_path / "c")]
    done = command(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "c").exists()


def test_an_unknown_setting_ends_with_78_and_its_nearest_match(directory: Path) -> None:
    config = directory / "controlplane.toml"
    config.write_text(config.read_text().replace("region", "regoin"))
    done = command("run", "--config", str(config))
    assert done.returncode == 78
    assert "did you mean `region`?" in done.stderr


def test_check_looks_at_everything(directory: Path) -> None:
    config = str(directory / "controlplane.toml")
    stopped = command("check", "--config", config)
    assert stopped.returncode == 0, stopped.stdout
    assert "take it offline" in stopped.stdout
    with running(directory):
        live = command("check", "--config", config)
        assert live.returncode == 0, live.stdout
        assert "a round trip over the broker takes" in live.stdout
    (directory / "authority" / "controller.key").unlink()
    broken = command("check", "--config", config)
    assert broken.returncode == 1
    assert "controller.key" in broken.stdout


def test_tokens_are_added_and_revoked_while_it_runs(directory: Path) -> None:
    config = ("--config", str(directory / "controlplane.toml"))
    with running(directory) as site:
        added = command("token", "add", "dashboard", "--role", "viewer", *config)
        headers = {"Authorization": f"Bearer {added.stdout.strip()}"}
        wait_for(
            lambda: httpx.get(f"{site.url}/api/v1/jobs", headers=headers).status_code == 200, "it is known"
        )
        refused = httpx.post(f"{site.url}/api/v1/jobs", headers=headers, json={"kind": "probe.echo"})
        assert refused.status_code == 403
        assert "dashboard            viewer" in command("token", "list", *config).stdout
        assert command("token", "add", "dashboard", *config).returncode == 78
        assert command("token", "revoke", "dashboard", *config).returncode == 0
        wait_for(
            lambda: httpx.get(f"{site.url}/api/v1/jobs", headers=headers).status_code == 401, "it has ended"
        )
        assert command("token", "revoke", "dashboard", *config).returncode == 78


def test_the_root_key_comes_back_to_renew_and_revoke(directory: Path, tmp_path: Path) -> None:
    config = ("--config", str(directory / "controlplane.toml"))
    away = tmp_path / "stick" / "root.key"
    away.parent.mkdir()
    (directory / "authority" / "root.key").rename(away)
    missing = command("authority", "renew-issuers", *config)
    assert missing.returncode == 78
    assert "root.key" in missing.stderr
    renewed = command("authority", "renew-issuers", "--root-key", str(away), *config)
    assert renewed.returncode == 0, renewed.stderr
    certificate = str(directory / "authority" / "controller.der")
    revoked = command("authority", "revoke-controller", certificate, "--root-key", str(away), *config)
    assert revoked.returncode == 0, revoked.stderr
    assert "Version 1" in revoked.stdout
    with running(directory) as site:
        assert site.ready()
