"""Backtests against published ratios and a loop over days; the bootstrap against what a mean does."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # ships no types

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.finance import backtest, bootstrap, past_report
from qfleet_applications.finance.circuits import Vector
from qfleet_applications.finance.histories import Past


def noise(count: int, seed: int = 1) -> Vector:
    return np.random.default_rng(seed).normal(size=count)


def test_kupiecs_ratio_is_the_published_one() -> None:
    # 57 of 1043 days at 95 %: the example of MATLAB's varbacktest.pof
    found = backtest.kupiec(57, 1043, 0.05)
    assert found.value == pytest.approx(0.46147, abs=5e-6)
    assert found.chance == pytest.approx(0.49694, abs=5e-6)


@pytest.mark.parametrize(
    ("periods", "share", "least", "most"),
    [
        (255, 0.01, 1, 6),
        (510, 0.01, 2, 10),
        (1000, 0.01, 5, 16),
        (255, 0.05, 7, 20),
        (510, 0.05, 17, 35),
        (1000, 0.05, 38, 64),
    ],
)
def test_kupiecs_regions_are_the_published_ones(periods: int, share: float, least: int, most: int) -> None:
    # Kupiec 1995, as Jorion, Value at Risk, tells them: exceedances that do not reject at 5 %
    kept = [number for number in range(1, 100) if backtest.kupiec(number, periods, share).chance >= 0.05]
    assert (kept[0], kept[-1]) == (least, most)


def test_p_values_are_those_of_chi_squared() -> None:
    found = backtest.kupiec(20, 250, 0.05)
    assert found.chance == pytest.approx(stats.chi2.sf(found.value, 1))


def test_christoffersens_ratio_sees_clusters_alone() -> None:
    apart = [number % 20 == 0 for number in range(400)]
    together = [number % 200 < 10 for number in range(400)]
    assert sum(apart) == sum(together) == 20
    assert backtest.christoffersen(together).chance < 1e-6
    assert backtest.christoffersen(apart).chance > 0.05
    assert math.isnan(backtest.christoffersen([False] * 100).chance)
    # by the table of transitions: G² of independence, as SciPy has it
    table = np.zeros((2, 2))
    for before, after in itertools.pairwise(together):
        table[int(before), int(after)] += 1
    expected = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    assert backtest.christoffersen(together).value == pytest.approx(expected.statistic)


@pytest.mark.parametrize("days", [1, 5])
def test_a_backtest_knows_nothing_of_the_day_that_it_tests(days: int) -> None:
    losses, window, level = noise(700), 100, 0.9
    found = backtest.run(losses, level, window=window, days=days)
    assert found is not None
    hits = []
    for day in range(window + days - 1, len(losses), days):
        known = losses[: day - days + 1][-window:]  # those that had ended when this loss began
        hits.append(losses[day] > np.sort(known)[89])
    assert (found.periods, found.exceeded) == (len(hits), sum(hits))
    assert found.coverage.value == pytest.approx(backtest.kupiec(sum(hits), len(hits), 0.1).value)
    assert found.alike / found.periods == pytest.approx(11 / 101)


def test_losses_drawn_alike_exceed_as_often_as_order_statistics_say() -> None:
    found = backtest.run(noise(20_000), 0.99, window=250, days=1)
    assert found is not None
    # exceedances of a sliding window depend on each other: a wide bound, which 1 % would still break
    assert abs(found.exceeded / found.periods - 3 / 251) < 0.0018
    assert found.alike / found.periods == pytest.approx(3 / 251)


def test_the_bootstrap_has_the_error_of_a_mean_of_losses_drawn_alike() -> None:
    losses = noise(2000)
    found = bootstrap.resample(losses, 0.95, days=1, seed=0)
    half = 1.96 * losses.std() / math.sqrt(2000)
    assert found.high.mean - found.low.mean == pytest.approx(2 * half, rel=0.15)
    assert found.low.value < bootstrap.measures(losses, 0.95).value < found.high.value
    assert (found.block, found.resamples) == (13, 1000)
    assert found == bootstrap.resample(losses, 0.95, days=1, seed=0)
    assert found != bootstrap.resample(losses, 0.95, days=1, seed=1)


def test_blocks_see_that_overlapping_losses_depend_on_each_other() -> None:
    summed = np.convolve(noise(2000), np.ones(10), mode="valid")  # the losses of ten days, each day anew
    found = bootstrap.resample(summed, 0.95, days=10, seed=0)
    alike = 2 * 1.96 * summed.std() / math.sqrt(len(summed))
    assert found.high.mean - found.low.mean > 1.8 * alike  # √10 in the limit of long blocks


def test_measures_are_those_of_sorted_losses() -> None:
    found = bootstrap.measures(np.arange(1.0, 101.0)[::-1], 0.95)
    assert (found.mean, found.value, found.beyond) == (50.5, 95.0, 98.0)
    assert bootstrap.measures(np.ones(10), 0.5).beyond == 1.0


def test_what_a_backtest_cannot_say_is_told() -> None:
    tables, (short,) = past_report.tested(Past(noise(200)), 0.95)
    assert not tables
    assert "--window" in short
    (table,), notes = past_report.tested(Past(noise(400)), 0.999)
    assert table.title.startswith("Backtest")
    assert any("--window 1000" in note for note in notes)
    assert any("rough" in note for note in notes)
    with pytest.raises(InvalidProblem, match="--window 5"):
        Past(noise(40), window=5)
