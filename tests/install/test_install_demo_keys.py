"""The demo of keys from start to end: two ways, two foreign clients, a tunnel, an eavesdropper."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = [str(Path(sys.executable).with_name("qfleet")), "demo-keys"]
LIMIT_S = 400.0

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
