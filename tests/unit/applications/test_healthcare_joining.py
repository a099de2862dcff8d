"""Two sites, one classifier: what they give away, and that it is the classifier of all rows together."""

import msgspec
import numpy as np
import pytest
from tests.unit.applications.healthcare_desk import fidelities
from tests.unit.applications.healthcare_site_engine import here

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.healthcare import cohorts, joining, landmarks
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.landmarks import Landmarks
from qfleet_applications.healthcare.site import SiteKernels

COHORT = cohorts.breast_cancer(bytes(32))
DRAWN = np.random.default_rng(0)
POINTS = DRAWN.normal(COHORT.rows.mean(axis=0), 2 * COHORT.rows.std(axis=0), (24, 30))
LANDMARKS = Landmarks(tuple(map(tuple, POINTS.tolist())), 2)
SITES = (np.arange(0, 200), np.arange(200, 400))
TEST = np.arange(400, 569)
ZZ = landmarks.zz(SiteKernels(here))
OWN = ZZ(LANDMARKS.own_angles, LANDMARKS.own_angles)


def block(rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Floats:
    return joining.evaluated(COHORT.rows[rows], LANDMARKS, ZZ)


def sums(rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> joining.Sums:
    return joining.summed(block(rows), COHORT.labels[rows], LANDMARKS)


def test_joined_sums_give_the_classifier_of_all_rows_together() -> None:
    weights = joining.joined([sums(rows) for rows in SITES], OWN)
    every = np.concatenate(SITES)
    angles, own = LANDMARKS.angles(COHORT.rows[every]), LANDMARKS.angles(POINTS)
    every_row = fidelities(angles, own, entangled=True)
    # the same least squares by rows: those of all sites below those of the penalty
    values, vectors = np.linalg.eigh(fidelities(own, own, entangled=True) + 1e-9 * np.eye(24))
    penalty = np.sqrt(1e-3 * 400 * np.maximum(values, 0))[:, None] * vectors.T
    goal = np.concatenate([2.0 * COHORT.labels[every] - 1, np.zeros(24)])
    expected = np.linalg.lstsq(np.vstack([every_row, penalty]), goal, rcond=None)[0]
    assert every_row @ weights == pytest.approx(every_row @ expected, abs=1e-4)
    found = block(TEST) @ weights > 0
    assert np.mean(found == COHORT.labels[TEST]) > 0.8


def test_what_leaves_a_site_is_sums_alone() -> None:
    rows = SITES[0]
    given = sums(rows)
    sent = msgspec.json.encode(given)
    assert msgspec.json.decode(sent, type=joining.Sums) == given
    assert set(msgspec.json.decode(sent)) == {"square", "labelled", "rows"}
    assert len(given.labelled) == 24
    # whichever order the rows have, the sums are the same: none of them stands for a row
    again = sums(rows[::-1])
    assert np.array(again.square) == pytest.approx(np.array(given.square))
    whole = fidelities(LANDMARKS.angles(COHORT.rows[rows]), LANDMARKS.angles(POINTS), entangled=True)
    assert np.array(given.square) == pytest.approx(whole.T @ whole)
    numbers = {round(value, 9) for value in np.array(given.square).ravel()}
    for kept in (COHORT.rows[rows], LANDMARKS.angles(COHORT.rows[rows]), whole):
        assert not numbers & {round(value, 9) for value in kept.ravel()}


def test_scaling_sees_landmarks_alone() -> None:
    one = LANDMARKS.angles(COHORT.rows[:5])
    assert LANDMARKS.angles(COHORT.rows[:300])[:5] == pytest.approx(one)


def test_sums_over_few_rows_are_refused_and_so_are_those_of_other_landmarks() -> None:
    with pytest.raises(InvalidProblem, match="162 rows and 24 landmarks") as refused:
        sums(np.arange(162))
    # 24 * 27 / 2 = 324 sums are equations for 2 angles of each row
    assert "at least 163 rows" in str(refused.value.hint)
    assert joining.least_rows(Landmarks(LANDMARKS.points, 20)) == 4 * 24
    with pytest.raises(InvalidProblem, match="1 sites"):
        joining.joined([sums(SITES[0])], OWN[:10, :10])
    with pytest.raises(InvalidProblem, match="0 sites"):
        joining.joined([], OWN)
