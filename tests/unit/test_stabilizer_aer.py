"""Tableaus against those of Qiskit Aer, where the bench group is installed."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from tests.unit.test_stabilizer_engine import P, differ, ghz, programs, sample

from qfleet_wire import circuit

aer = pytest.importorskip("qiskit_aer", reason="qiskit-aer is in the dependency group 'bench'")
qiskit = pytest.importorskip("qiskit", reason="qiskit is in the dependency group 'bench'")

SHOTS = 2500


def theirs(program: circuit.Program, shots: int) -> dict[int, int]:
    """Counts of a static program by Aer's method ``stabilizer``; the first output slot lowest."""
    bits = program.output_bits
    drawn = qiskit.QuantumCircuit(program.qubits, bits)
    offsets, offset = {}, 0
    for slot in program.outputs:
        offsets[slot] = offset
        offset += program.slots[slot].type.width
    fixed = sum(int(program.slots[slot].initial) << start for slot, start in offsets.items())
    for statement in program.body:
        if isinstance(statement, circuit.Measure) and statement.slot is not None:
            place = offsets[statement.slot] + statement.bit
            drawn.measure(statement.qubit, place)
            fixed &= ~(1 << place)
        elif isinstance(statement, circuit.Gate):
            _append(drawn, statement)
    simulator = aer.AerSimulator(method="stabilizer", seed_simulator=11)
    counts = simulator.run(drawn, shots=shots).result().get_counts()
    return {int(key.replace(" ", ""), 2) | fixed: count for key, count in counts.items()}


def _append(drawn: Any, gate: circuit.Gate) -> None:
    """Spell a gate in those that Aer's tableau knows; angles are multiples of π/2."""
    flipped = [control.qubit for control in gate.controls if not control.value]
    for qubit in flipped:
        drawn.x(qubit)
    angles = [float(each.value) for each in gate.arguments if isinstance(each, circuit.Constant)]
    if gate.controls:
        getattr(drawn, f"c{gate.name}")(gate.controls[0].qubit, gate.qubits[0])
    elif gate.name == "u":
        theta, phi, lam = angles
        for name, angle in (("z", lam), ("y", theta), ("z", phi)):
            _turn(drawn, name, angle, gate.qubits[0])
    elif angles:
        _turn(drawn, {"p": "z"}.get(gate.name, gate.name[-1]), angles[0], gate.qubits[0])
    else:
        getattr(drawn, gate.name)(*gate.qubits)
    for qubit in flipped:
        drawn.x(qubit)


def _turn(drawn: Any, axis: str, angle: float, qubit: int) -> None:
    """A rotation by quarter turns, up to a phase: powers of S between changes of basis."""
    into: tuple[str, ...] = {"x": ("h",), "y": ("sdg", "h"), "z": ()}[axis]
    back: tuple[str, ...] = {"x": ("h",), "y": ("h", "s"), "z": ()}[axis]
    for name in (*into, *["s"] * (round(2 * angle / math.pi) % 4), *back):
        getattr(drawn, name)(qubit)


@settings(deadline=None, max_examples=15)
@given(programs(dynamic=False))
def test_counts_agree_with_aers_stabilizer_method(program: circuit.Program) -> None:
    assert differ(sample(program, "stabilizer", SHOTS), theirs(program, SHOTS)) > P


def test_a_wide_ghz_state_agrees_with_aers() -> None:
    assert differ(sample(ghz(200), "stabilizer", SHOTS), theirs(ghz(200), SHOTS)) > P
