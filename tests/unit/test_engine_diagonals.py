"""Gathered diagonal gates do what the gates did, in fewer passes."""

import math
import random

import numpy as np
import pytest
import qulacs
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_agent.engines import diagonals, kernels, matrices
from qfleet_agent.engines.matrices import Primitive
from qfleet_wire import circuit

QUBITS = 5


def gate(name: str, qubits: tuple[int, ...], angle: float = 0.0, *controls: tuple[int, int]) -> Primitive:
    angles = (angle,) * circuit.GATE_ARGUMENTS.get(name, 0)
    found = matrices.primitive(
        circuit.Gate(name, qubits, controls=tuple(circuit.Control(*c) for c in controls)),  # type: ignore[arg-type]  # names of base gates
        angles,
    )
    assert found is not None
    return found


def applied(items: list[Primitive], qubits: int = QUBITS) -> np.ndarray:
    state = qulacs.QuantumState(qubits)
    state.set_Haar_random_state(5)
    for item in items:
        kernels.kernel(item).update_quantum_state(state)
    return np.asarray(state.get_vector())


@st.composite
def gates(draw: st.DrawFn) -> Primitive:
    name = draw(st.sampled_from(["p", "rz", "z", "s", "t", "h", "rx", "x", "swap"]))
    order = draw(st.permutations(range(QUBITS)))
    targets = 2 if name == "swap" else 1
    controls = draw(st.integers(0, 2))
    values = draw(st.lists(st.integers(0, 1), min_size=controls, max_size=controls))
    angle = draw(st.floats(-4, 4))
    return gate(
        name, tuple(order[:targets]), angle, *zip(order[targets : targets + controls], values, strict=True)
    )


@settings(max_examples=200, deadline=None)
@given(items=st.lists(gates(), max_size=25), most=st.integers(2, 5), groups=st.integers(1, 3))
def test_gathering_changes_nothing_but_rounding(items: list[Primitive], most: int, groups: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagonals, "MOST_QUBITS", most)
        patch.setattr(diagonals, "MOST_GROUPS", groups)
        gathered = list(diagonals.gather(items))
    assert len(gathered) <= len(items)
    assert np.allclose(applied(gathered), applied(items), atol=1e-12)


def test_a_two_qubit_diagonal_keeps_the_order_of_its_targets() -> None:
    matrix = np.diag(np.exp(1j * np.arange(4)))
    items = [Primitive((3, 1), matrix), *(gate("rz", (q,), 0.3 * q + 0.1) for q in range(QUBITS))]
    gathered = list(diagonals.gather(items))
    assert len(gathered) == 1
    assert np.allclose(applied(gathered), applied(items), atol=1e-12)


def fourier(qubits: int) -> list[Primitive]:
    items = []
    for target in reversed(range(qubits)):
        items.append(gate("h", (target,)))
        items += [gate("p", (target,), math.pi / 2 ** (target - low), (low, 1)) for low in range(target)]
    return items


def test_a_fourier_transform_takes_a_fraction_of_its_passes() -> None:
    items = fourier(20)
    gathered = list(diagonals.gather(items))
    assert len(items) == 210
    assert len(gathered) <= 60
    small = fourier(QUBITS)
    assert np.allclose(applied(list(diagonals.gather(small))), applied(small), atol=1e-12)


def test_few_cheap_gates_stay_as_they_are() -> None:
    items = [gate("z", (q,)) for q in range(3)]
    assert list(diagonals.gather(items)) == items


def test_a_wide_program_gives_the_same_state_gathered_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = random.Random(3)
    width = diagonals.FROM_QUBITS
    items = []
    for _ in range(80):
        first, second = drawn.sample(range(width), 2)
        items.append(gate("p", (first,), drawn.uniform(-3, 3), (second, 1)))
        if drawn.random() < 0.2:
            items.append(gate("rx", (first,), drawn.uniform(-3, 3)))
    gathered = list(diagonals.gather(items))
    assert len(gathered) < len(items) / 2
    assert np.allclose(applied(gathered, width), applied(items, width), atol=1e-12)
