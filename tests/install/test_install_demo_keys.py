"""The demo of keys from start to end: two ways, two foreign clients, a tunnel, an eavesdropper."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

DEMO = [str(Path(sys.executable).with_name("qfleet")), "demo-keys"]
LIMIT_S = 400.0
STOPPED_S = 60.0

pytestmark = pytest.mark.install


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_demo_of_keys_makes_relays_delivers_and_catches_an_eavesdropper(tmp_path: Path) -> None:
    command = [*DEMO, "--directory", str(tmp_path / "demo"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    *honest, tapped = told["sessions"]
    assert [one["status"] for one in honest] == ["key"] * 4
    assert "QBER" in tapped["seen"]
    assert [one["trusted"] for one in told["relays"]] == [["fibre-node"], ["satellite"]]
    assert len(set(told["key_ids"])) == 2
    assert told["alarms"][0]["session"] == tapped["session"]
    assert not (tmp_path / "demo" / "processes.json").exists(), "something was left running"
    logs = [path.read_text(errors="replace") for path in (tmp_path / "demo" / "logs").iterdir()]
    assert not any("Traceback" in log for log in logs)


def test_ctrl_c_in_the_middle_of_the_demo_leaves_nothing_running(tmp_path: Path) -> None:
    """As a terminal does it: the signal goes to the demo and to all that it runs in the foreground."""
    demo, temporary = tmp_path / "demo", tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        [*DEMO, "--directory", str(demo)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        said = b""
        while b"A key session over" not in said:
            line = process.stderr.readline()
            assert line, said.decode()
            said += line
        started = [
            one for each in json.loads((demo / "processes.json").read_bytes()) for one in tree(each["pid"])
        ]
        # the control plane, four agents with their workers, four key deliveries
        assert len(started) >= 9, started
        os.killpg(process.pid, signal.SIGINT)
        said += process.stderr.read()
        assert process.wait(STOPPED_S) == 130, said.decode()
    assert b"Interrupted; stopping everything." in said
    assert b"Traceback" not in said
    left = [one for one in [*started, *mentioning(tmp_path)] if one.is_running()]
    assert left == []
    assert list(temporary.iterdir()) == [], "a socket was left behind"
    assert not (demo / "processes.json").exists()


def tree(pid: int) -> list[psutil.Process]:
    """A process that was recorded, and everything that it has started."""
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def mentioning(directory: Path) -> list[psutil.Process]:
    """Processes, of whatever parent, that were given a path in ``directory``."""
    return [
        one
        for one in psutil.process_iter(["cmdline"])
        if str(directory) in " ".join(one.info["cmdline"] or ())
    ]
