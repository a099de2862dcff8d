"""Free weights against grids of weights, the equations of Lagrange, and their own bound."""

import itertools
import math

import numpy as np
import pytest
from tests.unit.applications.test_finance_portfolio import enumerated, made_up

from qfleet_applications.finance import portfolio_report, proving, references, weights
from qfleet_applications.finance.circuits import Vector
from qfleet_applications.finance.selection import Selection


def value(problem: Selection, parts: Vector) -> float:
    return float(problem.aversion * parts @ problem.covariances @ parts - problem.means @ parts)


def test_two_assets_have_the_weights_of_the_closed_form() -> None:
    # the minimum of a w² + b w for w of the first asset, by hand
    problem = Selection(("A", "B"), np.array([0.10, 0.08]), np.array([[0.04, 0.01], [0.01, 0.09]]), 1, 3.0)
    squares = 3.0 * (0.04 + 0.09 - 2 * 0.01)
    first = (0.10 - 0.08 - 2 * 3.0 * (0.01 - 0.09)) / (2 * squares)
    found = weights.best(problem, (0, 1))
    assert found.weights == pytest.approx([first, 1.0 - first], abs=1e-9)
    assert found.objective == pytest.approx(value(problem, found.weights), abs=1e-15)


@pytest.mark.parametrize("aversion", [0.0, 0.5, 3.0, 1e6])
def test_no_weights_of_a_fine_grid_are_better(aversion: float) -> None:
    made = made_up(4, 2, seed=1)
    problem = Selection(made.assets, made.means, made.covariances, 2, aversion)
    found = weights.best(problem, range(4))
    steps = 40
    grid = [
        np.array([a, b, c, steps - a - b - c]) / steps
        for a, b, c in itertools.product(range(steps + 1), repeat=3)
        if a + b + c <= steps
    ]
    best = min(value(problem, parts) for parts in grid)
    scale = max(1.0, aversion)
    assert found.bound <= found.objective <= best + 1e-9 * scale
    assert found.objective - found.bound <= 1e-7 * scale
    assert best - found.objective <= 3e-3 * scale  # what half a step of the grid can cost
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.weights.min() >= 0.0


def test_an_asset_like_another_changes_no_bound() -> None:
    made = made_up(3, 2, seed=6)
    twice = [0, 1, 2, 2]
    problem = Selection(
        (*made.assets, "again"), made.means[twice], made.covariances[np.ix_(twice, twice)], 2, made.aversion
    )
    once, found = weights.best(made, range(3)), weights.best(problem, range(4))
    assert found.objective == pytest.approx(once.objective, abs=1e-9)


def test_free_weights_are_at_least_as_good_as_equal_parts() -> None:
    problem = made_up(8, 3, seed=2)
    known = references.of(problem)
    assert known.any_few is not None
    assert known.highs is not None
    assert known.every.bound <= known.any_few.objective <= known.same.objective <= known.cp_sat.objective
    assert len(known.any_few.chosen) <= 3
    assert set(known.same.chosen) <= set(known.cp_sat.chosen)
    assert known.bound == known.cp_sat.objective == known.highs.objective


def test_too_many_subsets_are_not_all_optimised() -> None:
    problem = made_up(14, 7, seed=3)
    assert math.comb(14, 7) > weights.MOST_SUBSETS
    assert weights.best_of_subsets(problem) is None


def test_highs_that_ends_early_bounds_what_it_did_not_prove(monkeypatch: pytest.MonkeyPatch) -> None:
    # squares of either sign, which real covariances do not have, make it hard
    squares = np.random.default_rng(2).normal(size=(14, 14))
    problem = Selection(tuple("ABCDEFGHIJKLMN"), np.zeros(14), (squares + squares.T) / 2, 7, 1.0)
    best, _ = enumerated(problem)
    monkeypatch.setattr(proving, "_NODES", 1)
    found = proving.by_highs(problem)
    assert found is not None
    assert found.bound is not None
    assert found.bound < best <= found.objective


def test_what_highs_does_not_prove_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = made_up(5, 2, seed=2)
    monkeypatch.setattr(proving, "MOST_FOR_HIGHS", 4)
    known = references.of(problem)
    assert known.highs is None
    report = portfolio_report.report(problem, "", {portfolio_report.ANNEALING: known.cp_sat}, known, {})
    assert any("the proof is CP-SAT's alone" in note for note in report.notes)
