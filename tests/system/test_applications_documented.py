"""The pages about the application packs: their commands and examples run against a real fleet.

The first command of each page is started as a user does. The others, and the examples, are processes of
their own too, but forks of one that has imported what they need: imports took half of the time.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.fleet import CONTROL_PLANE, LocalFleet

FOLDER = Path(__file__).parents[2] / "docs" / "applications"
PAGES = sorted(FOLDER.glob("*.md"))
EXAMPLES = sorted(FOLDER.glob("*_example.py"))
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WARM = Path(__file__).with_name("warm_commands.py")
LIMIT_S = 120


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    with LocalFleet(tmp_path_factory.mktemp("applications"), agents=2) as started:
        yield started


@pytest.fixture(scope="module")
def environment(fleet: LocalFleet) -> dict[str, str]:
    """The environment of a user of that fleet."""
    with fleet.connect() as connection:
        url = connection.url
    token = str(fleet.directory / CONTROL_PLANE / "admin.token")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"QFLEET_URL": url, "QFLEET_TOKEN_FILE": token, "PATH": path}


class Warm:
    """The process whose forks run commands."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, command: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        out, err = folder / "out.txt", folder / "err.txt"
        asked: dict[str, Any] = {"command": command, "folder": str(folder), "limit_s": LIMIT_S}
        self._process.stdin.write(json.dumps(asked | {"out": str(out), "err": str(err)}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return subprocess.CompletedProcess(command, answer["exit"], out.read_text(), err.read_text())


@pytest.fixture(scope="module")
def warm(environment: dict[str, str]) -> Iterator[Warm]:
    # no threads before a fork
    alone = environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-P", str(WARM)], env=alone, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Warm(process)


def commands(page: Path) -> list[str]:
    lines = [
        line for block in CONSOLE.findall(page.read_text(encoding="utf-8")) for line in block.splitlines()
    ]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ qfleet app ")]


def test_every_pack_has_a_page_with_commands_and_an_example() -> None:
    with_commands = {page.stem for page in PAGES if commands(page)}
    with_example = {example.stem.removesuffix("_example") for example in EXAMPLES}
    assert with_commands == with_example


@pytest.mark.parametrize("command", [page[0] for page in map(commands, PAGES) if page])
def test_the_first_command_of_a_page_does_what_it_says_when_a_user_starts_it(
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


@pytest.mark.parametrize("command", [line for page in PAGES for line in commands(page)[1:]])
def test_a_command_of_a_page_does_what_it_says(command: str, warm: Warm, tmp_path: Path) -> None:
    ended = warm.run(shlex.split(command), tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_runs_and_is_short(example: Path, warm: Warm, tmp_path: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) < 30
    ended = warm.run([str(example)], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip()


@pytest.mark.parametrize("wrong", [["qfleet", "app", "nosuch"], ["nosuch.py"]])
def test_a_command_that_fails_is_seen_to_fail(wrong: list[str], warm: Warm, tmp_path: Path) -> None:
    ended = warm.run(wrong, tmp_path)
    assert ended.returncode != 0
    assert "nosuch" in ended.stderr
