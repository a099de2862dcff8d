"""What counts as a static program, on the compiled form itself."""

import pytest

from qfleet_wire import circuit, circuit_facts
from qfleet_wire.circuit import Constant, Control, Gate, If, Measure, Parameter, Reset, Variable

BITS = circuit.Slot("c", circuit.ClassicalType("bit", 3), output=True)
H0, X1 = Gate("h", (0,)), Gate("x", (1,))
CX01 = Gate("x", (1,), controls=(Control(0),))


def program(*body: circuit.Statement) -> circuit.Program:
    return circuit.Program(qubits=3, slots=(BITS,), parameters=("a",), body=body)


@pytest.mark.parametrize(
    "body",
    [
        (),
        (H0, CX01),
        (H0, CX01, Measure(0, 0, 0), Measure(1, 0, 1)),
        (H0, Measure(0, 0, 0), X1, Measure(1, 0, 1)),
        (Reset(0), H0, Reset(1), X1),
        (H0, Measure(0, 0, 0), Measure(0, 0, 1)),
        (Gate("rx", (0,), (circuit.Binary("*", Parameter(0), Constant(2)),)),),
        (Gate("rx", (0,), (circuit.Unary("-", Parameter(0)),)), Gate("gphase", (), (Constant(1.0),))),
    ],
)
def test_a_unitary_followed_by_measurements_is_static(body: tuple[circuit.Statement, ...]) -> None:
    assert circuit_facts.is_static(program(*body))


@pytest.mark.parametrize(
    "body",
    [
        (Measure(0, 0, 0), H0),
        (Measure(0, 0, 0), CX01),
        (H0, Reset(0)),
        (Measure(0, 0, 0), Reset(0)),
        (Measure(0, 0, 0), Measure(1, 0, 0)),
        (If(Constant(value=True), (H0,)),),
        (circuit.While(Constant(value=False), ()),),
        (circuit.Assign(0, Constant(1)),),
        (circuit.End(),),
        (Gate("rx", (0,), (Variable(0),)),),
        (Gate("rx", (0,), (circuit.BitOf(0, Constant(0)),)),),
        (Measure(0, None), H0),
    ],
)
def test_everything_else_is_not(body: tuple[circuit.Statement, ...]) -> None:
    assert not circuit_facts.is_static(program(*body))


def test_the_split_keeps_the_order_of_gates_and_of_measurements() -> None:
    split = circuit_facts.split_static(
        program(Reset(2), H0, Measure(0, 0, 2), X1, Measure(2, None), Measure(1, 0, 0))
    )
    assert split is not None
    assert split.gates == (H0, X1)
    assert split.measured == ((0, 0, 2), (1, 0, 0))


def test_qubits_of_a_gate_include_its_controls() -> None:
    assert circuit_facts.qubits_of(CX01) == (0, 1)
    assert circuit_facts.qubits_of(H0) == (0,)


def test_walk_sees_nested_statements_in_order() -> None:
    inner = If(Variable(0), (H0,), (X1,))
    loop = circuit.While(Variable(0), (inner, Reset(0)))
    assert list(circuit_facts.walk((loop,))) == [loop, inner, H0, X1, Reset(0)]
