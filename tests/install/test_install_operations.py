"""docs/operations.md, followed command by command on five booted machines, up to the restored backup."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.install import book, wheels
from tests.install.lab import laboratory
from tests.install.machine import Machine, Unavailable

PAGE = wheels.ROOT / "docs" / "operations.md"
MACHINES = ("db", "north", "south", "pi-north", "pi-south")
BIN = "/opt/qfleet/bin"

pytestmark = [
    pytest.mark.install,
    pytest.mark.skipif(
        sys.version_info[:2] != (3, 11),
        reason="the wheels for Debian 12 are picked by Python 3.11, and this is another version",
    ),
]


@pytest.fixture(scope="module")
def machines(
    cache: Path, built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Machine]]:
    """The machines of the page, with nothing of ours on them but the wheels and ``packaging/``."""
    folder = tmp_path_factory.mktemp("laboratory")
    handed = folder / "qfleet"
    shutil.copytree(wheels.ROOT / "packaging", handed / "packaging")
    shutil.copytree(wheels.download(cache, wheels.locked_together()), handed / "dist")
    for wheel in built.values():
        shutil.copy(wheel, handed / "dist")
    (handed / "dist" / "constraints.txt").write_text(wheels.constraints(), encoding="utf-8")
    try:
        with laboratory(cache, folder, MACHINES, book.packages(PAGE), {handed: "/root/qfleet"}) as booted:
            for machine in booted.values():
                book.prepare(machine)
            yield booted
    except Unavailable as error:
        pytest.skip(f"cannot boot containers here: {error}")


def test_the_page_can_be_followed(machines: dict[str, Machine]) -> None:
    steps = book.steps(PAGE)
    assert {step.machine for step in steps} == set(MACHINES)
    said = {step.line: book.follow(machines[step.machine], step, PAGE) for step in steps}
    north = machines["north"]
    regions = _json(north, "region", "list")
    assert {region["name"] for region in regions} == {"north", "south"}
    spain = json.loads((north.root / "root/spain.json").read_text(encoding="utf-8"))
    assert {source["device"] for source in spain["sources"]} == {"pi-south"}
    assert any("residency" in text or "ES" in text for text in said.values())
    jobs = _json(north, "job", "list")
    assert {job["status"] for job in jobs} == {"succeeded"}
    north.wait_for("both devices are back after the restore", lambda: _online(north) == 2, timeout=120)
    verified = north.run(f"{BIN}/qfleet-controlplane", "check")
    assert "audit" in verified.stdout


def _online(machine: Machine) -> int:
    return sum(device["status"] == "online" for device in _json(machine, "device", "list"))


def _json(machine: Machine, *arguments: str) -> list[dict[str, object]]:
    done = machine.run(
        "env", "QFLEET_URL=http://127.0.0.1:8440",
        "QFLEET_TOKEN_FILE=/var/lib/qfleet-controlplane/admin.token",
        f"{BIN}/qfleet", *arguments, "--json", check=False,
    )  # fmt: skip
    answer: list[dict[str, object]] = json.loads(done.stdout) if done.returncode == 0 else []
    return answer
