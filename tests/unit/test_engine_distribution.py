"""Outcomes drawn from a wide state: the same as from a copy of it, without the memory of one."""

import numpy as np
import numpy.typing as npt
import pytest
import qulacs

from qfleet_agent.daemon import capacity
from qfleet_agent.engines import distribution, memory
from qfleet_agent.engines.distribution import Distribution

WIDE = distribution.COPIED_QUBITS + 1
LENGTH = 256


def specified(vector: npt.NDArray[np.complex128], u: float) -> int:
    """The outcome of one number, in the words of the specification of answers, one sum after the other."""
    rows = vector.view(np.float64).reshape(-1, 2 * LENGTH)
    sums = np.cumsum(np.einsum("ij,ij->i", rows, rows))
    target = u * sums[-1]
    row = next(number for number, total in enumerate(sums) if total > target)
    left = target - (sums[row - 1] if row else 0.0)
    p = rows[row, 0::2] ** 2 + rows[row, 1::2] ** 2
    column = next(number for number, total in enumerate(np.cumsum(p)) if total > left)
    return row * LENGTH + column


@pytest.fixture(scope="module")
def state() -> qulacs.QuantumState:
    made = qulacs.QuantumState(WIDE)
    made.set_Haar_random_state(5)
    return made


@pytest.mark.parametrize("shots", [1, 40, 1024, 3000])
def test_pieces_give_what_a_copy_gives(
    state: qulacs.QuantumState, shots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = np.random.default_rng(shots).random(shots)
    pieces = Distribution(state).sample(numbers)
    monkeypatch.setattr(distribution, "COPIED_QUBITS", WIDE)
    assert np.array_equal(pieces, Distribution(state).sample(numbers))


def test_outcomes_are_those_of_the_specification(state: qulacs.QuantumState) -> None:
    vector = np.asarray(state.get_vector())
    numbers = np.random.default_rng(7).random(60)
    assert Distribution(state).sample(numbers).tolist() == [specified(vector, u) for u in numbers.tolist()]


def test_outcomes_without_probability_are_never_drawn() -> None:
    # (|0…0⟩ + |1…1⟩)/√2: both ends of the state, most pieces between them empty.
    state = qulacs.QuantumState(WIDE)
    qulacs.gate.H(0).update_quantum_state(state)
    for qubit in range(1, WIDE):
        qulacs.gate.CNOT(qubit - 1, qubit).update_quantum_state(state)
    numbers = np.array([0.0, 0.4999, 0.5001, np.nextafter(1.0, 0.0)])
    top = (1 << WIDE) - 1
    assert Distribution(state).sample(numbers).tolist() == [0, 0, top, top]


def test_no_copy_of_a_wide_state_is_made() -> None:
    import tracemalloc  # noqa: PLC0415 - slows all that is allocated while it is on

    state = qulacs.QuantumState(20)
    state.set_zero_state()
    tracemalloc.start()
    try:
        Distribution(state).sample(np.linspace(0.0, 0.999, 1000))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < (16 << 20) / 2  # numpy's own arrays, half of the state at most


@pytest.mark.parametrize("mebibytes", [64, 281, 320, 512, 4096])
def test_a_device_takes_the_widest_program_that_its_memory_can_sample(mebibytes: int) -> None:
    widest = capacity.widest(mebibytes << 20)
    assert memory.drawn(widest) <= mebibytes << 20 < memory.drawn(widest + 1)


def test_a_state_of_256_mib_is_sampled_where_two_would_not_fit() -> None:
    assert capacity.widest(320 << 20) == 24
