"""Two sites, one classifier: what they give away, and that it is the classifier of all rows together."""

import msgspec
import numpy as np
import pytest
from tests.unit.applications.healthcare_desk import fidelities
from tests.unit.applications.healthcare_site_engine import here

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.healthcare import cohorts, joining
from qfleet_applications.healthcare.joining import Landmarks
from qfleet_applications.healthcare.site import SiteKernels

COHORT = cohorts.breast_cancer(bytes(32))
DRAWN = np.random.default_rng(0)
POINTS = DRAWN.normal(COHORT.rows.mean(axis=0), 2 * COHORT.rows.std(axis=0), (24, 30))
LANDMARKS = Landmarks(tuple(map(tuple, POINTS.tolist())), 2)
SITES = (np.arange(0, 200), np.arange(200, 400))
TEST = np.arange(400, 569)
LOCAL = SiteKernels(here)


def sums(rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> joining.Sums:
    return joining.summed(COHORT.rows[rows], COHORT.labels[rows], LANDMARKS, LOCAL)


def test_joined_sums_give_the_classifier_of_all_rows_together() -> None:
    weights = joining.joined([sums(rows) for rows in SITES], LANDMARKS, LOCAL)
    every = np.concatenate(SITES)
    angles, own = LANDMARKS.angles(COHORT.rows[every]), LANDMARKS.angles(POINTS)
    block = fidelities(angles, own, entangled=True)
    # the same least squares by rows: those of all sites below those of the penalty
    values, vectors = np.linalg.eigh(fidelities(own, own, entangled=True) + 1e-9 * np.eye(24))
    penalty = np.sqrt(1e-3 * 400 * np.maximum(values, 0))[:, None] * vectors.T
    goal = np.concatenate([2.0 * COHORT.labels[every] - 1, np.zeros(24)])
    expected = np.linalg.lstsq(np.vstack([block, penalty]), goal, rcond=None)[0]
    assert block @ weights == pytest.approx(block @ expected, abs=1e-4)
    found = joining.told(COHORT.rows[TEST], LANDMARKS, weights, LOCAL) > 0
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
    block = fidelities(LANDMARKS.angles(COHORT.rows[rows]), LANDMARKS.angles(POINTS), entangled=True)
    assert np.array(given.square) == pytest.approx(block.T @ block)
    numbers = {round(value, 9) for value in np.array(given.square).ravel()}
    for kept in (COHORT.rows[rows], LANDMARKS.angles(COHORT.rows[rows]), block):
        assert not numbers & {round(value, 9) for value in kept.ravel()}


def test_scaling_sees_landmarks_alone() -> None:
    one = LANDMARKS.angles(COHORT.rows[:5])
    assert LANDMARKS.angles(COHORT.rows[:300])[:5] == pytest.approx(one)


def test_sums_over_few_rows_are_refused_and_so_are_those_of_other_landmarks() -> None:
    with pytest.raises(InvalidProblem, match="95 rows and 24 landmarks") as refused:
        sums(np.arange(95))
    assert "at most 23 landmarks" in str(refused.value.hint)
    fewer = Landmarks(LANDMARKS.points[:10], 2)
    with pytest.raises(InvalidProblem, match="1 sites"):
        joining.joined([sums(SITES[0])], fewer, LOCAL)
    with pytest.raises(InvalidProblem, match="0 sites"):
        joining.joined([], LANDMARKS, LOCAL)
