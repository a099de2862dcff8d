"""What the documents point at is there: files, pages, and the figures that can be measured."""

import ast
import re
from pathlib import Path

import pytest
from benchmarks.__main__ import LONG, NAMES

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "packaging").rglob("README.md")),
]
CITED = re.compile(r"(?<![\w./-])(?:tests|benchmarks|docs|packaging)/[\w./*-]*")
LINK = re.compile(r"\]\(([^)\s]+)\)")
MEASURED = re.compile(r"-m benchmarks((?: [a-z_]+)+)")
MODULE = re.compile(r"-m (benchmarks\.\w+)")


def _named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _found(expression: re.Pattern[str]) -> list[tuple[Path, str]]:
    return [(page, each) for page in PAGES for each in expression.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_paths_that_a_page_cites_exist(page: Path) -> None:
    cited = {each.rstrip(".") for each in CITED.findall(page.read_text(encoding="utf-8"))}
    assert [each for each in sorted(cited) if not any(ROOT.glob(each))] == []


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = {each.partition("#")[0] for each in LINK.findall(page.read_text(encoding="utf-8"))}
    files = [each for each in sorted(links) if each and "://" not in each]
    assert [each for each in files if not (page.parent / each).exists()] == []


def test_figures_that_pages_name_can_be_measured() -> None:
    named = {name for _, names in _found(MEASURED) for name in names.split()}
    assert named <= {*NAMES, *LONG}
    for module in {module for _, module in _found(MODULE)}:
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module


@pytest.mark.parametrize("name", NAMES + LONG)
def test_every_figure_has_its_run_and_stands_in_the_page(name: str) -> None:
    # Read and not imported: some compare with packages that only the benchmarks need.
    tree = ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8"))
    (run,) = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "run"]
    assert len(run.args.args) == len(run.args.defaults)
    assert f"`{name}`" in (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def test_the_documents_cite_something() -> None:
    assert len(_found(CITED)) >= 20
    assert len(_found(LINK)) >= 20
