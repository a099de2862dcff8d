"""The pack's rows of the table over all packs: the main comparison of each study, on all bundled rows."""

from typing import Any

import pytest
from tests.unit.applications.healthcare_desk import Exact

from qfleet_applications.frame.report import Comparison, Measured, Report
from qfleet_applications.healthcare import benchmark
from qfleet_applications.healthcare.features import FeatureStudy
from qfleet_applications.healthcare.screening import ScreenStudy
from qfleet_applications.healthcare.survival_study import SurvivalStudy


def test_each_study_gives_its_main_comparison_on_all_bundled_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Exact()
    studied: list[Any] = []

    def conduct(study: Any, runner: object) -> Report:
        assert runner is desk
        studied.append(study)
        value = Measured("m", float(len(studied)), 0.0, 9.0, 1.0)
        both = tuple(Comparison(f"{study.title}, {part}", "q", "", "higher", value, value) for part in "ab")
        return Report(pack="healthcare", command="c", title=study.title, comparisons=both)

    for kind in (ScreenStudy, FeatureStudy, SurvivalStudy):
        monkeypatch.setattr(kind, "conduct", conduct)
    found = benchmark.rows(desk)
    assert [one.problem for one in found] == [
        "Screening of Wisconsin breast cancer, 2 components, a",
        "Screening of Wisconsin breast cancer, 4 components, a",
        "5 of 30 features of Wisconsin breast cancer, a",
        "Survival risk in GBSG2, 3 components, a",
    ]
    assert [one.fleet.value for one in found] == [1.0, 2.0, 3.0, 4.0]
    assert [study.cohort.rows.shape for study in studied] == [(569, 30), (569, 30), (569, 30), (686, 8)]
    assert {(study.placement, study.seed) for study in studied} == {("fleet", 0)}
    # the same jobs as the commands: three for each fold and screening, one model of bits, a kernel a fold
    assert [len(study.requests()) for study in studied] == [15, 15, 1, 5]
    assert studied[2].effort.method == "tabu"
