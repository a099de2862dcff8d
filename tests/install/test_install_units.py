"""The units as files: systemd finds nothing wrong with them, and they are hardened."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
NAMES = ("qfleet-agent.service", "qfleet-controlplane.service")
EVERY = (*NAMES, "qfleet-agent-keys.service", "qfleet-wireguard.service")
MOST_EXPOSURE = 2.5

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: apt-get install systemd"
)


def analyse(*arguments: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", EVERY)
def test_a_unit_verifies_without_a_word(name: str, tmp_path: Path) -> None:
    # Where the programs are not installed, only their paths may be another's.
    text = (UNITS / name).read_text(encoding="utf-8")
    unit = tmp_path / name
    unit.write_text(re.sub(r"/opt/qfleet/bin/\S+", "/bin/true", text), encoding="utf-8")
    assert analyse("verify", str(unit)) == ""


@pytest.mark.parametrize("name", EVERY)
def test_a_unit_exposes_little(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = analyse("security", "--offline=true", str(UNITS / name))
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", report)
    assert exposure is not None, report
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: exposure {exposure[1]} of at most {MOST_EXPOSURE}\n")
    assert float(exposure[1]) <= MOST_EXPOSURE


def test_the_rotator_may_set_interfaces_and_nothing_else() -> None:
    lines = (UNITS / "qfleet-wireguard.service").read_text(encoding="utf-8").splitlines()
    for setting in ("CapabilityBoundingSet", "AmbientCapabilities"):
        assert [line for line in lines if line.startswith(setting)] == [f"{setting}=CAP_NET_ADMIN"]


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_is_watched_and_does_not_loop(name: str) -> None:
    lines = (UNITS / name).read_text(encoding="utf-8").splitlines()
    for setting in ("Type=notify", "Restart=on-failure", "RestartPreventExitStatus=78", "OOMPolicy=continue"):
        assert setting in lines
    for key in ("WatchdogSec", "StateDirectory", "LoadCredential", "MemoryMax", "User", "StartLimitBurst"):
        assert any(line.startswith(f"{key}=") for line in lines), key
