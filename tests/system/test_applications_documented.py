"""The pages about the application packs: their commands and examples run against a real fleet."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.fleet import CONTROL_PLANE, LocalFleet

FOLDER = Path(__file__).parents[2] / "docs" / "applications"
PAGES = sorted(FOLDER.glob("*.md"))
EXAMPLES = sorted(FOLDER.glob("*_example.py"))
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LIMIT_S = 120.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    with LocalFleet(tmp_path_factory.mktemp("applications"), agents=2) as started:
        yield started


@pytest.fixture
def environment(fleet: LocalFleet) -> dict[str, str]:
    """The environment of a user of that fleet."""
    with fleet.connect() as connection:
        url = connection.url
    token = str(fleet.directory / CONTROL_PLANE / "admin.token")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"QFLEET_URL": url, "QFLEET_TOKEN_FILE": token, "PATH": path}


def commands(page: Path) -> list[str]:
    lines = [
        line for block in CONSOLE.findall(page.read_text(encoding="utf-8")) for line in block.splitlines()
    ]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ qfleet app ")]


def test_every_pack_has_a_page_with_commands_and_an_example() -> None:
    with_commands = {page.stem for page in PAGES if commands(page)}
    with_example = {example.stem.removesuffix("_example") for example in EXAMPLES}
    assert with_commands == with_example


@pytest.mark.parametrize("command", [line for page in PAGES for line in commands(page)])
def test_a_command_of_a_page_does_what_it_says(
    command: str, environment: dict[str, str], tmp_path: Path
) -> None:
    ended = subprocess.run(
        shlex.split(command),
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_runs_and_is_short(example: Path, environment: dict[str, str], tmp_path: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) < 30
    ended = subprocess.run(
        [sys.executable, str(example)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip()
