"""Survival risk: residuals and concordance against independent sums, and what the report says."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from tests.unit.applications.healthcare_desk import Exact

from qfleet_applications.errors import InvalidProblem, TooLarge
from qfleet_applications.healthcare import assessing, cohorts, survival, validation
from qfleet_applications.healthcare.survival_study import SurvivalStudy

COHORT = cohorts.breast_cancer_survival(bytes(32))


def test_the_data_are_those_of_the_trial() -> None:
    assert COHORT.rows.shape == (686, 8)
    assert COHORT.labels.sum() == 299
    assert np.isfinite(COHORT.rows).all()


def test_residuals_are_events_less_the_sum_over_those_at_risk() -> None:
    times, events = np.array([3.0, 1.0, 2.0, 4.0]), np.array([1, 1, 0, 1])
    hazard = {1.0: 1 / 4, 2.0: 1 / 4, 3.0: 1 / 4 + 1 / 2, 4.0: 1 / 4 + 1 / 2 + 1}
    expected = [event - hazard[time] for time, event in zip(times, events, strict=True)]
    found = survival.residuals((times, events))
    assert found == pytest.approx(expected)
    assert found.sum() == pytest.approx(0)


def test_concordance_counts_comparable_pairs() -> None:
    times, events = np.array([1.0, 2.0, 3.0]), np.array([1, 0, 1])
    assert survival.concordance(np.array([3.0, 2.0, 1.0]), (times, events)) == 1.0
    assert survival.concordance(np.array([1.0, 1.0, 2.0]), (times, events)) == 0.25


def test_an_interval_over_folds_knows_that_they_overlap() -> None:
    low, high = assessing.over_folds(np.array([0.6, 0.7, 0.65, 0.62, 0.68]))
    reach = 2.776445 * np.std([0.6, 0.7, 0.65, 0.62, 0.68], ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    assert (low, high) == pytest.approx((0.65 - reach, 0.65 + reach))


def test_the_report_says_who_orders_patients_better() -> None:
    desk = Exact()
    study = SurvivalStudy(COHORT.part(160, 0))
    report = study.conduct(desk)
    assert desk.asked == list(study.requests())
    ours = report.comparisons[0].fleet.value
    best = report.comparisons[0].classical.value
    assert best == max(one.classical.value for one in report.comparisons)
    assert 0.5 < ours < 0.8
    assert 0.5 < best < 0.8
    assert report.notes[0].startswith(f"The {'classical' if best > ours else 'quantum'} model has the higher")
    assert any("no medical device" in note for note in report.notes)
    assert msgspec.json.encode(report)
    assert len(report.figures[0].series) == 4


def test_without_early_events_logistic_regression_tells_nobody_apart() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 1))
    events = np.arange(40) % 2
    times = np.where(events == 1, 30.0 + np.arange(40), np.arange(1.0, 41.0))
    cohort = cohorts.Cohort("late", ("a",), rows, events, tuple(map(str, range(40))), times)
    part = validation.Fold(np.arange(30), np.arange(30, 40))
    found = survival.logistic("m", [rows], cohort, [part])
    assert found.risk.tolist() == [0.0] * 40
    assert found.concordance == 0.5


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidProblem, match="has no times"):
        SurvivalStudy(cohorts.breast_cancer(bytes(32)))
    part = COHORT.part(60, 0)
    assert part.times is not None
    for times in (np.full(60, 10.0), np.where(part.labels == 1, 900.0, 1.0)):
        with pytest.raises(InvalidProblem, match="no event comes before the end of another"):
            SurvivalStudy(replace(part, times=times))
    with pytest.raises(TooLarge, match="21 qubits"):
        SurvivalStudy(replace(part, rows=np.tile(part.rows, 3)), 21, "data-local")
    with pytest.raises(InvalidProblem, match="9 components of 8"):
        SurvivalStudy(COHORT, 9)
