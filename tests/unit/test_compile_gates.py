"""Standard gates against their definitions in the libraries, and the conventions of phases."""

import importlib.util
import math
import re
from importlib import resources

import numpy as np
import pytest
from tests.unit.compile_interpreter import Array, base_matrix, principal_power, unitary

from qfleet_controlplane.compile import library
from qfleet_controlplane.compile.program import compile_program

ANGLES = (0.7, -1.9, 2.4, 0.31)
needs_qiskit = pytest.mark.skipif(
    importlib.util.find_spec("qiskit") is None, reason="qiskit is in the bench group only"
)


def matrix(text: str) -> Array:
    return unitary(compile_program(text))


def applied(name: str, gate: library.Standard, modifiers: str = "", extra: int = 0) -> str:
    arguments = ", ".join(map(str, ANGLES[: gate.arguments]))
    qubits = ", ".join(f"q[{number}]" for number in range(gate.qubits + extra))
    return f"{modifiers} {name}{f'({arguments})' if arguments else ''} {qubits};"


def equal_up_to_phase(left: Array, right: Array) -> bool:
    pivot = np.unravel_index(np.argmax(np.abs(left)), left.shape)
    return bool(np.allclose(left * (right[pivot] / left[pivot]), right))


def definitions(file: str) -> str:
    """The library's own text with each of its gates renamed, so that nothing is built in."""
    text = (resources.files("openqasm") / "stdlib" / file).read_text()
    names = "|".join(library.names(file))
    return re.sub(rf"((?:^|[{{;@}}])\s*|gate )({names})(?=[ (])", r"\1my_\2", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", sorted(set(library.STDGATES) - {"CX"}))
@pytest.mark.parametrize("modifiers", ["", "ctrl @"])
def test_stdgates_are_what_the_specification_defines(name: str, modifiers: str) -> None:
    gate = library.STDGATES[name]
    extra = 1 if modifiers else 0
    declared = f"qubit[{gate.qubits + extra}] q;\n"
    built_in = 'OPENQASM 3.1;\ninclude "stdgates.inc";\n' + declared
    defined = "OPENQASM 3.1;\n" + definitions("stdgates.inc") + declared
    assert np.allclose(
        matrix(built_in + applied(name, gate, modifiers, extra)),
        matrix(defined + applied(f"my_{name}", gate, modifiers, extra)),
    )


def test_the_capital_cx_is_an_alias_of_cx() -> None:
    """The specification's text says so; its file's definition kept an older ``U`` without a phase."""
    head = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; '
    assert np.allclose(matrix(head + "CX q[0], q[1];"), matrix(head + "cx q[0], q[1];"))


@pytest.mark.parametrize("name", sorted(library.QELIB1))
def test_qelib1_gates_are_what_their_definitions_say(name: str) -> None:
    gate = library.QELIB1[name]
    declared = f"qreg q[{gate.qubits}];\n"
    built_in = matrix('OPENQASM 2.0;\ninclude "qelib1.inc";\n' + declared + applied(name, gate))
    defined = matrix("OPENQASM 2.0;\n" + definitions("qelib1.inc") + declared + applied(f"my_{name}", gate))
    assert equal_up_to_phase(built_in, defined)


@needs_qiskit
@pytest.mark.parametrize("name", sorted(set(library.QELIB1) - {"u0"}))
def test_qelib1_gates_have_the_matrices_of_qiskit(name: str) -> None:
    qasm2 = pytest.importorskip("qiskit.qasm2")
    from qiskit.quantum_info import Operator  # noqa: PLC0415 - optional, checked above

    gate = library.QELIB1[name]
    text = f'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[{gate.qubits}];\n' + applied(name, gate)
    theirs = qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    assert np.allclose(matrix(text), Operator(theirs).data)


@needs_qiskit
@pytest.mark.parametrize("name", sorted(set(library.STDGATES) - {"u2", "u3"}))
def test_stdgates_have_the_matrices_of_qiskit_under_a_control(name: str) -> None:
    qasm3 = pytest.importorskip("qiskit.qasm3")
    from qiskit.quantum_info import Operator  # noqa: PLC0415 - optional, checked above

    gate = library.STDGATES[name]
    text = f'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[{gate.qubits + 1}] q;\n'
    text += applied(name, gate, "ctrl @", 1)
    assert np.allclose(matrix(text), Operator(qasm3.loads(text)).data)


@needs_qiskit
def test_u_differs_from_qiskit_by_the_specified_phase_under_a_control() -> None:
    qasm3 = pytest.importorskip("qiskit.qasm3")
    from qiskit.quantum_info import Operator  # noqa: PLC0415 - optional, checked above

    text = "OPENQASM 3.0;\nqubit[2] q;\nctrl @ U(0.7, -1.9, 2.4) q[0], q[1];"
    phase = np.diag([1, np.exp(0.35j), 1, np.exp(0.35j)])
    assert np.allclose(matrix(text), Operator(qasm3.loads(text)).data @ phase)


def test_u_of_openqasm_3_carries_half_its_angle_as_a_phase() -> None:
    theta, phi, lam = ANGLES[:3]
    phase = np.exp(1j * theta)
    expected = 0.5 * np.array(
        [
            [1 + phase, -1j * np.exp(1j * lam) * (1 - phase)],
            [1j * np.exp(1j * phi) * (1 - phase), np.exp(1j * (phi + lam)) * (1 + phase)],
        ]
    )
    assert np.allclose(matrix(f"OPENQASM 3.0; qubit q; U({theta}, {phi}, {lam}) q;"), expected)


def test_a_controlled_gate_stays_one_base_gate_with_controls() -> None:
    program = compile_program(
        'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; ccx q[0], q[1], q[2]; ctrl @ h q[2], q[0];'
    )
    first, second = program.body
    assert (first.name, len(first.controls)) == ("x", 2)  # type: ignore[union-attr] # gates
    assert (second.name, len(second.controls)) == ("h", 1)  # type: ignore[union-attr] # gates


@pytest.mark.parametrize(
    ("modified", "expected"),
    [
        ("inv @ s q[0];", "sdg q[0];"),
        ("inv @ U(0.3, 0.4, 0.5) q[0];", "U(-0.3, -0.5, -0.4) q[0];"),
        ("pow(2) @ sx q[0];", "x q[0];"),
        ("pow(-1) @ t q[0];", "tdg q[0];"),
        ("pow(0) @ h q[0];", ""),
        ("pow(0.5) @ x q[0];", "sx q[0];"),
        ("pow(3) @ rx(0.4) q[0];", "rx(1.2) q[0];"),
        ("pow(1/2.0) @ z q[0];", "s q[0];"),
        ("ctrl @ gphase(0.4) q[1];", "p(0.4) q[1];"),
        ("ctrl @ ctrl @ gphase(0.4) q[1], q[0];", "cp(0.4) q[0], q[1];"),
        ("negctrl @ gphase(0.4) q[1];", "x q[1]; p(0.4) q[1]; x q[1];"),
        ("negctrl @ x q[0], q[1];", "x q[0]; cx q[0], q[1]; x q[0];"),
        ("ctrl(2) @ x q[0], q[1], q[2];", "ccx q[0], q[1], q[2];"),
        ("ctrl @ negctrl @ x q[0], q[1], q[2];", "x q[1]; ccx q[0], q[1], q[2]; x q[1];"),
        ("negctrl @ ctrl @ x q[0], q[1], q[2];", "x q[0]; ccx q[0], q[1], q[2]; x q[0];"),
        ("inv @ ctrl @ t q[0], q[1];", "cp(-pi/4) q[0], q[1];"),
        ("pow(0.5) @ ctrl @ x q[0], q[1];", "ctrl @ sx q[0], q[1];"),
        ("ctrl @ pow(0.5) @ x q[0], q[1];", "pow(0.5) @ cx q[0], q[1];"),
        ("inv @ pow(0.5) @ x q[0];", "inv @ sx q[0];"),
        ("pow(2) @ pow(0.5) @ y q[0];", "y q[0];"),
        ("pair q[0], q[1];", "h q[0]; cx q[0], q[1];"),
        ("inv @ pair q[0], q[1];", "cx q[0], q[1]; h q[0];"),
        ("pow(2) @ pair q[0], q[1];", "pair q[0], q[1]; pair q[0], q[1];"),
        ("pow(-2) @ pair q[0], q[1];", "inv @ pair q[0], q[1]; inv @ pair q[0], q[1];"),
        ("ctrl @ pair q[2], q[0], q[1];", "ch q[2], q[0]; ccx q[2], q[0], q[1];"),
        ("ctrl @ phased(0.6) q[0], q[1];", "p(0.6) q[0]; cx q[0], q[1];"),
        ("steps q[0];", "rx(0.1) q[0]; rx(0.2) q[0]; rx(0.3) q[0];"),
        ("for int i in [0:1] pow(i + 1) @ sx q[i];", "sx q[0]; x q[1];"),
        ("cx q, r;", "cx q[0], r[0]; cx q[1], r[1]; cx q[2], r[2];"),
        ("cx q[0], r;", "cx q[0], r[0]; cx q[0], r[1]; cx q[0], r[2];"),
        ("ctrl @ x q, r;", "cx q, r;"),
        ("let a = q[{0, 2}]; h a;", "h q[0]; h q[2];"),
        ("let a = q[1:2] ++ r[0:0]; h a[2]; x a[-1];", "h r[0]; x r[0];"),
        ("h q[-1]; h q[2:-1:0];", "h q[2]; h q[2]; h q[1]; h q[0];"),
    ],
)
def test_modifiers_and_operands(modified: str, expected: str) -> None:
    head = (
        'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; qubit[3] r;'
        "gate pair a, b { h a; cx a, b; }"
        "gate phased(w) a { gphase(w); x a; }"
        "gate steps a { for int i in [1:3] { rx(i / 10.0) a; } }"
    )
    assert np.allclose(matrix(head + modified), matrix(head + expected))


@pytest.mark.parametrize("exponent", [0.5, -0.25, 1.5, math.pi])
def test_a_real_power_is_the_principal_one(exponent: float) -> None:
    head = 'OPENQASM 3.0; include "stdgates.inc"; qubit q; '
    for name, angles in [("rx", (4.0,)), ("p", (5.0,)), ("y", ()), ("h", ())]:
        given = f"({angles[0]})" if angles else ""
        powered = matrix(f"{head} pow({exponent}) @ {name}{given} q;")
        assert np.allclose(powered, principal_power(base_matrix(name, angles), exponent))


@pytest.mark.parametrize("exponent", [0.5, -0.75, 2.5, 1000, -77])
def test_a_product_of_constant_one_qubit_gates_has_real_powers(exponent: float) -> None:
    head = 'OPENQASM 3.0; include "stdgates.inc"; gate g a { h a; U(0.3, 1, 2) a; t a; } qubit q; '
    assert np.allclose(
        matrix(f"{head} pow({exponent}) @ g q;"), principal_power(matrix(f"{head} g q;"), exponent)
    )


@needs_qiskit
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("version", ["qasm2", "qasm3"])
def test_circuits_that_qiskit_writes_are_read_back(seed: int, version: str) -> None:
    writer = pytest.importorskip(f"qiskit.{version}")
    from qiskit.circuit.random import random_circuit  # noqa: PLC0415 - optional, checked above
    from qiskit.quantum_info import Operator  # noqa: PLC0415 - optional, checked above

    theirs = random_circuit(4, 6, max_operands=3, seed=seed)
    assert equal_up_to_phase(matrix(writer.dumps(theirs)), Operator(theirs).data)
