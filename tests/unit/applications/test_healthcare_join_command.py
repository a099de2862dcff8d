"""``join`` from ranges to a classifier, in files between two sites; and each way to do it wrongly."""

import json
import socket
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from tests.unit.applications.healthcare_site_engine import here
from typer.testing import CliRunner, Result

from qfleet.command import tools
from qfleet_applications.frame.report import QUANTUM
from qfleet_applications.healthcare import cohorts
from qfleet_applications.healthcare.joining_command import application
from qfleet_applications.healthcare.joining_trial import BUNDLED, RANGES, JoinTrial
from qfleet_applications.healthcare.site import SiteKernels
from qfleet_applications.healthcare.validation import folds
from qfleet_wire.channel.auditing import Computed

COHORT = cohorts.breast_cancer(bytes(32))
AT = [COHORT.features.index(name) for name in BUNDLED]
UNITS = ("worst area [um^2]", "worst smoothness", "mean texture")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local engine in this process, and no connection to anywhere."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(tools, "compute", lambda work: (Computed("qulacs", "1", "here", here(work)), ""))
    monkeypatch.setattr(socket.socket, "connect", refuse)


def ran(*arguments: object) -> Result:
    return CliRunner().invoke(application, [str(one) for one in arguments])


def site(file: Path, rows: Any, heading: tuple[str, ...] = UNITS) -> Path:
    lines = [",".join(["record", *heading, "label"])]
    for at in rows:
        numbers = ",".join(repr(float(value)) for value in COHORT.rows[at, AT])
        lines.append(f"Mr. {at},{numbers},{COHORT.labels[at]}")
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture
def points(tmp_path: Path) -> Path:
    ranges = tmp_path / "ranges.csv"
    bounds = zip(UNITS, *RANGES, strict=True)
    lines = [f"{name},{low},{high}" for name, low, high in bounds]
    ranges.write_text("\n".join(["feature,low,high", *lines]) + "\n")
    made = ran("points", ranges, "--number", 8, "--output", tmp_path / "points.json")
    assert made.exit_code == 0, made.output
    return tmp_path / "points.json"


def test_two_sites_train_one_classifier_by_files_that_hold_no_row(tmp_path: Path, points: Path) -> None:
    given = []
    for name, rows in (("a", range(200)), ("b", range(200, 400))):
        given.append(tmp_path / f"{name}.json")
        file = site(tmp_path / f"{name}.csv", rows)
        summed = ran("sum", file, "--landmarks", points, "--output", given[-1])
        assert summed.exit_code == 0, summed.output
        assert "What sums can leak" in summed.stdout
        sent = given[-1].read_text()
        assert set(json.loads(sent)) == {"landmarks", "sums"}
        assert "Mr." not in sent
        values = {repr(float(value)) for value in COHORT.rows[rows][:, AT].ravel()}
        assert not values & set(sent.replace(",", " ").split())
    both = tmp_path / "both.json"
    fitted = ran("fit", *given, "--landmarks", points, "--output", both)
    assert fitted.exit_code == 0, fitted.output
    assert "2 sites and 400 rows" in fitted.stdout
    own = site(tmp_path / "own.csv", range(400, 569))
    told = ran("tell", own, "--landmarks", points, "--classifier", both, "--json")
    assert told.exit_code == 0, told.output
    report = json.loads(told.stdout)
    comparison = report["comparisons"][0]
    assert comparison["where"] == "on this machine"
    assert [comparison[side]["kind"] for side in ("fleet", "classical")] == [QUANTUM, "classical"]
    known = [row[4] for row in report["tables"][0]["rows"]]
    assert known == COHORT.labels[400:].tolist()
    for side, column in (("fleet", 1), ("classical", 3)):
        found = np.mean([row[column] == row[4] for row in report["tables"][0]["rows"]])
        assert comparison[side]["value"] == pytest.approx(found)
    assert comparison["classical"]["value"] > 0.8
    assert "Mr." not in told.stdout
    assert "judged too well" in report["notes"][0]
    # without labels classes are told and nothing is judged
    own.write_text("\n".join(line.rpartition(",")[0] for line in own.read_text().splitlines()) + "\n")
    told = ran("tell", own, "--landmarks", points, "--classifier", both, "--json")
    unlabelled = json.loads(told.stdout)
    assert unlabelled["comparisons"] == []
    assert [row[1:4] for row in unlabelled["tables"][0]["rows"]] == [
        row[1:4] for row in report["tables"][0]["rows"]
    ]


