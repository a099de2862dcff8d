"""The disjunction effect: the test of total probability, the bound of interference, and its circuit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.applications.local import Local

from qfleet import ExpectResultView
from qfleet_applications.cognition import disjunction_study, disjunctions
from qfleet_applications.cognition.command import DATA
from qfleet_applications.cognition.disjunction_study import DisjunctionStudy
from qfleet_applications.cognition.disjunctions import Experiment
from qfleet_applications.errors import InvalidData

BUNDLED = disjunctions.load(DATA / "disjunctions.csv")
GAMBLE, DILEMMA = BUNDLED[:2]
shares = st.floats(0.01, 0.99)


def test_the_bundled_counts_are_the_published_percentages() -> None:
    assert [round(100 * share) for share in GAMBLE.shares] == [69, 59, 36]
    assert [round(100 * share) for share in DILEMMA.shares] == [97, 84, 63]
    assert {one.name: [round(100 * share) for share in one.shares] for one in BUNDLED[3:]} == {
        "gamble, Kühberger 2001": [80, 37, 43],
        "gamble, Lambdin 2007": [64, 47, 38],
        "gamble, Ziano 2021": [31, 38, 44],
        "same people, Ziano 2021": [37, 42, 37],
        "dilemma, Tesař 2018": [91, 79, 35],
    }


def test_a_violation_without_any_variance_has_a_score_all_the_same() -> None:
    found = disjunctions.violation(Experiment("all or none", (10, 10, 10), (10, 10, 0)))
    assert found.distance == 1.0
    assert found.z == pytest.approx(20**0.5)


def test_closed_forms_are_what_a_search_over_all_probabilities_finds() -> None:
    grid = np.linspace(0.005, 0.995, 100)
    for experiment in (
        *BUNDLED[:4:3],
        DILEMMA,
        BUNDLED[5],
        Experiment("between", (100, 100, 100), (80, 20, 50)),
    ):
        one, two, three = np.meshgrid(grid, grid, grid, indexing="ij", sparse=True)
        total = sum(
            yes * np.log(share) + (of - yes) * np.log(1 - share)
            for share, of, yes in zip((one, two, three), experiment.people, experiment.acted, strict=True)
        )
        mixed = (three >= np.minimum(one, two)) & (three <= np.maximum(one, two))
        within = np.abs(three - (one + two) / 2) <= np.minimum(
            np.sqrt(one * two), np.sqrt((1 - one) * (1 - two))
        )
        for fit, allowed in (
            (disjunctions.mixture(experiment), mixed),
            (disjunctions.interference(experiment), within),
        ):
            best = np.where(allowed, total, -np.inf).max()
            assert best - 1e-9 <= fit.log_likelihood <= best + 0.6


def test_the_law_of_total_probability_is_violated_by_both_and_not_by_a_mixture() -> None:
    for experiment in (GAMBLE, DILEMMA):
        found = disjunctions.violation(experiment)
        assert found.distance > 0.2
        assert found.p < 0.001
    between = Experiment("between", (100, 100, 100), (80, 20, 50))
    assert disjunctions.violation(between).p == 1.0
    above = Experiment("above", (100, 100, 100), (80, 20, 95))
    assert disjunctions.violation(above).distance == pytest.approx(0.15)


@settings(deadline=None, max_examples=30)
@given(shares, shares, st.floats(-1, 1))
def test_the_circuit_shows_the_probabilities_that_it_was_made_for(
    one: float, two: float, strength: float
) -> None:
    unknown = (one + two) / 2 + strength * disjunctions.most_interference(one, two)
    request = disjunction_study._request([(one, two, unknown)])
    result = Local().run(request)
    assert isinstance(result, ExpectResultView)
    acted = [(1 + item.values[0].value) / 2 for item in result.items]
    np.testing.assert_allclose(acted, (one, two, unknown), atol=1e-7)


@settings(deadline=None)
@given(shares, shares, st.integers(0, 2**32 - 1))
def test_no_orthogonal_states_interfere_more_than_the_bound(one: float, two: float, seed: int) -> None:
    """Random unit vectors with these shares, made orthogonal where that is possible at all."""
    random = np.random.default_rng(seed)
    acting = [vector / np.linalg.norm(vector) for vector in random.normal(size=(2, 2))]
    overlap = float(acting[0] @ acting[1]) * np.sqrt(one * two)
    # ⟨v₁|v₂⟩ = 0 needs the parts that do not act to overlap by as much with the other sign
    if abs(overlap) <= np.sqrt((1 - one) * (1 - two)):
        assert abs(overlap) <= disjunctions.most_interference(one, two) + 1e-12


def test_interference_reaches_the_gamble_and_misses_the_dilemma() -> None:
    reached = disjunctions.interference(GAMBLE).probabilities
    assert reached == pytest.approx(GAMBLE.shares, abs=1e-3)
    assert disjunctions.interference(DILEMMA).probabilities[2] > DILEMMA.shares[2] + 0.05


def test_the_report_puts_the_best_classical_model_beside_it() -> None:
    gamble, by_bic, dilemma, _ = DisjunctionStudy((GAMBLE, DILEMMA), "bundled").conduct(Local()).comparisons
    assert (gamble.winner, by_bic.winner) == ("neither", "neither")
    assert dilemma.winner == "classical"
    assert {one.classical.method for one in (gamble, dilemma)} == {"three rates of their own"}


def test_where_knowing_changes_nothing_the_smallest_model_wins() -> None:
    ziano = BUNDLED[6]
    report = DisjunctionStudy((ziano,), "bundled").conduct(Local())
    assert [one.classical.method for one in report.comparisons] == ["even mixture of both", "one rate"]
    assert [row[2] for row in report.tables[1].rows] == [3, 1, 2, 3, 3]
    assert report.comparisons[1].winner == "classical"
    even = disjunctions.even_mixture(ziano).probabilities
    assert even[2] == pytest.approx((even[0] + even[1]) / 2)
    assert any("was not found again" in note for note in report.notes)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("x,10,11,10,5,10,5", "line 2, column 'yes_known_1': 11 of 10 cannot be"),
        ("x,10,1,10,5,0,0", "line 2, column 'n_unknown': nobody was asked"),
        ("x,10,1,10,5,10,2\nx,10,1,10,5,10,2", "line 3, column 'experiment': an experiment 'x' stands"),
    ],
)
def test_tables_that_cannot_be_are_refused(tmp_path: Path, rows: str, told: str) -> None:
    file = tmp_path / "experiment.csv"
    heading = (DATA / "disjunctions.csv").read_text(encoding="utf-8").splitlines()[0]
    file.write_text(f"{heading}\n{rows}\n", encoding="utf-8")
    with pytest.raises(InvalidData, match=told):
        disjunctions.load(file)
