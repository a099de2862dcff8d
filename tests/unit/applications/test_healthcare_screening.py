"""Screening: published accuracies, the maps against numpy and the engine, and what the report says."""

import msgspec
import numpy as np
import pytest
from tests.unit.applications.healthcare_desk import Exact, expectations, fidelities
from tests.unit.applications.local import Local

from qfleet_applications.errors import InvalidProblem, TooLarge, UnexpectedResult
from qfleet_applications.frame.report import Report
from qfleet_applications.healthcare import cohorts, explaining, screening_report
from qfleet_applications.healthcare.kernels import FleetKernels
from qfleet_applications.healthcare.screening import ScreenStudy
from qfleet_applications.healthcare.screening_report import Screened, Settings
from qfleet_applications.healthcare.validation import Outcome

KEY = bytes(32)
POINTS = np.random.default_rng(3).uniform(0, 1, (7, 3))


@pytest.fixture(scope="module")
def whole() -> dict[int, tuple[Report, Screened, ScreenStudy]]:
    """All rows, with 2 and 4 components."""
    cohort = cohorts.breast_cancer(KEY)
    found = {}
    for components in (2, 4):
        study = ScreenStudy(cohort, components)
        desk = Exact()
        screened = study.screened(desk)
        assert {one.name for one in desk.asked} == {one.name for one in study.requests()}
        settings = Settings(cohort, components, "fleet", 5, 0)
        found[components] = (screening_report.report(settings, screened), screened, study)
    return found


@pytest.mark.parametrize(("components", "kernel", "gaussian"), [(2, 0.931, 0.944), (4, 0.925, 0.963)])
def test_breast_cancer_has_the_published_accuracies_and_the_classical_model_wins(
    whole: dict[int, tuple[Report, Screened, ScreenStudy]], components: int, kernel: float, gaussian: float
) -> None:
    report, screened, _ = whole[components]
    assert screened.quantum[0].accuracy == pytest.approx(kernel, abs=0.001)
    assert screened.classical[0].accuracy == pytest.approx(gaussian, abs=0.001)
    assert screened.quantum[0].accuracy < max(one.accuracy for one in screened.classical)
    assert report.notes[0].startswith("The classical model wins on these folds")
    assert report.comparisons[0].winner != "fleet"


def test_the_report_shows_the_ablation_calibration_and_that_it_is_no_medical_device(
    whole: dict[int, tuple[Report, Screened, ScreenStudy]],
) -> None:
    report, screened, _ = whole[2]
    plain = screened.quantum[1].accuracy
    assert plain > screened.quantum[0].accuracy
    assert f"without entanglement the fidelity kernel has {plain:.3f}" in report.notes[1]
    assert "takes" in report.notes[1]
    text = " ".join(report.notes)
    for words in ("no medical device", "pseudonyms", "sent to the fleet's devices", "can leak"):
        assert words in text
    errors = [row[4] for row in report.tables[0].rows]
    assert all(isinstance(error, float) and error < 0.1 for error in errors)
    assert msgspec.json.encode(report)
    assert [figure.name for figure in report.figures] == ["accuracy", "calibration"]


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        (40, "have the same accuracy"),
        (41, "The quantum model is ahead by no more than chance explains"),
        (37, "The classical model is ahead by no more than chance explains"),
        (30, "The classical model wins on these folds"),
        (50, "The quantum model wins on these folds"),
    ],
)
def test_who_is_ahead_by_chance_alone_has_not_won(ours: int, words: str) -> None:
    labels = np.ones(60, dtype=np.int64)

    def outcome(method: str, right: int) -> Outcome:
        predicted = (np.arange(60) < right).astype(np.int64)
        return Outcome(method, predicted, np.full(60, 0.5), np.array([right / 60]), ())

    quantum = (outcome("zz", ours), outcome("product", 40), outcome("projected", 40))
    found = Screened(quantum, (outcome("RBF-SVM", 40), outcome("other", 35)), (), ())
    assert words in screening_report.verdicts(found, found.classical[0], labels)[0]


