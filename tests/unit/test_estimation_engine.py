"""Amplitude estimation against the published numbers, Qiskit's Grover circuits and SciPy's binomials."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector
from scipy import stats  # type: ignore[import-untyped]  # ships no types
from tests.unit import estimation_cases as cases

from qfleet_agent.engines import amplitude, confidence
from qfleet_agent.engines.confidence import Interval
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_wire import api, circuit, codec, workload
from qfleet_wire.workload.amplitude import applies

EPSILON, ALPHA = 0.01, 0.05


def _runs(method: workload.Confidence) -> tuple[float, float, float]:
    """Mean oracle calls, coverage and mean error over amplitudes spread in (0, 1), four runs each."""
    rng = np.random.default_rng(1)
    calls, covered, errors = [], [], []
    for true in np.repeat(np.linspace(0.005, 0.995, 199), 4):
        angle = math.asin(math.sqrt(true))

        def draw(number: int, power: int, angle: float = angle) -> int:
            del number
            return int(rng.binomial(100, math.sin((2 * power + 1) * angle) ** 2))

        found = confidence.estimate(draw, epsilon=EPSILON, alpha=ALPHA, shots=100, confidence=method)
        lower, upper = (math.sin(each) ** 2 for each in found.angles)
        calls.append(sum(one.power * one.shots for one in found.rounds))
        covered.append(lower <= true <= upper)
        errors.append(abs((lower + upper) / 2 - true))
        assert upper - lower <= 2 * EPSILON
    return float(np.mean(calls)), float(np.mean(covered)), float(np.mean(errors))


def test_published_numbers_of_clopper_pearson() -> None:
    """About 2,100 oracle calls on average and a coverage of at least 95 % (Grinko et al., 2021).

    Over 5,000 runs ours are 2,020, with a standard deviation of 960 from run to run, and cover in
    99.4 %. Over 796 runs neither lies outside these bounds but for a chance of about 1e-9.
    """
    calls, covered, error = _runs("clopper-pearson")
    assert 1_800 <= calls <= 2_300
    assert covered >= 0.95
    assert error <= EPSILON / 2


def test_chernoff_takes_more_calls_and_covers_too() -> None:
    calls, covered, _ = _runs("chernoff")
    assert 2_250 <= calls <= 3_000
    assert covered >= 0.95


@pytest.mark.parametrize(("hits", "shots"), [(0, 100), (3, 100), (50, 100), (100, 100), (1, 1)])
def test_clopper_pearson_ends_where_the_binomial_has_the_level(hits: int, shots: int) -> None:
    found = confidence.interval(hits, shots, 0.01, "clopper-pearson")
    assert found.lower <= hits / shots <= found.upper
    if hits:
        assert stats.binom.sf(hits - 1, shots, found.lower) == pytest.approx(0.005)
    if hits < shots:
        assert stats.binom.cdf(hits, shots, found.upper) == pytest.approx(0.005)
    wide = confidence.interval(hits, shots, 0.01, "chernoff")
    assert wide.lower <= found.lower
    assert wide.upper >= found.upper


def test_a_power_keeps_the_interval_in_one_half_of_the_circle() -> None:
    rng = np.random.default_rng(3)
    raised = 0
    for _ in range(300):
        middle, length = rng.uniform(0.05, 1.5), 10.0 ** rng.uniform(-4, -1)
        angles = Interval(max(0.0, middle - length), min(math.pi / 2, middle + length))
        power, half = confidence.next_power(0, 0, angles)
        if not power:
            continue
        raised += 1
        assert all(half - 1e-8 <= (4 * power + 2) * angle / math.pi <= half + 1 + 1e-8 for angle in angles)
    assert raised > 200


def _grover(power: int, objective: tuple[int, ...]) -> float:
    """Chance that the objective is all ones, by Qiskit: A, then ``power`` times S, A†, S₀, A."""
    prepare = QuantumCircuit(3)
    prepare.ry(0.7, 0)
    prepare.cx(0, 2)
    prepare.ry(1.1, 1)
    prepare.crx(0.4, 1, 2)
    prepare.t(2)
    prepare.h(0)
    whole = prepare.copy()
    for _ in range(power):
        if len(objective) == 1:
            whole.z(objective[0])
        else:
            whole.cz(*objective)
        whole.compose(prepare.inverse(), inplace=True)
        whole.x(range(3))
        whole.h(2)
        whole.ccx(0, 1, 2)
        whole.h(2)
        whole.x(range(3))
        whole.compose(prepare, inplace=True)
    chances = Statevector(whole).probabilities(list(objective))
    return float(chances[-1])


@pytest.mark.parametrize("objective", [(2,), (0, 2)])
def test_powers_on_the_vector_are_those_of_the_circuit_and_of_the_formula(objective: tuple[int, ...]) -> None:
    problem = api.AmplitudeProblem(program=cases.ENTANGLED, objective=objective)
    job = cases.specification(cases.request(problem))
    (item,) = codec.decode(job.problem, workload.AmplitudeEstimate).items
    state = amplitude._prepared(item, cases.BUDGET)
    good = amplitude.good_outcomes(item, len(state))
    applied, formula = (amplitude.Powers(state, good, applied=how) for how in (True, False))
    for power in (0, 1, 2, 3, 7, 20):
        expected = _grover(power, objective)
        assert applied.chance(power) == pytest.approx(expected, abs=1e-10)
        assert formula.chance(power) == pytest.approx(expected, abs=1e-10)


def test_the_way_is_told_by_the_problem() -> None:
    assert applies(10, 1e-3)
    assert not applies(24, 1e-3)
    assert not applies(1, 1e-6)


@pytest.mark.parametrize("epsilon", [0.2, 0.01, 1e-6])
def test_problems_are_estimated_within_their_intervals(epsilon: float) -> None:
    """The finest takes powers of hundreds of thousands, so there the formula draws."""
    chances = (0.0, 1e-4, 0.3, 0.5, 0.75, 1.0)
    problems = [api.AmplitudeProblem(program=cases.turned(chance), objective=(0,)) for chance in chances]
    asked = cases.request(*problems, epsilon=epsilon, alpha=1e-9)
    view = cases.viewed(asked, cases.ran(cases.specification(asked)))
    for chance, found in zip(chances, view.problems.values(), strict=True):
        assert found.interval[0] - 1e-12 <= chance <= found.interval[1] + 1e-12
        assert abs(found.estimate - chance) <= epsilon
        assert found.oracle_calls == sum(one.power * one.shots for one in found.rounds)


def test_good_outcomes_are_spelled_with_the_first_objective_rightmost() -> None:
    flipped = f"{cases.HEADER} qubit[2] q; x q[1];"
    for good, objective, expected in (
        (("10",), (0, 1), 1.0),
        (("01",), (0, 1), 0.0),
        (("01",), (1, 0), 1.0),
        (("00", "10"), (0, 1), 1.0),
        (None, (0, 1), 0.0),
        (None, (1,), 1.0),
    ):
        problem = api.AmplitudeProblem(program=flipped, objective=objective, good=good)
        asked = cases.request(problem, epsilon=0.1)
        view = cases.viewed(asked, cases.ran(cases.specification(asked)))
        assert abs(view.problems[0].estimate - expected) <= 0.1


def _work(**fields: object) -> workload.AmplitudeEstimate:
    program = circuit.Program(1, (), (), (circuit.Gate("h", (0,)),))
    base: dict[str, object] = {
        "qubits": 1,
        "seed": 0,
        "items": (workload.AmplitudeItem(0, program, (0,), (1,)),),
        "epsilon": 0.1,
        "alpha": 0.1,
        "round_shots": 10,
    }
    return workload.AmplitudeEstimate(**base | fields)  # type: ignore[arg-type] # fields vary


@pytest.mark.parametrize(
    "work",
    [
        workload.ProbeEcho(),
        _work(epsilon=0.0),
        _work(alpha=1.0),
        _work(round_shots=0),
        _work(items=(workload.AmplitudeItem(0, circuit.Program(1, (), (), ()), (1,), (1,)),)),
        _work(items=(workload.AmplitudeItem(0, circuit.Program(1, (), ("a",), ()), (0,), (1,)),)),
    ],
)
def test_a_work_without_meaning_is_refused(work: workload.Work) -> None:
    with pytest.raises(WorkInvalid):
        amplitude.run(work, budget=cases.BUDGET, report=lambda _: None)


def test_a_state_that_does_not_fit_is_refused_with_numbers() -> None:
    with pytest.raises(MemoryShort, match="24 qubits needs 1610 MiB and the task may use 1024 MiB"):
        amplitude.run(_work(qubits=24), budget=cases.BUDGET, report=lambda _: None)
