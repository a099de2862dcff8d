"""The pages about workloads: what stands there is run against a real fleet, and holds."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.fleet import CONTROL_PLANE, LocalFleet

from qfleet import jobfile

PAGES = sorted((Path(__file__).parents[2] / "docs" / "workloads").glob("*.md"))
CODE = re.compile(r"^```(python|toml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    with LocalFleet(tmp_path_factory.mktemp("workloads"), agents=2) as started:
        yield started


@pytest.fixture(autouse=True)
def configured(fleet: LocalFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a user of that fleet."""
    with fleet.connect() as connection:
        monkeypatch.setenv("QFLEET_URL", connection.url)
    monkeypatch.setenv("QFLEET_TOKEN_FILE", str(fleet.directory / CONTROL_PLANE / "admin.token"))


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in CODE.findall(page.read_text()) if found == language]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem
)
def test_the_python_of_a_page_runs_and_what_it_asserts_holds(page: Path) -> None:
    code = blocks(page, "python")
    assert any("assert" in block for block in code), "nothing on the page would fail"
    namespace: dict[str, object] = {"__name__": page.stem}
    for block in code:
        exec(compile(block, f"{page.name}, python", "exec"), namespace)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")], ids=lambda page: page.stem)
def test_the_job_files_of_a_page_run(page: Path, fleet: LocalFleet, tmp_path: Path) -> None:
    for number, text in enumerate(blocks(page, "toml")):
        file = tmp_path / f"{page.stem}-{number}.toml"
        file.write_text(text)
        with fleet.connect() as connection:
            assert connection.run(jobfile.load(file), timeout_s=PATIENCE_S).status == "succeeded"
