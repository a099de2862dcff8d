"""Order effects: the published figures, the models against each other, and the model as a circuit."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.applications.local import Local

from qfleet_applications.cognition import order_circuit, order_fits, order_models, order_places, orders
from qfleet_applications.cognition.command import DATA
from qfleet_applications.cognition.order_study import OrderStudy
from qfleet_applications.cognition.order_surveys import SurveysStudy
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


@settings(deadline=None)
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


@settings(deadline=None)
@given(st.tuples(*[st.floats(0.01, 1)] * 4), st.floats(-1, 1), st.floats(-1, 1))
def test_answers_by_place_always_fulfil_it_too(
    joint: tuple[float, ...], repeats: float, denies: float
) -> None:
    ab, ba = order_places.place_probabilities(np.array(joint) / sum(joint), repeats, denies)
    assert min(ab.min(), ba.min()) >= 0.0
    assert ab.sum() == pytest.approx(1.0)
    assert ba.sum() == pytest.approx(1.0)
    assert ab[1] + ab[2] == pytest.approx(ba[1] + ba[2])


def test_answers_by_place_are_people_who_answer_by_a_rule() -> None:
    """The same by going through the kinds of people: 30 % think yes and no, 40 % yes to both."""
    joint = {(1, 1): 0.4, (1, 0): 0.3, (0, 1): 0.1, (0, 0): 0.2}
    for repeats, denies in ((0.25, 0.1), (-0.25, -0.1)):
        found = order_places.place_probabilities(np.array([0.4, 0.3, 0.1, 0.2]), repeats, denies)
        for order, asked in enumerate(((0, 1), (1, 0))):
            told: dict[tuple[int, int], float] = dict.fromkeys(joint, 0.0)
            for kind, share in joint.items():
                first, second = kind[asked[0]], kind[asked[1]]
                twice = (first, first) if repeats > 0 else (second, second)
                odd = twice if first != second else ((0, 1) if denies > 0 else (1, 0))
                part = {(1, 1): 0.1, (0, 0): 0.0}.get(kind, 0.25)
                told[first, second] += share * (1 - part)
                told[odd] += share * part
            assert found[order] == pytest.approx([told[1, 1], told[1, 0], told[0, 1], told[0, 0]])


def test_no_model_with_the_qq_equality_can_do_better_than_the_pooled_one() -> None:
    """Where models reach it, and where they do not: row 72 of Wang and others (2014)."""
    bound = order_fits.equality(CLINTON_GORE).log_likelihood
    for fit in (order_models.question_model(CLINTON_GORE, 0), order_places.by_place(CLINTON_GORE)):
        assert fit.log_likelihood == pytest.approx(bound, abs=1e-4)
    odd = BUNDLED[-1]
    pooled = order_fits.equality(odd)
    assert pooled.probabilities.sum(axis=1) == pytest.approx([1.0, 1.0])
    assert pooled.log_likelihood == pytest.approx(order_places.by_place(odd).log_likelihood, abs=1e-4)
    for fit in (order_models.question_model(odd, 0), order_places.repeat_choice(odd)):
        assert fit.log_likelihood < pooled.log_likelihood - 1.0


def test_no_larger_model_fits_worse_than_a_smaller_one_that_is_part_of_it() -> None:
    lopsided = Survey("lopsided", "A", "B", (999_999_999, 1, 1, 1), (1, 1, 1, 1))
    for survey in (lopsided, *BUNDLED[:3]):
        repeated, places = order_places.repeat_choice(survey), order_places.by_place(survey)
        for between in (repeated, places):
            chain = (
                order_fits.no_order(survey),
                between,
                order_fits.equality(survey),
                order_fits.markov(survey),
            )
            found = [one.log_likelihood for one in chain]
            assert all(more > less - 1e-3 for less, more in itertools.pairwise(found))
        if survey is not lopsided:
            assert places.log_likelihood > repeated.log_likelihood - 1e-3


def test_the_tests_of_the_equality_and_of_an_effect_are_the_published_ones() -> None:
    """Wang and Busemeyer (2013): χ²(1) = 28.57 for Rose and Jackson; 0.0119, 1.48 and 0.69 for others."""
    found = [
        order_fits.misfit(order_fits.equality(one), order_fits.markov(one))
        for one in (BUNDLED[3], BUNDLED[0], *BUNDLED[4:6])
    ]
    assert [round(g2, 2) for g2, _ in found] == [28.57, 0.01, 1.48, 0.69]
    assert found[0][1] == pytest.approx(9.0e-8, rel=0.01)
    assert order_fits.misfit(order_fits.markov(CLINTON_GORE), order_fits.markov(CLINTON_GORE)) == (0.0, None)


def test_the_interval_of_q_is_newcombes() -> None:
    """Newcombe (1998), table II, method 10: the differences 56/70 - 48/80 and 10/10 - 0/10."""
    for changed, interval in ((((56, 70), (48, 80)), (0.0524, 0.3339)), (((10, 10), (0, 10)), (0.6075, 1.0))):
        ab, ba = ((0, yes, 0, of - yes) for yes, of in changed)
        tested = orders.qq(Survey("", "", "", ab, ba))
        assert (round(tested.low, 4), round(tested.high, 4)) == interval


def test_the_circuit_computes_what_the_models_say() -> None:
    fits = [order_models.question_model(one, 0) for one in BUNDLED[:2]]
    for fit, found in zip(fits, order_circuit.probabilities(Local(), fits), strict=True):
        np.testing.assert_allclose(found, fit.probabilities, atol=1e-9)


def test_repeating_ones_answer_fulfils_the_equality_too() -> None:
    ab, ba = order_places.repeat_choice(CLINTON_GORE).probabilities
    assert ab[1] + ab[2] == pytest.approx(ba[1] + ba[2])


@settings(deadline=None)
@given(st.floats(0, 3.2), st.floats(0, 3.2), st.floats(0, 6.3))
def test_no_model_of_rays_can_do_better_than_the_bound_of_reciprocity(
    theta: float, phi: float, phase: float
) -> None:
    """A state of two dimensions with a phase, projected on rays twice."""
    yes_a, yes_b = np.array([1.0, 0.0]), np.array([np.cos(theta), np.sin(theta)])
    state = np.array([np.cos(phi), np.sin(phi) * np.exp(1j * phase)])
    orders_of = ((yes_a, yes_b), (yes_b, yes_a))
    turned = np.array([[0.0, -1.0], [1.0, 0.0]])
    found = [
        [abs(y @ x) ** 2 * abs(x @ state) ** 2 for x in (one, turned @ one) for y in (two, turned @ two)]
        for one, two in orders_of
    ]
    likelihood = order_fits.log_likelihood(CLINTON_GORE, np.array(found))
    bound = order_fits.reciprocity(CLINTON_GORE)
    assert bound.probabilities.sum(axis=1) == pytest.approx([1.0, 1.0])
    assert likelihood <= bound.log_likelihood + 1e-9
    assert bound.aic > order_fits.no_order(CLINTON_GORE).aic + 50


def test_the_similarity_is_that_of_both_projections_of_the_state() -> None:
    """Re⟨P_A ψ|P_B ψ⟩ over their lengths, from vectors; and the published indices of five surveys."""
    theta, phi, weights = (0.3, -1.1), (0.8, 0.2), (np.cos(0.6), np.sin(0.6))
    along_a = np.array([w * np.cos(p) for w, p in zip(weights, phi, strict=True)])
    along_b = np.array([w * np.cos(p - t) for w, p, t in zip(weights, phi, theta, strict=True)])
    overlap = sum(a * b * np.cos(t) for a, b, t in zip(along_a, along_b, theta, strict=True))
    expected = overlap / np.linalg.norm(along_a) / np.linalg.norm(along_b)
    told = order_models.question_probabilities(np.array([0.6, *theta, *phi]))
    ab, ba = (tuple(int(count) for count in np.rint(1e8 * cells)) for cells in told)
    assert orders.similarity(Survey("", "", "", ab, ba)) == pytest.approx(expected, abs=1e-6)  # type: ignore[arg-type] # four cells each
    five = [round(orders.similarity(one), 4) for one in (*BUNDLED[:3], *BUNDLED[4:6])]
    assert five == [0.8409, 0.6634, 0.7866, 0.5521, 0.8600]


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


def test_many_surveys_are_added_up() -> None:
    surveys = (*BUNDLED[:4], BUNDLED[30])
    local = Local()
    report = SurveysStudy(surveys, 0, "some").conduct(local)
    assert len(local.requests) == 1
    before, models, each = report.tables
    figures = [value for _, value in before.rows]
    assert figures[:2] == [5, sum(one.people for one in surveys)]
    assert figures[-7] == pytest.approx(sum(orders.qq(one).z ** 2 for one in surveys), abs=0.01)
    assert (figures[-3], figures[-1]) == (1, 1)
    assert [row[2] for row in models.rows] == [25, 15, 15, 20, 25, 30]
    above = [order_models.question_model(one, 0).aic - order_fits.markov(one).aic for one in surveys]
    assert report.comparisons[0].fleet.value == pytest.approx(sum(above))
    # Rose and Jackson refutes every model with the equality: by AIC a chain in each order is left
    assert report.comparisons[0].classical.method == "Markov chain in each order"
    assert [one.winner for one in report.comparisons] == ["classical", "neither"]
    assert [row[0] for row in each.rows] == [one.name for one in surveys]
    others = sum(above) - above[3]
    assert f"{sum(above):.1f}, and {others:.1f} without 'Rose and Jackson'" in report.notes[-1]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("s,a,b,0,0,1,1,1,1,1,1", "line 2: nobody said yes"),
        ("s,a,b,1,1,1,1,0,0,1,1", "line 2: nobody said yes"),
        ("s,a,b,0.5,1,1,1,1,1,1,1", "line 2, column 'ab_yy': 0.5 is no whole number"),
        ("s,a,b,1e300,1,1,1,1,1,1,1", "line 2, column 'ab_yy': 1e300 is not within 0 to 1e.09"),
        ("s,a,b,1,1,1,1,1,1,1,1\ns,a,b,1,1,1,1,1,1,1,1", "line 3, column 'survey': a survey 's' stands"),
    ],
)
def test_tables_that_are_no_counts_are_refused(tmp_path: Path, row: str, told: str) -> None:
    file = tmp_path / "survey.csv"
    heading = (DATA / "orders.csv").read_text(encoding="utf-8").splitlines()[0]
    file.write_text(f"{heading}\n{row}\n", encoding="utf-8")
    with pytest.raises(InvalidData, match=told):
        orders.load(file)
