"""Closed forms of Bell-diagonal pairs against density matrices of QuTiP."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import entanglement_matrices as matrices

from qfleet_controlplane import errors
from qfleet_controlplane.network.entanglement import bell, operations, purification

SEEDS = range(6)
NOISE = (
    operations.PERFECT,
    operations.Operations(one_qubit=0.98, two_qubit=0.97, readout=0.96),
    operations.Operations(two_qubit=0.9, readout=0.8),
)
states = st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4).map(
    lambda each: bell.Pair(*(part / sum(each) for part in each))
)


@pytest.mark.parametrize("seed", SEEDS)
def test_correlations_are_the_expectations_of_paulis(seed: int) -> None:
    pair = matrices.random_pair(np.random.default_rng(seed))
    matrix = matrices.state(pair)
    x, y, z = (float((matrices.on(2, {0: each, 1: each}) * matrix).tr().real) for each in matrices.PAULIS[1:])
    assert pair.correlations() == pytest.approx((x, -y, z), abs=1e-12)


@given(states)
def test_correlations_and_probabilities_say_the_same(pair: bell.Pair) -> None:
    assert bell.of(pair.correlations()) == pytest.approx(pair, abs=1e-12)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_swap_is_that_of_density_matrices(seed: int, noise: operations.Operations) -> None:
    generator = np.random.default_rng(seed)
    first, second = matrices.random_pair(generator), matrices.random_pair(generator)
    expected = matrices.weights(matrices.swapped(first, second, noise))
    assert operations.swapped(first, second, noise) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("seed", SEEDS)
def test_dejmps_is_that_of_density_matrices(seed: int, noise: operations.Operations) -> None:
    generator = np.random.default_rng(seed)
    first, second = matrices.random_pair(generator), matrices.random_pair(generator)
    success, left = matrices.purified(first, second, noise, rotate=True)
    done = purification.purified(first, second, "dejmps", noise)
    assert done.success == pytest.approx(success, abs=1e-10)
    assert done.pair == pytest.approx(matrices.weights(left), abs=1e-10)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("fidelities", [(0.7, 0.7), (0.9, 0.6), (0.99, 0.8)])
def test_bbpssw_is_that_of_density_matrices(
    fidelities: tuple[float, float], noise: operations.Operations
) -> None:
    first, second = (bell.werner(each) for each in fidelities)
    success, left = matrices.purified(first, second, noise, rotate=False)
    done = purification.purified(first, second, "bbpssw", noise)
    assert done.success == pytest.approx(success, abs=1e-10)
    assert done.pair.fidelity == pytest.approx(matrices.weights(left)[0], abs=1e-10)
    assert done.pair == pytest.approx(bell.werner(done.pair.fidelity))


@pytest.mark.parametrize("seed", SEEDS)
def test_memories_decay_as_density_matrices_do(seed: int) -> None:
    pair = matrices.random_pair(np.random.default_rng(seed))
    memory, wait_s = operations.Memory(depolarising_s=2.0, dephasing_s=0.7), 0.1 * (seed + 1)
    matrix = matrices.state(pair)
    for qubit in (0, 1):
        matrix = matrices.mixed(matrix, (qubit,), math.exp(-wait_s / 2.0))
        matrix = matrices.dephased(matrix, qubit, math.exp(-wait_s / 0.7))
    assert operations.decayed(pair, wait_s, memory) == pytest.approx(matrices.weights(matrix), abs=1e-10)


@given(states, states)
@settings(max_examples=50)
def test_rounds_leave_probabilities(first: bell.Pair, second: bell.Pair) -> None:
    for protocol in ("bbpssw", "dejmps"):
        done = purification.purified(first, second, protocol, NOISE[1])
        assert 0.0 < done.success <= 1.0
        bell.pair(*done.pair)


@pytest.mark.parametrize("schedule", [purification.recurrence, purification.pumping])
def test_rounds_take_as_many_pairs_as_a_simulation(schedule: object) -> None:
    rounds, runs = 2, 4_000
    start = bell.werner(0.8)
    expected = schedule(start, rounds, "bbpssw")  # type: ignore[operator] # either of two functions
    generator = np.random.default_rng(11)

    def recurrence(level: int) -> tuple[bell.Pair, int]:
        if level == 0:
            return start, 1
        taken = 0
        while True:
            first, one = recurrence(level - 1)
            second, two = recurrence(level - 1)
            taken += one + two
            done = purification.purified(first, second, "bbpssw")
            if generator.random() < done.success:
                return done.pair, taken

    def pumping(level: int) -> tuple[bell.Pair, int]:
        taken = 0
        while True:
            kept, taken = start, taken + 1
            for _ in range(level):
                done = purification.purified(kept, start, "bbpssw")
                taken += 1
                if generator.random() >= done.success:
                    break
                kept = done.pair
            else:
                return kept, taken

    simulate = recurrence if schedule is purification.recurrence else pumping
    found = [simulate(rounds) for _ in range(runs)]
    counts = np.array([taken for _, taken in found], dtype=float)
    assert {pair for pair, _ in found} == {expected.pair}
    # Six and a half standard errors: about 1e-10 for a mean of so many runs.
    assert abs(counts.mean() - expected.pairs) < 6.5 * counts.std() / math.sqrt(runs)


def test_rounds_to_a_fidelity_are_the_fewest() -> None:
    schedule = purification.rounds_to(bell.werner(0.7), 0.95)
    assert schedule.pair.fidelity >= 0.95
    assert purification.recurrence(bell.werner(0.7), schedule.rounds - 1).pair.fidelity < 0.95


def test_a_fidelity_beyond_the_operations_is_refused_with_the_best() -> None:
    noise = operations.Operations(two_qubit=0.98, readout=0.99)
    with pytest.raises(
        purification.Unreachable, match=r"fidelity of 0\.999 cannot be reached from pairs of 0\.8"
    ) as said:
        purification.rounds_to(bell.werner(0.8), 0.999, "bbpssw", noise)
    best = said.value.best
    assert 0.8 < best < 0.999
    assert purification.rounds_to(bell.werner(0.8), best - 1e-9, "bbpssw", noise).pair.fidelity >= best - 1e-9
    # There a round no longer helps.
    assert purification.purified(
        bell.werner(best), bell.werner(best), "bbpssw", noise
    ).pair.fidelity == pytest.approx(best)


def test_pairs_that_are_not_entangled_are_never_purified() -> None:
    with pytest.raises(purification.Unreachable) as said:
        purification.rounds_to(bell.werner(0.5), 0.6)
    assert said.value.best == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: bell.werner(1.2), "a fidelity of 1.2 is not possible"),
        (lambda: bell.pair(0.5, 0.5, 0.5, 0.5), "add up to 1"),
        (lambda: bell.pair(1.0), "not four probabilities"),
        (lambda: operations.Operations(readout=0.4), "readout = 0.4 does not lie between 0.5 and 1"),
        (lambda: operations.Operations(swap_success=0.0), "no Bell measurement would ever succeed"),
        (lambda: operations.Memory(dephasing_s=0.0), "dephasing_s = 0 must be more than 0"),
        (lambda: operations.decayed(bell.werner(1.0), -1.0, operations.FOREVER), "a wait of -1 s"),
        (lambda: purification.recurrence(bell.werner(0.9), -1), "-1 rounds"),
    ],
)
def test_what_cannot_be_is_refused(make: object, said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        make()  # type: ignore[operator] # one table for all
