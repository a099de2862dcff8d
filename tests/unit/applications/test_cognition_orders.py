"""Order effects: the published figures, the models against each other, and the model as a circuit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.applications.local import Local

from qfleet_applications.cognition import order_circuit, order_models, orders
from qfleet_applications.cognition.command import DATA
from qfleet_applications.cognition.order_study import OrderStudy
from qfleet_applications.cognition.orders import Survey
from qfleet_applications.errors import InvalidData

CLINTON_GORE = Survey("Clinton and Gore", "Clinton", "Gore", (219, 20, 79, 129), (243, 86, 11, 92))
angles = st.floats(-3.2, 3.2)


def test_the_published_figures_of_clinton_and_gore() -> None:
    tested = orders.qq(CLINTON_GORE)
    assert round(tested.q, 4) == -0.0031
    assert round(tested.z, 3) == -0.109
    assert round(orders.similarity(CLINTON_GORE), 4) == 0.8409


BUNDLED = orders.load(DATA / "orders.csv")


def test_the_first_bundled_survey_is_the_published_one() -> None:
    survey = BUNDLED[0]
    assert (survey.ab, survey.ba, survey.people) == (CLINTON_GORE.ab, CLINTON_GORE.ba, 879)


def test_the_first_six_surveys_give_the_published_statistics() -> None:
    """Wang and Busemeyer (2013), table 1: numbers of people, q, and z."""
    people = ((447, 432), (437, 377), (459, 486), (506, 462), (116, 108), (118, 106))
    assert tuple((sum(one.ab), sum(one.ba)) for one in BUNDLED[:6]) == people
    tested = [orders.qq(one) for one in BUNDLED[:6]]
    assert [round(one.q, 4) for one in tested] == [-0.0031, -0.0031, -0.0189, 0.1514, 0.0757, 0.0430]
    assert [round(one.z, 3) for one in tested] == [-0.109, -0.090, -0.742, 5.303, 1.216, 0.831]


def test_the_surveys_of_wang_and_others_2014_show_what_the_paper_says_of_them() -> None:
    """All of its 72: 17 with an order effect above 0.10, and context effects that correlate by -0.82."""
    found = []
    for survey in (one for one in BUNDLED if one.name != "Rose and Jackson"):
        ab, ba = (np.array(counts) / sum(counts) for counts in (survey.ab, survey.ba))
        context = ab - ba[[0, 2, 1, 3]]
        found.append(max(context[[0, 3]], context[[1, 2]], key=lambda pair: np.abs(pair).sum()))
    effects = np.array(found)
    assert len(effects) == 72
    assert (np.abs(effects).sum(axis=1) > 0.1).sum() == 17
    assert np.corrcoef(*effects.T)[0, 1] == pytest.approx(-0.82, abs=0.01)


@given(st.tuples(angles, angles, angles, angles, angles))
def test_the_question_model_always_fulfils_the_qq_equality(parameters: tuple[float, ...]) -> None:
    ab, ba = order_models.question_probabilities(np.array(parameters))
    assert ab.sum() == pytest.approx(1.0)
    assert ba.sum() == pytest.approx(1.0)
    assert ab[1] + ab[2] == pytest.approx(ba[1] + ba[2])


def test_the_question_model_is_projections_in_four_dimensions() -> None:
    """Lüders' rule with explicit projectors, for a state in two planes."""
    omega, theta, phi = 0.6, (0.3, -1.1), (0.8, 0.2)
    weights = (np.cos(omega), np.sin(omega))
    state = np.concatenate([w * np.array([np.cos(p), np.sin(p)]) for w, p in zip(weights, phi, strict=True)])
    yes_a = np.diag([1.0, 0.0, 1.0, 0.0])
    yes_b = np.zeros((4, 4))
    for place, angle in enumerate(theta):
        ray = np.array([np.cos(angle), np.sin(angle)])
        yes_b[2 * place : 2 * place + 2, 2 * place : 2 * place + 2] = np.outer(ray, ray)
    found = order_models.question_probabilities(np.array([omega, *theta, *phi]))
    eye = np.eye(4)
    for order, (first, second) in enumerate(((yes_a, yes_b), (yes_b, yes_a))):
        both = [(x, y) for x in (first, eye - first) for y in (second, eye - second)]
        assert found[order] == pytest.approx([np.sum((y @ x @ state) ** 2) for x, y in both])


def test_no_model_with_the_qq_equality_can_do_better_than_the_question_model() -> None:
    """The likelihood's maximum under the equality, in closed form: the changed answers are pooled."""
    counts = np.array([CLINTON_GORE.ab, CLINTON_GORE.ba], dtype=float)
    changed = counts[:, 1:3].sum() / counts.sum()
    best = counts.copy()
    best[:, [0, 3]] *= (1 - changed) / counts[:, [0, 3]].sum(axis=1, keepdims=True)
    best[:, 1:3] *= changed / counts[:, 1:3].sum(axis=1, keepdims=True)
    top = order_models.log_likelihood(CLINTON_GORE, best)
    assert order_models.question_model(CLINTON_GORE, 0).log_likelihood == pytest.approx(top, abs=1e-6)


def test_the_circuit_computes_what_the_model_says() -> None:
    fitted = order_models.question_model(CLINTON_GORE, 0)
    np.testing.assert_allclose(order_circuit.probabilities(Local(), fitted), fitted.probabilities, atol=1e-9)


def test_repeating_ones_answer_fulfils_the_equality_too_and_rays_fail() -> None:
    repeated = order_models.repeat_choice(CLINTON_GORE, 0)
    ab, ba = repeated.probabilities
    assert ab[1] + ab[2] == pytest.approx(ba[1] + ba[2])
    rays = order_models.one_ray(CLINTON_GORE, 0)
    assert rays.aic > order_models.no_order(CLINTON_GORE).aic + 50


def test_the_report_says_what_was_found_and_who_criticises_it() -> None:
    report = OrderStudy(CLINTON_GORE, 0, "orders.csv").conduct(Local())
    by_aic, by_bic = report.comparisons
    assert by_aic.winner == "neither"
    assert by_bic.winner == "classical"
    told = " ".join(report.notes)
    for name in ("Boyer-Kassem", "Kellen"):
        assert name in told
    again = OrderStudy(CLINTON_GORE, 0, "orders.csv").conduct(Local())
    assert again.tables == report.tables


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("s,a,b,0,0,1,1,1,1,1,1", "line 2: nobody said yes"),
        ("s,a,b,1,1,1,1,0,0,1,1", "line 2: nobody said yes"),
        ("s,a,b,0.5,1,1,1,1,1,1,1", "line 2, column 'ab_yy': 0.5 is no whole number"),
    ],
)
def test_tables_that_are_no_counts_are_refused(tmp_path: Path, row: str, told: str) -> None:
    file = tmp_path / "survey.csv"
    heading = (DATA / "orders.csv").read_text(encoding="utf-8").splitlines()[0]
    file.write_text(f"{heading}\n{row}\n", encoding="utf-8")
    with pytest.raises(InvalidData, match=told):
        orders.load(file)
