"""Feature selection: mutual information by scikit-learn's, the model by all sets, and what is sent."""

from itertools import product

import msgspec
import numpy as np
import pytest
from sklearn.metrics import mutual_info_score
from tests.unit.applications.healthcare_site_engine import here
from tests.unit.applications.local import Local

from qfleet import AnnealRequest
from qfleet_applications.errors import InvalidProblem, TooLarge, UnexpectedResult
from qfleet_applications.healthcare import cohorts, information
from qfleet_applications.healthcare.features import FeatureStudy
from qfleet_applications.healthcare.selection import Selection
from qfleet_applications.healthcare.site_sampling import SiteSampler
from qfleet_applications.qubo.sampling import Effort
from qfleet_wire import codec, workload

COHORT = cohorts.breast_cancer(bytes(32))


def small(features: int = 8, number: int = 3) -> Selection:
    rng = np.random.default_rng(features)
    pairs = rng.uniform(0, 1, (features, features))
    return Selection(rng.uniform(0, 1, features), np.triu(pairs, 1) + np.triu(pairs, 1).T, number)


def test_mutual_information_is_scikit_learns() -> None:
    one, other = (information.binned(COHORT.rows[:, at]) for at in (0, 7))
    assert information.mutual(one, other) == pytest.approx(mutual_info_score(one, other) / np.log(2))
    assert np.bincount(one).tolist() == pytest.approx([569 / 5] * 5, abs=3)
    assert set(information.binned(COHORT.labels.astype(float))) <= {0, 1, 2}


@pytest.mark.parametrize("number", [1, 3, 7])
def test_the_lowest_state_of_the_model_is_the_best_set(number: int) -> None:
    selection = small(number=number)
    qubo = selection.model()
    states = sorted(product((0, 1), repeat=8), key=qubo.energy)
    assert tuple(at for at, bit in enumerate(states[0]) if bit) == selection.exact()
    assert qubo.energy(states[0]) == pytest.approx(-selection.score(selection.exact() or ()))


def test_states_with_another_number_are_repaired() -> None:
    selection = small()
    for bits in ((0,) * 8, (1,) * 8, (1, 0, 0, 0, 0, 0, 0, 1)):
        assert len(selection.read(bits)) == 3
    assert {0, 7} <= set(selection.read((1, 0, 0, 0, 0, 0, 0, 1)))
    assert selection.score(selection.greedy()) <= selection.score(selection.exact() or ())


def test_the_fleet_finds_the_best_set_of_the_bundled_data_and_gets_no_row() -> None:
    desk = Local()
    report = FeatureStudy(COHORT).conduct(desk)
    exact, ranking = report.comparisons
    assert exact.fleet.value == pytest.approx(exact.classical.value)
    assert exact.winner == "neither"
    assert ranking.winner == "fleet"
    assert report.notes[0] == "The set of tabu search is the best of all."
    assert report.notes[1].startswith("Tabu search is a classical sampler")
    assert report.settings["sampler"] == "tabu search: a classical sampler, no qubits"
    assert exact.fleet.note == report.settings["sampler"]
    (asked,) = desk.requests
    assert isinstance(asked.work, AnnealRequest)
    sent = msgspec.json.encode(asked).decode()
    values = {repr(float(value)) for value in COHORT.rows.ravel() if value > 1.5}
    numbers = {word for line in str(asked.work.model).splitlines() for word in line.split()[2:]}
    assert len(numbers) > 100
    assert not values & numbers
    assert not any(name in sent for name in (*COHORT.features, *COHORT.names))
    assert any("no medical device" in note for note in report.notes)


def test_where_data_stay_the_same_set_is_found_and_the_fleet_gets_not_even_the_model() -> None:
    cohort = COHORT.part(120, 0)
    effort = Effort(method="tabu", reads=20, sweeps=60)
    sent = Local()
    away = FeatureStudy(cohort, 3, effort).conduct(sent)
    desk = Local()
    study = FeatureStudy(cohort, 3, effort, placement="data-local", local=SiteSampler(here))
    report = study.conduct(desk)
    assert len(sent.requests) == 1
    assert desk.requests == []
    assert study.requests() == ()
    assert report.tables[0].rows == away.tables[0].rows
    assert "on this machine" in report.comparisons[0].sentence
    assert "Nothing went to the fleet" in report.notes[-1]
    model, expected = study.selection.model(), away.comparisons[0].fleet.value
    states = SiteSampler(here).states(model, effort, 0)
    assert study.selection.score(study.selection.read(states[0].bits)) == pytest.approx(expected)
    with pytest.raises(InvalidProblem, match="simulated is not computed where the data lie"):
        SiteSampler(here).states(model, Effort(method="simulated"), 0)
    nothing = codec.encode(workload.AnnealResult(0, 1, (), ()))
    with pytest.raises(UnexpectedResult, match="no states of 30 bits"):
        SiteSampler(lambda _: nothing).states(model, effort, 0)


def test_a_choice_that_is_none_is_refused_and_too_many_qubits_are_told() -> None:
    with pytest.raises(InvalidProblem, match="30 features of 30"):
        FeatureStudy(COHORT, 30).requests()
    with pytest.raises(TooLarge, match="needs 30 qubits"):
        FeatureStudy(COHORT, 5, Effort(method="qaoa")).requests()
    assert small(40, 20).exact() is None
