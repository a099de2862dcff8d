"""The whole demo, as a newcomer runs it: results agree, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from qfleet import Fleet, JobRequest
from qfleet_applications import maxcut
from qfleet_applications.graphs import Graph

DEMO = [str(Path(sys.executable).with_name("qfleet")), "demo"]
LIMIT_S = 180.0


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "demo"
    assert running_in(tmp_path / "demo") == []


def running_in(directory: Path) -> list[str]:
    """Command lines of processes that have anything to do with ``directory``."""
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(directory) in line and process.info["pid"] != os.getpid():
            found.append(line)
    return found


def environment() -> Mapping[str, str]:
    """No terminal, so that nothing is drawn; wide enough for every line."""
    return {**os.environ, "COLUMNS": "160", "TERM": "dumb"}


def demo(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, "--directory", str(directory), *options],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment(),
        check=False,
    )


def qfleet(*arguments: str, running: Mapping[str, str]) -> Any:
    """A command that answers in JSON, told where the fleet is as the demo says."""
    done = subprocess.run(
        [DEMO[0], *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**environment(), "QFLEET_URL": running["url"], "QFLEET_TOKEN_FILE": running["token_file"]},
        check=True,
    )
    return json.loads(done.stdout)


def test_all_results_agree_with_the_exact_values(directory: Path) -> None:
    done = demo(directory)
    assert done.returncode == 0, done.stderr
    assert "DIFFERS" not in done.stdout
    assert done.stdout.count("agrees") == 3 + 9 + 24
    assert "All 36 results agree with the exact values." in done.stdout
    assert "simulated" in done.stdout
    for device in ("bench-pi", "lab-jetson", "plant-gateway"):
        assert f"{device}: " in done.stdout


def test_kept_demo_can_be_used_and_stopped(directory: Path) -> None:
    kept = demo(directory, "--keep", "--json")
    try:
        assert kept.returncode == 0, kept.stderr
        report = json.loads(kept.stdout)
        landscape = report["exercises"][2]
        assert {source["device"] for source in landscape["sources"]} == {
            "bench-pi",
            "lab-jetson",
            "plant-gateway",
        }
        devices = qfleet("device", "list", running=report["running"])
        assert [device["status"] for device in devices] == ["online"] * 3
        assert len({device["profile"] for device in devices}) == 3
        program = directory.parent / "flip.qasm"
        program.write_text(
            'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; x q[0]; c = measure q;'
        )
        result = qfleet("run", str(program), "--shots", "50", "--watch", running=report["running"])
        assert result["items"][0]["counts"] == {"01": 50}
        use_from_python(report["running"])
    finally:
        stopped = demo(directory, "--stop", "--json")
    assert json.loads(stopped.stdout)["stopped"] == 4


def use_from_python(running: Mapping[str, str]) -> None:
    """A pack solves its problem through the SDK, and a watched job is seen to its end."""
    graph = Graph(4, ((0, 1, 1.0), (1, 2, 2.0), (0, 2, -0.5), (2, 3, 1.5)))
    token = Path(running["token_file"]).read_text().strip()
    with Fleet(running["url"], token) as fleet:
        grid = maxcut.Grid([-0.4, 0.4, 0.8], [0.2, 0.4])
        solution = maxcut.solve(fleet, graph, grid=grid, shots=200)
        assert solution.deviation < 1e-9
        assert solution.cut == solution.answer.classical.value
        request = JobRequest(kind="probe.echo", items=20)
        changes = list(fleet.watch(fleet.submit(request).id))
        assert changes[-1].job.status == "succeeded"
        assert changes[-1].job.tasks.succeeded == len(changes[-1].tasks)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(directory: Path, number: signal.Signals) -> None:
    with start_until_devices_run(directory) as process:
        process.send_signal(number)
        assert process.wait(60) == 130


def test_what_a_killed_demo_left_is_stopped_by_the_next(directory: Path) -> None:
    with start_until_devices_run(directory) as process:
        process.kill()
    assert running_in(directory)
    stopped = demo(directory, "--stop")
    assert "Stopped" in stopped.stderr
    # An enrolment that was under way is nobody's child any more, and ends by itself.
    end = time.monotonic() + 60
    while running_in(directory) and time.monotonic() < end:
        time.sleep(0.1)
    assert running_in(directory) == []


def start_until_devices_run(directory: Path) -> subprocess.Popen[bytes]:
    """Start the demo and return when its first device runs."""
    process = subprocess.Popen(
        [*DEMO, "--directory", str(directory)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    end = time.monotonic() + 60
    while not any("qfleet-agent run" in line for line in running_in(directory)):
        assert process.poll() is None, "the demo ended by itself"
        assert time.monotonic() < end, "no device was started"
        time.sleep(0.05)
    return process
