"""Simulations against closed forms, sums, and what SciPy integrates."""

import numpy as np
import pytest
from scipy import integrate, stats  # type: ignore[import-untyped]  # ships no types
from tests.unit.applications.finance_bench import BOOK, CALL
from tests.unit.applications.local import Local

from qfleet_applications.finance import contracts, credit, exposures, pricing, simulation
from qfleet_applications.finance.circuits import Vector
from qfleet_applications.finance.contracts import Asset, Contract
from qfleet_applications.finance.pricing import OptionTerms
from qfleet_applications.finance.simulation import Integrand

ALPHA = 1e-4


def test_sobol_points_know_the_price_of_the_closed_form() -> None:
    integrand = Integrand(lambda points: contracts.at(CALL, points), 1)
    found = simulation.as_precise(integrand, 2e-4, ALPHA, seed=3)
    closed = contracts.closed_form(CALL)
    assert found is not None
    assert closed is not None
    assert abs(found.mean - closed) <= found.half <= 2e-4
    assert found.draws == sum(
        16 << power for power in range(5, 5 + (found.draws // 512 + 1).bit_length() - 1)
    )


def test_sobol_points_know_a_basket_that_is_integrated() -> None:
    basket = Contract("b", "call", (Asset(2.0, 0.4, 0.5), Asset(3.0, 0.2, 0.5)), 2.4, 0.05, 40.0, 0.0, 0.4)
    factor = np.linalg.cholesky(basket.covariance)
    axis = np.linspace(-7.0, 7.0, 701)
    normals = np.stack([mesh.reshape(-1) for mesh in np.meshgrid(axis, axis, indexing="ij")], axis=1)
    values = np.exp(basket.log_means + normals @ factor.T) @ [0.5, 0.5]
    density = stats.norm.pdf(normals).prod(axis=1)
    grid = (basket.discount * basket.payoff(values) * density).reshape(701, 701)
    right = integrate.simpson(integrate.simpson(grid, x=axis), x=axis)
    mean, reach, deviation = simulation.averaged(
        Integrand(lambda points: contracts.at(basket, points), 2), 12, ALPHA, seed=0
    )
    assert abs(mean - right) <= reach < 5e-5
    drawn = contracts.sampled(basket, 100_000, np.random.default_rng(0))
    assert deviation == pytest.approx(drawn.std(), rel=0.02)


def test_the_books_conditional_mean_has_the_mean_of_the_book() -> None:
    exact = credit.distribution(BOOK, linear=False).mean
    points = (np.arange(100_000)[:, None] + 0.5) / 100_000
    assert credit.expected_at(BOOK, points).mean() == pytest.approx(exact, abs=1e-5)


def test_past_losses_at_even_points_are_all_of_them() -> None:
    past = np.random.default_rng(1).normal(size=400)
    exposure = exposures.of_past(past, 6)
    points = (np.arange(400)[:, None] + 0.5) / 400
    assert exposure.integrand.values(points).mean() == pytest.approx(exposure.losses.mean)


def test_what_is_not_known_precisely_enough_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "MOST_POWER", 6)
    integrand = Integrand(lambda points: contracts.at(CALL, points), 1)
    assert simulation.as_precise(integrand, 1e-9, ALPHA, seed=0) is None


def test_more_draws_than_a_memory_holds_are_counted_and_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "MOST_DRAWN", 1000)
    made: list[int] = []

    def draw(number: int, rng: np.random.Generator) -> Vector:
        made.append(number)
        return rng.standard_normal(number)

    found = simulation.plain(draw, 1.0, (1e-5, 0.05), numbers=1, seed=0)
    assert made == [1000]
    assert found.draws == pytest.approx(1.96e5**2, rel=1e-3)
    assert found.half == pytest.approx(1.96 / 1000**0.5, rel=1e-3)
    assert "1,000 made, the rest counted" in found.method


def test_a_fine_estimate_does_not_draw_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "MOST_DRAWN", 10_000)
    study = pricing.of_file(None, OptionTerms(epsilon=1e-4), only=("call",))
    report = study.conduct(Local())
    (plain,) = [one for one in report.comparisons if "the rest counted" in one.classical.method]
    assert plain.classical.value > 1e8
