"""The studies of cities on their bundled data: the exact method is never worse, and the report says so."""

import msgspec
import pytest
from tests.unit.applications.local import Local

from qfleet_applications.cities import benchmark, sensors
from qfleet_applications.cities.problem import ProblemStudy, agreement
from qfleet_applications.cities.roads import Road, Roads
from qfleet_applications.cities.sensors import Sensors
from qfleet_applications.errors import TooLarge
from qfleet_applications.qubo.proving import Proof
from qfleet_applications.qubo.sampling import Effort

STUDIES = {study.problem.command: study for study in benchmark.studies()}
RING = Roads("a ring", tuple(Road(str(at), str((at + 1) % 7), 1.0, 1.0) for at in range(7)))


@pytest.mark.parametrize("command", STUDIES)
def test_the_exact_method_is_proved_and_never_worse(command: str) -> None:
    desk = Local()
    study = STUDIES[command]
    report = study.conduct(desk)
    exact, tabu, *again = report.comparisons
    proved = {one.classical.method: one.classical for one in (exact, *again)}
    assert set(proved) == ({"HiGHS"} if command == "charging" else {"CP-SAT", "HiGHS"})
    for found in proved.values():
        assert found.note == "proved optimal"
        assert found.value == pytest.approx(exact.classical.value, rel=1e-6)
    told = "only exact method" if command == "charging" else "prove the same optimum"
    assert told in report.notes[1]
    assert exact.classical.note == "proved optimal"
    assert exact.classical.value <= exact.fleet.value * (1 + 1e-9)
    assert exact.classical.value <= tabu.classical.value * (1 + 1e-9)
    assert exact.fleet.value <= 1.1 * exact.classical.value
    assert (exact.winner == "neither") == (
        exact.fleet.value == pytest.approx(exact.classical.value, rel=1e-9)
    )
    assert "proved optimal" in report.notes[0]
    assert "classical sampler" in report.notes[-1]
    assert desk.requests[0] == study.requests()[0]
    assert [one.name for one in desk.requests] == [f"{command} simulated", f"{command} tabu"]
    assert msgspec.json.encode(report)
    assert report.figures
    assert report.settings["seed"] == "0"


def test_a_small_cover_by_qaoa() -> None:
    study = ProblemStudy(Sensors(RING, (1.0,) * 7), Effort(method="qaoa", layers=2))
    report = study.conduct(Local())
    assert study.qubits == 7
    assert report.comparisons[0].fleet.value == report.comparisons[0].classical.value == 4.0
    assert "simulated qubits" in report.notes[-1]


def test_qaoa_refuses_what_it_cannot_hold_with_the_qubits_needed() -> None:
    study = ProblemStudy(STUDIES["charging"].problem, Effort(method="qaoa"))
    with pytest.raises(TooLarge, match="needs 168 qubits") as refused:
        study.requests()
    assert refused.value.qubits == 168


def test_a_tabu_search_is_not_compared_with_itself() -> None:
    study = ProblemStudy(Sensors(RING, (1.0,) * 7), Effort(method="tabu", reads=8, sweeps=100))
    compared = study.conduct(Local()).comparisons
    assert [one.classical.method for one in compared] == ["HiGHS", "CP-SAT"]
    assert sensors.EFFORT.method == "simulated"


def test_exact_methods_that_do_not_agree_are_told_of() -> None:
    problem = STUDIES["sensors"].problem
    proof = Proof((1,), 13.0, 13.0, 0.1)
    assert "prove the same optimum" in agreement(problem, proof, proof)
    assert "HiGHS and CP-SAT disagree: 13 against 12" in agreement(problem, proof, Proof((), 12.0, 12.0, 0.1))
    assert "nothing is below 11" in agreement(problem, proof, Proof((1,), 13.0, 11.0, 0.1))