def test_the_demonstration_says_what_joining_gains_and_that_the_classical_kernel_leads() -> None:
    report = JoinTrial(COHORT, 2, local=SiteKernels(here)).conduct()
    kernels, linear, pooled = report.comparisons
    assert kernels.advantage < 0
    assert linear.advantage < 0
    assert pooled.advantage < 0
    joined, *alone = report.tables[0].rows
    assert joined[0] == "all sites joined"
    assert len(alone) == 2
    assert joined[1] == round(kernels.fleet.value, 4)
    # sums are the same however rows are shared out, and so is what they train
    assert JoinTrial(COHORT, 3, local=SiteKernels(here)).conduct().tables[0].rows[0] == joined
    design = np.column_stack([np.ones(569), COHORT.rows[:, AT]])
    right = 0
    for part in folds(COHORT.labels, 0):
        known = 2.0 * COHORT.labels[part.train] - 1
        told = design[part.test] @ np.linalg.lstsq(design[part.train], known, rcond=None)[0] > 0
        right += int(np.sum(told == COHORT.labels[part.test]))
    assert linear.classical.value == pytest.approx(right / 569, abs=0.01)
    assert any("no guarantee such as differential privacy" in note for note in report.notes)


def refused(ended: Result, words: str) -> None:
    assert ended.exit_code != 0
    assert words in str(ended.exception), ended.exception


def test_what_is_wrong_is_named(tmp_path: Path, points: Path) -> None:
    few = site(tmp_path / "few.csv", range(20))
    out = tmp_path / "out.json"
    refused(ran("sum", few, "--landmarks", points, "--output", out), "20 rows and 8 landmarks")
    assert not out.exists()
    whole = site(tmp_path / "whole.csv", range(60))
    refused(ran("sum", whole, "--landmarks", whole, "--output", out), "holds no landmarks")
    refused(ran("sum", whole, "--landmarks", points, "--label", "ill", "--output", out), "no such column")
    other = site(tmp_path / "mm.csv", range(60), ("worst area [mm^2]", *UNITS[1:]))
    refused(ran("sum", other, "--landmarks", points, "--output", out), "[um^2] is needed")
    refused(ran("sum", whole, "--landmarks", points, "--output", tmp_path / "no" / "x"), "cannot be written")
    assert ran("sum", whole, "--landmarks", points, "--output", out).exit_code == 0
    refused(ran("fit", out, out, "--landmarks", points, "--output", tmp_path / "c"), "stand there twice")
    moved = json.loads(points.read_text())
    moved["points"][0][0] += 1.0
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(moved))
    refused(ran("fit", out, "--landmarks", changed, "--output", tmp_path / "c"), "of other landmarks")
    assert ran("fit", out, "--landmarks", points, "--output", tmp_path / "c").exit_code == 0
    told = ran("tell", whole, "--landmarks", changed, "--classifier", tmp_path / "c")
    refused(told, "the classifier is of other landmarks")
    refused(ran("tell", whole, "--landmarks", points, "--classifier", out), "holds no classifier")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a,2,1", "2 to 1 is no range"),
        ("a,0,1\na,0,2", "two ranges"),
        ("a,x,1", "no finite number"),
        ("", "at least 1 are needed"),
    ],
)
def test_ranges_that_are_none_are_refused(tmp_path: Path, line: str, words: str) -> None:
    ranges = tmp_path / "r.csv"
    ranges.write_text(f"feature,low,high\n{line}\n")
    refused(ran("points", ranges, "--output", tmp_path / "p"), words)
