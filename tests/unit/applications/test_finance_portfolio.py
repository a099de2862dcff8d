"""Portfolios against the enumeration of every choice, with real prices."""

import itertools
import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # ships no types
from tests.unit.applications.local import Local
from tests.unit.applications.test_finance_reports import without_times

from qfleet import AnnealRequest, QuboCost, VariationalRequest
from qfleet_applications.errors import InvalidData, InvalidProblem
from qfleet_applications.finance import histories, portfolio, portfolio_report, proving, selection
from qfleet_applications.finance.portfolio import Ways
from qfleet_applications.finance.selection import Selection


def enumerated(problem: Selection) -> tuple[float, tuple[int, ...]]:
    """The best choice, straight from the definition."""

    def value(chosen: tuple[int, ...]) -> float:
        weights = np.zeros(problem.size)
        weights[list(chosen)] = 1.0 / problem.choose
        return float(problem.aversion * weights @ problem.covariances @ weights - weights @ problem.means)

    choices = itertools.combinations(range(problem.size), problem.choose)
    return min((value(chosen), chosen) for chosen in choices)


def made_up(size: int, choose: int, seed: int) -> Selection:
    returns = np.random.default_rng(seed).normal(0.01, 0.05, (60, size))
    names = tuple(f"asset {number}" for number in range(size))
    return selection.of_returns(names, returns, per_year=12.0, choose=choose, aversion=3.0)


@pytest.mark.parametrize("choose", [1, 3, 7])
def test_no_string_of_a_wrong_size_is_a_minimum(choose: int) -> None:
    problem = made_up(8, choose, seed=4)
    linear, quadratic, offset = problem.penalised()
    bits = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(float)
    costs = bits @ linear + np.einsum("si,ij,sj->s", bits, quadratic, bits) + offset
    best, chosen = enumerated(problem)
    assert tuple(np.flatnonzero(bits[costs.argmin()])) == chosen
    right = bits.sum(axis=1) == choose
    objectives = np.array(
        [problem.objective([int(one) for one in np.flatnonzero(row)]) for row in bits[right]]
    )
    scale = np.ptp(costs[right]) / np.ptp(objectives)
    assert costs[right] == pytest.approx(objectives * scale, abs=1e-12)  # the penalty is none of it
    assert problem.objective(chosen) == pytest.approx(best)
    assert max(np.abs(linear).max(), np.abs(quadratic).max()) == pytest.approx(1.0)


@pytest.mark.parametrize(("size", "choose", "seed"), [(6, 2, 0), (12, 5, 1), (14, 7, 2)])
def test_cp_sat_and_highs_prove_the_choice_of_the_enumeration(size: int, choose: int, seed: int) -> None:
    problem = made_up(size, choose, seed)
    best, chosen = enumerated(problem)
    for found in (proving.by_cp_sat(problem), proving.by_highs(problem)):
        assert found is not None
        assert found.chosen == chosen
        assert found.objective == found.bound == pytest.approx(best)


def test_both_methods_find_the_best_of_the_bundled_assets() -> None:
    study = portfolio.of_file(None, Ways())
    assert study.qubits == 8
    desk = Local()
    report = study.conduct(desk)
    assert tuple(desk.requests) == study.requests()
    best, chosen = enumerated(study.selection)
    names = ", ".join(study.selection.assets[i] for i in chosen)
    for row in report.tables[0].rows:
        assert row[1] == names
        assert row[4] == pytest.approx(best)
        assert row[5] == pytest.approx(0.0, abs=1e-12)
    assert [one.winner for one in report.comparisons] == ["neither", "neither", "classical", "neither"]
    assert [row[0] for row in report.tables[0].rows] == [
        "QAOA, p = 3",
        "path-integral annealing",
        "CP-SAT",
        "HiGHS",
    ]
    assert report.tables[0].title.endswith("proven best")
    assert len(report.figures[0].series[0].x) == math.comb(8, 3)
    again = study.conduct(Local())
    assert without_times(report) == without_times(again)


