"""The units on a Debian 12 with a booted systemd: installed as docs/install.md says, started, and broken.

Control plane and agent share the machine, each under its own user. Only the waiting times of the units
are shortened; what they may do is what the files in packaging/systemd say.
"""

import contextlib
import json
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.install import wheels
from tests.install.machine import Machine, Unavailable, base_system, boot

UNITS = wheels.ROOT / "packaging" / "systemd"
AGENT, CONTROL_PLANE = "qfleet-agent", "qfleet-controlplane"
DEVICE = "boxed"
WORKER = "qfleet_agent.workers.child"
BIN = "/opt/qfleet/bin"
SHORTER = "[Service]\nWatchdogSec=5s\nTimeoutAbortSec=2s\nRestartSec=200ms\n"
GHZ = """OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
h q[0];
cx q[0], q[1];
cx q[1], q[2];
c = measure q;
"""

pytestmark = [
    pytest.mark.install,
    pytest.mark.skipif(
        sys.version_info[:2] != (3, 11),
        reason="the wheels for Debian 12 are picked by Python 3.11, and this is another version",
    ),
]


@pytest.fixture(scope="module")
def machine(
    cache: Path, built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A machine with both units up and the agent enrolled."""
    root = tmp_path_factory.mktemp("machine") / "root"
    root.mkdir()
    third_party = wheels.download(cache, wheels.locked_together())
    try:
        booted = boot(
            base_system(cache), root, read_only={third_party: "/wheels", built["qfleet"].parent: "/members"}
        )
    except Unavailable as error:
        pytest.skip(f"cannot boot a container here: {error}")
    try:
        _install(booted)
        _start(booted)
        yield booted
    finally:
        booted.power_off()
        shutil.rmtree(root, ignore_errors=True)


def _install(machine: Machine) -> None:
    machine.run("python3", "-m", "venv", "/opt/qfleet")
    machine.run(
        f"{BIN}/pip", "install", "--quiet", "--no-index", "--find-links=/wheels", "--find-links=/members",
        "qfleet-agent[circuits]", "qfleet-controlplane[broker]", "qfleet",
    )  # fmt: skip
    for file, folder in (("qfleet.sysusers", "sysusers.d"), ("qfleet.tmpfiles", "tmpfiles.d")):
        machine.write(f"/usr/lib/{folder}/qfleet.conf", (UNITS / file).read_text(encoding="utf-8"))
    for unit in (AGENT, CONTROL_PLANE):
        text = (UNITS / f"{unit}.service").read_text(encoding="utf-8")
        machine.write(f"/etc/systemd/system/{unit}.service", text)
        machine.write(f"/etc/systemd/system/{unit}.service.d/shorter.conf", SHORTER)
    machine.run("systemd-sysusers")
    machine.run("systemd-tmpfiles", "--create", "qfleet.conf")
    machine.run("systemctl", "daemon-reload")


def _start(machine: Machine) -> None:
    machine.run(f"{BIN}/qfleet-controlplane", "init", "--fleet", "test", "--region", "local")
    machine.run("systemctl", "enable", "--now", CONTROL_PLANE)
    token = json.loads(qfleet(machine, "device", "invite", DEVICE, "--json"))["token"]
    machine.run("runuser", "-u", AGENT, "--", f"{BIN}/qfleet-agent", "enrol", "-", text=f"{token}\n")
    machine.run("systemctl", "enable", "--now", AGENT)
    wait_online(machine)


def qfleet(machine: Machine, *arguments: str, check: bool = True) -> str:
    """Run the client as the operator of this machine."""
    return machine.run(
        "env", "QFLEET_URL=http://127.0.0.1:8440", f"QFLEET_TOKEN_FILE=/var/lib/{CONTROL_PLANE}/admin.token",
        f"{BIN}/qfleet", *arguments, check=check,
    ).stdout  # fmt: skip


def wait_online(machine: Machine) -> None:
    def is_online() -> bool:
        listed = qfleet(machine, "device", "list", "--json", check=False)
        return bool(listed) and any(device["status"] == "online" for device in json.loads(listed))

    try:
        machine.wait_for("the device is online", is_online, timeout=150)
    except AssertionError as error:
        raise AssertionError(
            f"{error}\n{machine.journal(AGENT)}\n{machine.journal(CONTROL_PLANE)}"
        ) from error


@pytest.mark.parametrize("unit", [AGENT, CONTROL_PLANE])
def test_a_unit_runs_as_its_own_user_and_systemd_has_nothing_to_say(machine: Machine, unit: str) -> None:
    state = machine.unit(unit)
    assert (state["ActiveState"], state["SubState"], state["NRestarts"]) == ("active", "running", "0")
    assert machine.run("stat", "--format", "%U", f"/proc/{state['MainPID']}").stdout.strip() == unit
    verified = machine.run("systemd-analyze", "verify", f"{unit}.service")
    assert verified.stdout + verified.stderr == ""


def test_a_job_runs_within_what_the_units_allow(machine: Machine) -> None:
    machine.write("/root/ghz.qasm", GHZ)
    result = json.loads(qfleet(machine, "run", "/root/ghz.qasm", "--shots", "1000", "--watch", "--json"))
    counts = result["items"][0]["counts"]
    assert set(counts) <= {"000", "111"}
    assert sum(counts.values()) == 1000


@pytest.mark.parametrize("unit", [AGENT, CONTROL_PLANE])
def test_the_watchdog_restarts_a_loop_that_stands_still(machine: Machine, unit: str) -> None:
    before = machine.unit(unit)
    machine.run("systemctl", "kill", "--kill-who=main", "--signal=STOP", unit)

    def is_back() -> bool:
        now = machine.unit(unit)
        return now["ActiveState"] == "active" and int(now["NRestarts"]) == int(before["NRestarts"]) + 1

    machine.wait_for(f"{unit} is restarted", is_back)
    assert machine.unit(unit)["MainPID"] != before["MainPID"]
    assert "Watchdog timeout" in machine.journal(unit)
    wait_online(machine)


@pytest.mark.parametrize(
    ("unit", "configuration", "line"),
    [
        (AGENT, "/etc/qfleet/agent.toml", "wrokers = 2\n"),
        (CONTROL_PLANE, "/etc/qfleet/controlplane.toml", 'fleeet = "x"\n'),
    ],
)
def test_a_wrong_setting_is_said_once_and_not_tried_again(
    machine: Machine, unit: str, configuration: str, line: str
) -> None:
    file = machine.root / configuration.lstrip("/")
    right = file.read_text(encoding="utf-8") if file.exists() else ""
    machine.run("systemctl", "stop", unit)
    machine.run("systemctl", "reset-failed", unit, check=False)
    machine.write(configuration, line + right)
    try:
        machine.run("systemctl", "start", unit, check=False)
        state = machine.unit(unit)
        # Between two tries a unit that loops is "activating (auto-restart)".
        assert (state["ActiveState"], state["SubState"], state["Result"]) == ("failed", "failed", "exit-code")
        assert (state["ExecMainStatus"], state["NRestarts"]) == ("78", "0")
        assert "did you mean" in machine.journal(unit)
    finally:
        machine.write(configuration, right)
        machine.run("systemctl", "reset-failed", unit)
        machine.run("systemctl", "start", unit)
    wait_online(machine)


def test_an_agent_that_loses_its_broker_connects_again_and_is_not_restarted(machine: Machine) -> None:
    before = machine.unit(AGENT)
    machine.run("systemctl", "stop", CONTROL_PLANE)  # its broker goes with it
    machine.wait_for("the loss is seen", lambda: "not connected" in machine.unit(AGENT)["StatusText"])
    machine.run("systemctl", "start", CONTROL_PLANE)

    def is_back() -> bool:
        now = machine.unit(AGENT)
        return now["MainPID"] != before["MainPID"] or now["StatusText"].startswith("connected")

    machine.wait_for("the agent is connected", is_back)
    after = machine.unit(AGENT)
    same = (after["MainPID"], after["NRestarts"]) == (before["MainPID"], before["NRestarts"])
    assert same, machine.journal(AGENT)


def test_a_worker_over_its_memory_limit_harms_nobody_else(machine: Machine) -> None:
    # Admission lets no task in that is too large, so the limit moves, not the task. Its state of 64 MiB is
    # more than an allocator keeps for the next one, so that a worker must ask for memory.
    before = machine.unit(AGENT)
    machine.write("/root/wide.qasm", GHZ.replace("[3]", "[22]"))
    sample = ("run", "/root/wide.qasm", "--shots", "10", "--watch", "--json")
    qfleet(machine, *sample)
    said: list[str] = []
    for _ in range(5):  # a worker that measures engines meanwhile dies of it, and a sound one takes its place
        for worker in machine.processes(WORKER):
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
                _lower_limit(worker)
        qfleet(machine, *sample, check=False)
        said = _errors_of_the_last_job(machine)
        if said:
            break
    assert any("memory" in error or "worker died" in error for error in said), (said, machine.journal(AGENT))
    for worker in machine.processes(WORKER):
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
    result = json.loads(qfleet(machine, *sample))
    assert sum(result["items"][0]["counts"].values()) == 10
    after = machine.unit(AGENT)
    same = (after["MainPID"], after["NRestarts"]) == (before["MainPID"], before["NRestarts"])
    assert same, machine.journal(AGENT)


def _errors_of_the_last_job(machine: Machine) -> list[str]:
    last = json.loads(qfleet(machine, "job", "list", "--json"))[0]
    tasks = json.loads(qfleet(machine, "job", "show", last["id"], "--json"))["tasks"]
    return [error for task in tasks for error in task["errors"]]


def _lower_limit(worker: psutil.Process) -> None:
    """Move a worker's memory limit below what it has: the kernel's limit where it has a group of its own."""
    own = Path(f"/proc/{worker.pid}/cgroup").read_text(encoding="utf-8")
    group = next(line[4:] for line in own.splitlines() if line.startswith("0::/"))
    limit = Path(f"/sys/fs/cgroup/{group}/memory.max")
    if limit.exists():
        limit.write_text("1M", encoding="utf-8")
    else:
        resource.prlimit(worker.pid, resource.RLIMIT_DATA, (1, 1))


def test_stopping_is_clean(machine: Machine) -> None:
    machine.run("systemctl", "stop", AGENT)
    stopped = machine.unit(AGENT)
    ended = (stopped["ActiveState"], stopped["Result"], stopped["ExecMainStatus"])
    assert ended == ("inactive", "success", "0"), machine.journal(AGENT)
    machine.run("systemctl", "start", AGENT)
    wait_online(machine)
