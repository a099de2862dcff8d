"""What a start is predicted to take, on a device whose gates take next to no time themselves."""

import pytest
from tests.unit import variational_cases as cases
from tests.unit import workload_runs
from tests.unit.variational_cases import request

from qfleet_controlplane.compile import evaluations
from qfleet_controlplane.planning import kinds, plan
from qfleet_controlplane.planning.plan import Fleet
from qfleet_wire import api, codec, payloads, workload

FAST = payloads.Calibration("qulacs", 1.0, 0.0, 40.0, curve=((128.0, 1.0),), item_us=50.0, part_us=10.0)
CHAIN = api.PauliCost(sum="- Z0 Z1 - Z1 Z2 - Z2 Z3 - X0 - X1 - X2 - X3")
ROTATED = api.HardwareEfficientAnsatz(rotations=("ry",), entangler="linear", depth=1)
DEEP = api.HardwareEfficientAnsatz(rotations=("ry",), entangler="linear", depth=4)
QAOA = api.QaoaAnsatz(layers=2)


@pytest.mark.parametrize(
    ("asked", "at_least_ms"),
    [
        (request(cases.ring(6), QAOA), 3.0),
        (request(cases.ring(6), QAOA, optimiser="cobyla"), 100.0),
        (request(CHAIN, ROTATED), 10.0),
        (request(CHAIN, ROTATED, optimiser="nelder-mead"), 10.0),
    ],
)
def test_what_python_does_is_counted_on_small_states_too(asked: api.JobRequest, at_least_ms: float) -> None:
    assert kinds.rates(workload_runs.specified(asked), FAST).item_ms > at_least_ms


def test_starts_of_a_small_ansatz_are_spread() -> None:
    job = workload_runs.specified(request(CHAIN, DEEP, starts=8))
    assert len(kinds.plan(job, Fleet(3, 3, kinds.rates(job, FAST))).slices) > 3


def test_the_grouping_is_said_without_a_number_that_says_nothing() -> None:
    told = [plan.grouping(units, "start", number, 1.0) for units, number in ((1, 1), (4, 4), (9, 4))]
    assert told == ["1 start: 1 task.", "4 starts: a task each.", "9 starts: 4 tasks of up to 3."]


@pytest.mark.parametrize("asked", [request(cases.ring(6), QAOA, starts=3), request(CHAIN, ROTATED, starts=3)])
def test_optimisers_end_about_when_they_are_expected_to(asked: api.JobRequest) -> None:
    ran = workload_runs.run(asked)
    base = codec.decode(ran.specification.problem, workload.VariationalMinimise)
    assert isinstance(ran.view, api.VariationalResultView)
    mean = sum(start.evaluations for start in ran.view.starts) / 3
    assert 1 / 3 < mean / evaluations.typical(base, len(ran.view.parameters)) < 3