def test_an_explanation_adds_up_to_the_decision(
    whole: dict[int, tuple[Report, Screened, ScreenStudy]],
) -> None:
    report, screened, study = whole[2]
    outcome = screened.quantum[0]
    for row in explaining.least_certain(outcome, 5):
        found = explaining.explain(row, outcome, screened.kernels, screened.parts)
        at = next(n for n, part in enumerate(screened.parts) if row in part.test)
        kernel = fidelities(
            study.reduction.angles[at][[row]],
            study.reduction.angles[at][screened.parts[at].train],
            entangled=True,
        )
        assert found.decision == pytest.approx(outcome.models[at].decision_function(kernel)[0], abs=1e-9)
        assert (found.decision > 0) == bool(outcome.predicted[row])
        assert found.witnesses[0].fidelity == max(one.fidelity for one in found.witnesses)
        assert all(one.row in screened.parts[at].train for one in found.witnesses)
    assert report.tables[1].rows[0][0] in study.cohort.names


def test_jobs_evaluate_the_maps_of_the_formulas() -> None:
    local = FleetKernels(Local(), 0)
    assert local.fidelities([POINTS], "zz")[0] == pytest.approx(
        fidelities(POINTS, POINTS, entangled=True), abs=1e-10
    )
    assert local.fidelities([POINTS], "product")[0] == pytest.approx(
        fidelities(POINTS, POINTS, entangled=False), abs=1e-10
    )
    assert local.projections([POINTS])[0] == pytest.approx(expectations(POINTS), abs=1e-10)


def test_no_fold_sees_its_test_rows() -> None:
    cohort = cohorts.breast_cancer(KEY).part(60, 1)
    study = ScreenStudy(cohort, 2)
    part = study.reduction.parts[0]
    moved = cohort.rows.copy()
    moved[part.test] *= 3.0
    other = ScreenStudy(with_rows(cohort, moved), 2)
    assert np.array_equal(other.reduction.angles[0][part.train], study.reduction.angles[0][part.train])
    assert not np.array_equal(other.reduction.angles[1], study.reduction.angles[1])
    assert sorted(np.concatenate([one.test for one in study.reduction.parts])) == list(range(60))


def with_rows(
    cohort: cohorts.Cohort, rows: "np.ndarray[tuple[int, int], np.dtype[np.float64]]"
) -> cohorts.Cohort:
    return cohorts.Cohort(cohort.name, cohort.features, rows, cohort.labels, cohort.names)


def test_what_cannot_be_is_refused() -> None:
    cohort = cohorts.breast_cancer(KEY)
    with pytest.raises(InvalidProblem, match="31 components of 30 features"):
        ScreenStudy(cohort, 31)
    wide = np.random.default_rng(0).normal(size=(30, 40))
    few = cohorts.Cohort("x", ("a",) * 40, wide, np.arange(30) % 2, cohort.names[:30])
    with pytest.raises(InvalidProblem, match="25 components of 40 features and 30 rows") as refused:
        ScreenStudy(few, 25)
    assert refused.value.hint == "ask for 1 to 24"
    assert ScreenStudy(few, 24).reduction.reduced[0].shape == (30, 24)
    with pytest.raises(InvalidProblem, match="all rows have the same features"):
        ScreenStudy(with_rows(few, np.ones((30, 40))), 2)
    with pytest.raises(TooLarge, match="21 qubits"):
        ScreenStudy(few, 21, "data-local")
    with pytest.raises(InvalidProblem, match="10 rows of 569"):
        cohort.part(10, 0)
    with pytest.raises(InvalidProblem, match="class 1 has 0 rows"):
        cohorts.Cohort("x", ("a",), cohort.rows[:40, :1], np.zeros(40, dtype=np.int64), cohort.names[:40])


def test_a_kernel_that_is_not_whole_is_no_answer() -> None:
    class Torn(Exact):
        def run_all(self, requests, label=""):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - as Exact's
            found = super().run_all(requests, label)
            return tuple(msgspec.structs.replace(view, matrix=((None,),)) for view in found)

    with pytest.raises(UnexpectedResult, match="not whole"):
        FleetKernels(Torn(), 0).fidelities([POINTS], "zz")