def test_the_requests_are_of_the_methods_that_were_asked_for() -> None:
    both = portfolio.of_file(None, Ways(seed=5, layers=2)).requests()
    assert [one.kind for one in both] == ["variational.minimise", "anneal.sample"]
    assert {one.seed for one in both} == {5}
    assert isinstance(both[0].work, VariationalRequest)
    assert isinstance(both[0].work.cost, QuboCost)
    assert isinstance(both[1].work, AnnealRequest)
    annealed = portfolio.of_file(None, Ways(method="anneal"))
    assert [one.kind for one in annealed.requests()] == ["anneal.sample"]
    assert annealed.qubits == 0


@pytest.mark.parametrize("start", [(), (0,), (0, 1, 2, 3, 4, 5), (1, 4, 5)])
def test_a_repair_gives_the_right_size_and_keeps_what_was_right(start: tuple[int, ...]) -> None:
    problem = made_up(6, 3, seed=9)
    found = problem.repaired(start)
    assert len(found) == 3
    assert set(found) <= set(start) or set(start) <= set(found)
    if len(start) == 3:
        assert found == start


def test_wilson_is_scipys() -> None:
    for hits, tries in ((0, 40), (3, 40), (40, 40)):
        expected = stats.binomtest(hits, tries).proportion_ci(method="wilson")
        assert portfolio_report.wilson(hits, tries)[1:] == pytest.approx((expected.low, expected.high))


def test_the_bundled_panel_has_the_returns_of_its_sources() -> None:
    panel = histories.panel(None)
    assert panel.assets == ("sp500", "nasdaq", "wti", "brent", "market", "smb", "hml", "bill")
    assert panel.returns.shape == (238, 8)
    # S&P 500 of 29 January and 26 February 1999; RF of February 1999 in % (Ken French's library)
    assert panel.returns[0, 0] == pytest.approx(1238.329956 / 1279.640015 - 1.0, abs=1e-9)
    assert panel.returns[0, 7] == pytest.approx(0.0035)
    # the index and the market of the library are nearly one
    assert np.corrcoef(panel.returns[:, 0], panel.returns[:, 4])[0, 1] > 0.95


def prices(file: Path, leave_out: int = -1) -> Path:
    rng = np.random.default_rng(1)
    rows = [
        f"{date(2024, 1 + month, 28)},{asset},{100 * rng.lognormal(0.0, 0.1):.4f}"
        for month in range(12)
        for asset in "ABCD"
    ]
    if leave_out >= 0:
        rows.pop(leave_out)
    file.write_text("date,asset,price\n" + "\n".join(rows) + "\n")
    return file


def test_prices_of_ones_own(tmp_path: Path) -> None:
    study = portfolio.of_file(prices(tmp_path / "prices.csv"), Ways(), choose=2)
    assert study.selection.assets == ("A", "B", "C", "D")
    report = study.conduct(Local())
    assert report.tables[0].rows[0][4] == pytest.approx(enumerated(study.selection)[0])
    assert report.settings["file"].endswith("prices.csv")


def test_prices_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match="B has no price on 2024-02-28"):
        histories.panel(prices(tmp_path / "prices.csv", leave_out=5))
    twice = tmp_path / "twice.csv"
    twice.write_text("date,asset,price\n2024-01-01,A,1\n2024-01-01,A,2\n")
    with pytest.raises(InvalidData, match="line 3, column 'price'"):
        histories.panel(twice)
    twice.write_text("date,asset,price\n2024-01-01,A,1\n2024-01-02,A,2\n")
    with pytest.raises(InvalidData, match="too few"):
        histories.panel(twice)
    with pytest.raises(InvalidProblem, match="8 of 8"):
        portfolio.of_file(None, Ways(), choose=8)
    with pytest.raises(InvalidProblem, match="monthly"):
        portfolio.of_file(None, Ways(), per_year=250.0)
    with pytest.raises(InvalidProblem, match="--aversion"):
        portfolio.of_file(None, Ways(), aversion=-1.0)
