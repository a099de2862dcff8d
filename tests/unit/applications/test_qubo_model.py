"""Models of bits: constraints as penalties, against every assignment; and the way to a fleet and back."""

from itertools import product

import dimod
import pytest
from tests.unit.applications.local import Local

from qfleet import JobRequest, SampleResultView
from qfleet_applications.errors import InvalidProblem, TooLarge, UnexpectedResult
from qfleet_applications.qubo import sampling
from qfleet_applications.qubo.model import Qubo, slack_steps
from qfleet_applications.qubo.options import effort
from qfleet_applications.qubo.sampling import Effort


def small() -> Qubo:
    """Three things of which two are to be had, at the costs 3, 1, 2 and 1 for the last two together."""
    qubo = Qubo()
    bits = qubo.variables("abc")
    for bit, cost in zip(bits, (3.0, 1.0, 2.0), strict=True):
        qubo.add(bit, cost)
    qubo.couple(bits[2], bits[1], 1.0)
    qubo.square([(bit, 1.0) for bit in bits], -2.0, 10.0)
    return qubo


def test_a_square_is_the_square_of_the_sum() -> None:
    for bits in product((0, 1), repeat=3):
        cost = 3 * bits[0] + bits[1] + 2 * bits[2] + bits[1] * bits[2]
        assert small().energy(bits) == pytest.approx(cost + 10 * (sum(bits) - 2) ** 2)


def test_exactly_one_and_at_most_one_cost_nothing_where_they_hold() -> None:
    exactly, most = Qubo(), Qubo()
    exactly.exactly_one(exactly.variables("abcd"), 3.0)
    most.at_most_one(most.variables("abcd"), 3.0)
    for bits in product((0, 1), repeat=4):
        ones = sum(bits)
        assert exactly.energy(bits) == 3.0 * (ones - 1) ** 2
        assert most.energy(bits) == 3.0 * ones * (ones - 1) / 2


@pytest.mark.parametrize("bound", range(9))
def test_slack_bits_reach_every_sum_up_to_the_bound_and_no_other(bound: int) -> None:
    steps = slack_steps(bound)
    sums = {
        sum(step for step, bit in zip(steps, bits, strict=True) if bit)
        for bits in product((0, 1), repeat=len(steps))
    }
    assert sums == set(range(bound + 1))


def test_a_bound_costs_nothing_exactly_where_some_slack_meets_it() -> None:
    qubo = Qubo()
    bits = qubo.variables("abc")
    qubo.at_most([(bits[0], 2.0), (bits[1], 3.0), (bits[2], 4.0)], 5, 1.0)
    slack = len(qubo) - 3
    assert slack == 3
    for chosen in product((0, 1), repeat=3):
        load = 2 * chosen[0] + 3 * chosen[1] + 4 * chosen[2]
        least = min(qubo.energy((*chosen, *rest)) for rest in product((0, 1), repeat=slack))
        assert least == max(0, load - 5) ** 2


def test_a_bound_that_cannot_be_broken_needs_no_slack_and_one_below_zero_is_refused() -> None:
    qubo = Qubo()
    terms = [(bit, 1.0) for bit in qubo.variables("ab")]
    qubo.at_most(terms, 2, 1.0)
    assert (len(qubo), qubo.quadratic) == (2, {})
    with pytest.raises(InvalidProblem, match="at most -1"):
        qubo.at_most(terms, -1, 1.0)


def test_weights_that_are_no_numbers_are_refused_with_the_name() -> None:
    qubo = Qubo()
    bit = qubo.variable("load of Ulm")
    with pytest.raises(InvalidProblem, match="'load of Ulm' is not finite"):
        qubo.add(bit, float("nan"))


def test_the_serialized_model_is_the_same_to_dimod() -> None:
    qubo = small()
    read = dimod.BinaryQuadraticModel.from_serializable(sampling.serialized(qubo))
    for bits in product((0, 1), repeat=3):
        assert read.energy(dict(enumerate(bits))) == pytest.approx(qubo.energy(bits))


@pytest.mark.parametrize("method", sampling.METHODS)
def test_every_method_finds_the_lowest_state(method: sampling.Method) -> None:
    qubo = small()
    view = Local().run(
        sampling.request(qubo, Effort(method=method, reads=16, sweeps=50), seed=1, name="small")
    )
    best = sampling.states(qubo, view)[0]
    assert best.energy == min(qubo.energy(bits) for bits in product((0, 1), repeat=3)) == 4.0
    assert best.count >= 1


def test_what_no_device_takes_is_refused_with_its_size() -> None:
    with pytest.raises(TooLarge, match="needs 25 qubits, and qaoa takes at most 24") as refused:
        sampling.check(25, 30, Effort(method="qaoa"), "it")
    assert refused.value.qubits == 25
    with pytest.raises(TooLarge, match="needs 4001 variables"):
        sampling.check(4001, 5000, Effort(), "it")
    with pytest.raises(TooLarge, match="190001 coefficients"):
        sampling.check(2000, 190_001, Effort(), "it")
    with pytest.raises(InvalidProblem, match="no variables"):
        sampling.check(0, 0, Effort(), "it")


def test_a_result_of_something_else_is_refused() -> None:
    view = Local().run(
        JobRequest(kind="circuit.sample", program="OPENQASM 3; qubit q; bit c; c = measure q;", shots=1)
    )
    assert isinstance(view, SampleResultView)
    with pytest.raises(UnexpectedResult, match="asked for low states"):
        sampling.states(small(), view)
    other = Qubo()
    other.exactly_one(other.variables("ab"), 1.0)
    view = Local().run(sampling.request(other, Effort(reads=1, sweeps=1), seed=1, name="other"))
    with pytest.raises(UnexpectedResult, match="variables of the model"):
        sampling.states(small(), view)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InvalidProblem, match="no method 'magic'"):
        effort(Effort(), "magic", reads=None, sweeps=None, layers=None)
    assert effort(Effort(), "tabu", reads=3, sweeps=None, layers=4) == Effort(
        method="tabu", reads=3, layers=4
    )
