"""Commands and Python in the documentation: they exist, and run as they stand there."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
from tests.integration import fake_controlplane as fakes
from typer.testing import CliRunner, Result

from qfleet.command.application import application

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^\$ (qfleet [^#\n]*)", re.MULTILINE)
COMMANDS = [(page.name, line.strip()) for page in PAGES for line in COMMAND.findall(page.read_text())]


def test_the_documentation_has_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_of_the_documentation_exist(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    words = shlex.split(line)[1:]
    shown = _help(words)
    assert shown.exit_code == 0, f"{page}: {line}"
    for option in (word for word in words if word.startswith("--")):
        assert option in shown.stdout, f"{page}: {line}"


def _help(words: list[str]) -> Result:
    """The help of a command; packs bring theirs with them."""
    if words[0] == "app":
        pack = importlib.import_module(f"qfleet_applications.{words[1]}.command")
        return CliRunner().invoke(pack.application, [words[2], "--help"])
    names = words[: 2 if words[0] in {"device", "job", "key", "network"} else 1]
    return CliRunner().invoke(application, [*names, "--help"])


def test_python_of_the_documentation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "programs.md").read_text(), re.DOTALL)
    token = tmp_path / "token"
    token.write_text(fakes.TOKEN)
    with fakes.running() as fake:
        fake.on("POST", "jobs", fakes.of(fakes.detail().job, 201))
        fake.on("GET", "jobs/job-1", fakes.of(fakes.detail("succeeded", 1.0)))
        fake.on("GET", "jobs/job-1/result", fakes.of(fakes.sampled({"00": 1000, "11": 24})))
        monkeypatch.setenv("QFLEET_URL", fake.url)
        monkeypatch.setenv("QFLEET_TOKEN_FILE", str(token))
        printed: list[object] = []
        exec(code, {"print": lambda *words: printed.extend(words)})
        assert printed[-1] == {"00": 1000, "11": 24}
        assert fake.asked[0].json["parameters"] == [{"theta": 0.5}, {"theta": 1.5}]
