"""Which gates are Clifford and what they are made of, against their matrices and stim."""

import functools
import itertools
import math
import re
from typing import Any, get_args

import numpy as np
import pytest
import stim
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit import engine_reference as reference

from qfleet_controlplane.compile.program import compile_program
from qfleet_wire import circuit, circuit_clifford, circuit_stabilizer
from qfleet_wire.circuit import Control, Gate

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
NAMES: tuple[circuit.GateName, ...] = get_args(circuit.GateName)
TURNS = st.one_of(
    st.integers(-9, 9).map(lambda number: number * math.pi / 2),
    st.integers(-9, 9).map(lambda number: number * math.pi / 4),
    st.floats(-7, 7),
)
QUBITS = 4


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    name = draw(st.sampled_from(NAMES))
    order = draw(st.permutations(range(QUBITS)))
    targets = circuit.GATE_QUBITS.get(name, 1)
    controls = draw(st.integers(0, min(3, QUBITS - targets)))
    angles = tuple(circuit.Constant(draw(TURNS)) for _ in range(circuit.GATE_ARGUMENTS.get(name, 0)))
    return Gate(
        name,
        tuple(order[:targets]),
        angles,
        tuple(Control(qubit, draw(st.integers(0, 1))) for qubit in order[targets : targets + controls]),
        draw(st.sampled_from([1.0, 1.0, 1.0, 2.0, -1.0, 3.0, 0.5, -0.5, 1.5, 0.25])),
    )


def unitary(gate: Gate) -> Any:
    angles = [float(each.value) for each in gate.arguments if isinstance(each, circuit.Constant)]
    return reference.apply(gate, angles, np.eye(2**QUBITS, dtype=complex))


PAULIS = np.array(
    [
        functools.reduce(np.kron, [reference.PAULI[letter] for letter in letters])
        for letters in itertools.product("IXYZ", repeat=QUBITS)
    ]
)
GENERATORS = [
    functools.reduce(np.kron, [reference.PAULI[letter if place == at else "I"] for place in range(QUBITS)])
    for at in range(QUBITS)
    for letter in "XZ"
]


def is_clifford(matrix: Any) -> bool:
    """Whether conjugation takes every generator to a Pauli product and a sign."""
    for generator in GENERATORS:
        image = matrix @ generator @ matrix.conj().T
        parts = np.einsum("kij,ji->k", PAULIS, image).real / 2**QUBITS
        if abs(np.max(np.abs(parts)) - 1) > 1e-6:
            return False
    return True


@settings(deadline=None, max_examples=80)
@given(gates())
@example(Gate("swap", (0, 1), (), (Control(2),), 2.0))
@example(Gate("gphase", (), (circuit.Constant(math.pi),), (Control(0, 0), Control(3))))
@example(Gate("x", (1,), (), (), 0.5))
@example(Gate("rz", (1,), (circuit.Constant(math.pi),), (Control(0),)))
@example(Gate("p", (1,), (circuit.Constant(2 * math.pi),), (Control(0), Control(2), Control(3))))
def test_a_gate_is_clifford_as_its_matrix_is_and_its_steps_are_its_tableau(gate: Gate) -> None:
    matrix = unitary(gate)
    angles = [float(each.value) for each in gate.arguments if isinstance(each, circuit.Constant)]
    steps = circuit_clifford.steps(gate, angles)
    assert (steps is not None) == is_clifford(matrix)
    if steps is not None:
        built = stim.Circuit(f"I {QUBITS - 1}")
        for name, qubits in steps:
            built.append(name, qubits)
        assert stim.Tableau.from_circuit(built) == stim.Tableau.from_unitary_matrix(matrix, endian="little")


@pytest.mark.parametrize(("off", "clifford"), [(1e-12, True), (1e-8, False), (math.nan, False), (1e9, False)])
def test_an_angle_may_be_off_by_rounding_only(off: float, *, clifford: bool) -> None:
    gate = Gate("rx", (0,), (circuit.Constant(0.0),))
    assert (circuit_clifford.steps(gate, [math.pi / 2 + off]) is not None) == clifford


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("h q[0]; cx q[0], q[1]; c = measure q;", ""),
        ("c[0] = measure q[0]; reset q[0]; h q[0]; c[1] = measure q[0];", ""),
        ("c[0] = measure q[0]; if (c[0]) x q[1]; if (c[0] == false) { z q[1]; } else { y q[1]; }", ""),
        ("c[0] = measure q[0]; if (c[0]) rz(pi) q[1];", ""),
        ("t q[0];", "t is not Clifford"),
        ("rx(0.25) q[0];", r"rx\(0.25\) is not Clifford"),
        ("ch q[0], q[1];", "ctrl @ h is not Clifford"),
        ("negctrl @ s q[0], q[1];", "negctrl @ s is not Clifford"),
        ("c[0] = measure q[0]; if (c[0]) h q[1];", "only x, y and z may depend on an outcome"),
        ("c[0] = measure q[0]; if (c[0]) c[1] = measure q[1];", "only x, y and z may depend on an outcome"),
        ("c = measure q; if (c == 2) x q[1];", "more than one outcome bit"),
        ("c = measure q; while (c[0]) { c[0] = measure q[0]; }", "beyond a tableau"),
        ("c = measure q; c[1] = c[0];", "beyond a tableau"),
    ],
)
def test_what_outcomes_steer_maps_to_a_tableau_or_is_named(body: str, why: str) -> None:
    program = compile_program(HEAD + "qubit[2] q; bit[2] c; " + body)
    found = circuit_stabilizer.read(program, circuit_stabilizer.steps_at(()))
    if not why:
        assert isinstance(found, circuit_stabilizer.Records)
    else:
        assert isinstance(found, circuit_stabilizer.Hindrance)
        assert re.search(why, found.why)


def test_parameters_must_be_clifford_at_every_point() -> None:
    program = compile_program(HEAD + "input float a; qubit q; rx(a + pi) q;", swept=["a"])
    everywhere = circuit_stabilizer.steps_everywhere([(0.0,), (math.pi / 2,)])
    assert isinstance(circuit_stabilizer.read(program, everywhere), circuit_stabilizer.Records)
    somewhere = circuit_stabilizer.steps_everywhere([(0.0,), (0.3,), (math.pi / 2,)])
    found = circuit_stabilizer.read(program, somewhere)
    assert isinstance(found, circuit_stabilizer.Hindrance)
    assert found.why == "rx(…) is not Clifford"
