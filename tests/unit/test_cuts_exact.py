"""A cut program gives what the whole one gives, whatever the program and whoever owns its qubits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import cut_cases, engine_reference

from qfleet_controlplane.planning.cuts import assembly, gathering, schmidt, unitaries
from qfleet_wire import circuit, codec
from qfleet_wire.circuit import Constant, Control, Gate

EXACT = 1e-11
POINTS = ((0.3, -1.1), (0.0, 2.2))
CX = Gate("x", (1,), (), (Control(0),))


@st.composite
def products(draw: st.DrawFn, qubits: int) -> tuple[tuple[str, int], ...]:
    letters = draw(st.lists(st.sampled_from("IXYZ"), min_size=qubits, max_size=qubits))
    return tuple((letter, qubit) for qubit, letter in enumerate(letters) if letter != "I")


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_parts_put_together_give_the_amplitudes_and_values_of_the_whole(data: st.DataObject) -> None:
    program = data.draw(cut_cases.programs())
    qubits = program.qubits
    owner = data.draw(st.lists(st.integers(0, 2), min_size=qubits, max_size=qubits))
    asked = assembly.Asked(
        data.draw(st.lists(products(qubits), min_size=1, max_size=4)),
        data.draw(st.lists(st.integers(0, (1 << qubits) - 1), min_size=1, max_size=4)),
    )
    cut = cut_cases.assembled(program, owner, POINTS, asked)
    if cut.paths > 512:
        return
    rows = data.draw(st.integers(1, 9))
    points = cut_cases.run(cut, POINTS, rows)
    for index, point in enumerate(POINTS):
        state = cut_cases.state_of(program, point)
        np.testing.assert_allclose(
            gathering.amplitudes(cut, points[index]), state[list(asked.strings)], atol=EXACT
        )
        wanted = [cut_cases.expectation(state, product) for product in asked.products]
        np.testing.assert_allclose(gathering.expectations(cut, points[index]), wanted, atol=EXACT)


@settings(max_examples=60, deadline=None)
@given(st.lists(cut_cases.gates(2, 0), min_size=1, max_size=5))
def test_terms_add_up_to_the_gates_that_were_cut(gates: list[Gate]) -> None:
    product = unitaries.product_of(gates, (0, 1), ())
    whole = np.eye(4, dtype=complex)
    for gate in gates:
        angles = [float(angle.value) for angle in gate.arguments if isinstance(angle, Constant)]
        columns = [engine_reference.apply(gate, angles, column) for column in np.eye(4, dtype=complex)]
        whole = np.array(columns).T @ whole
    np.testing.assert_allclose(product, whole, atol=EXACT)
    terms = schmidt.decompose(product)
    assert len(terms) in {1, 2, 4}  # a unitary never has three
    added = sum(np.kron(np.reshape(b, (2, 2)), np.reshape(a, (2, 2))) for a, b in terms)
    np.testing.assert_allclose(added, whole, atol=EXACT)


def test_familiar_gates_have_their_known_number_of_terms() -> None:
    rz = Gate("rz", (1,), (Constant(0.3),))
    known = {
        1: [Gate("h", (1,)), rz],
        2: [CX],
        4: [Gate("swap", (0, 1))],
    }
    for count, gates in known.items():
        assert len(schmidt.decompose(unitaries.product_of(gates, (0, 1), ()))) == count
    for gates in ([CX, rz, CX], [Gate("p", (0,), (Constant(0.3),), (Control(1),))], [CX, Gate("z", (0,))]):
        assert len(schmidt.decompose(unitaries.product_of(gates, (0, 1), ()))) == 2
    assert len(schmidt.decompose(unitaries.product_of([Gate("swap", (0, 1), power=0.5)], (0, 1), ()))) == 4


WIDE = [
    (Gate("x", (2,), (), (Control(0), Control(1))), 3),
    (Gate("z", (0,), (), (Control(2), Control(1, 0))), 3),
    (Gate("swap", (1, 2), (), (Control(0),)), 3),
    (Gate("swap", (0, 2), (), (Control(1),)), 5),
    (Gate("rx", (1,), (circuit.Parameter(0),), (Control(0), Control(2))), 3),
    (Gate("u", (0,), (Constant(0.7), Constant(5.1), Constant(-2.0)), (Control(1), Control(2, 0))), 3),
    (Gate("p", (2,), (circuit.Parameter(0),), (Control(0), Control(1))), 3),
    (Gate("gphase", (), (Constant(4.5),), (Control(0), Control(1, 0), Control(2)), 1 / 3), 3),
    (Gate("x", (3,), (), (Control(0), Control(1), Control(2))), 8),
    (Gate("swap", (1, 2), (), (Control(0), Control(3, 0))), 8),
]


@pytest.mark.parametrize(("gate", "gates"), WIDE)
def test_a_gate_on_several_qubits_is_cut_through_as_gates_on_two(gate: Gate, gates: int) -> None:
    turned = [Gate("ry", (qubit,), (Constant(0.4 + qubit),)) for qubit in range(4)]
    body = (*turned, gate, Gate("h", (0,)), Gate("t", (1,)), CX)
    program = circuit.Program(4, (), ("theta",), body)
    asked = assembly.Asked(((("X", 0), ("Y", 1), ("Z", 2)), (("Z", 3),)), tuple(range(16)))
    points = ((0.9,), (2.7,))
    cut = cut_cases.assembled(program, (0, 1, 1, 1), points, asked)
    assert len(cut.terms) <= gates + 1  # and what comes after it
    found = cut_cases.run(cut, points)
    for index, point in enumerate(points):
        state = cut_cases.state_of(program, point)
        np.testing.assert_allclose(gathering.amplitudes(cut, found[index]), state, atol=EXACT)
        wanted = [cut_cases.expectation(state, product) for product in asked.products]
        np.testing.assert_allclose(gathering.expectations(cut, found[index]), wanted, atol=EXACT)


def test_a_gate_on_several_qubits_stays_whole_within_a_part() -> None:
    gate = Gate("x", (2,), (), (Control(0), Control(1)))
    program = circuit.Program(4, (), (), (gate, Gate("x", (3,), (), (Control(2),))))
    cut = cut_cases.assembled(program, (0, 0, 0, 1), ((),), assembly.Asked((), (0,)))
    assert cut.terms == (2,)
    assert gate in codec.decode(cut.parts[0].program, circuit.Program).body


def test_a_plain_swap_only_renames_qubits_and_is_not_cut() -> None:
    program = circuit.Program(4, (), (), (Gate("x", (0,)), Gate("swap", (0, 3)), CX, Gate("h", (3,))))
    cut = cut_cases.assembled(program, (0, 0, 1, 1), ((),), assembly.Asked(((("Z", 3),),), (8,)))
    assert cut.terms == (2,)  # what was CX on (0, 1) acts on (3, 1)
    point = cut_cases.run(cut, ((),))[0]
    state = cut_cases.state_of(program, ())
    np.testing.assert_allclose(gathering.amplitudes(cut, point), [state[8]], atol=EXACT)
    np.testing.assert_allclose(
        gathering.expectations(cut, point), [cut_cases.expectation(state, (("Z", 3),))], atol=EXACT
    )


def test_gates_between_a_pair_count_as_one_gate_and_others_part_them() -> None:
    rz = Gate("rz", (1,), (Constant(0.7),))
    together = circuit.Program(3, (), (), (CX, rz, Gate("t", (0,)), CX))
    apart = circuit.Program(3, (), (), (CX, Gate("x", (2,), (), (Control(1),)), CX))
    asked = assembly.Asked((), (0,))
    assert cut_cases.assembled(together, (0, 1, 1), ((),), asked).terms == (2,)
    assert cut_cases.assembled(apart, (0, 1, 1), ((),), asked).terms == (2, 2)


def test_a_point_at_which_a_gate_has_fewer_terms_gives_the_same_as_the_whole() -> None:
    gates = (
        Gate("h", (0,)),
        Gate("ry", (1,), (Constant(0.4),)),
        Gate("rx", (1,), (circuit.Parameter(0),), (Control(0),)),
    )
    program = circuit.Program(2, (), ("theta",), gates)
    points = ((0.0,), (0.9,))
    cut = cut_cases.assembled(program, (0, 1), points, assembly.Asked(((("X", 0), ("Z", 1)),), (3,)))
    assert cut.terms == (2,)
    found = cut_cases.run(cut, points)
    for index, point in enumerate(points):
        state = cut_cases.state_of(program, point)
        np.testing.assert_allclose(gathering.amplitudes(cut, found[index]), [state[3]], atol=EXACT)
