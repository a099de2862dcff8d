"""Ansätze of the variational workload: programs whose parameters are varied.

After Kandala et al., Nature 549, 242 (2017): rotations of every qubit between layers of entangling gates.
"""

from itertools import combinations, pairwise
from typing import Literal

from qfleet_controlplane.compile.compiled import check_number
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api, circuit
from qfleet_wire.limits import LIMITS

FIELD = "work.ansatz"
LAYERS = 1000
"""Most layers of an ansatz."""

Pattern = Literal["linear", "ring", "full"]


def hardware_efficient(ansatz: api.HardwareEfficientAnsatz, needed: int) -> circuit.Program:
    """Build the program on as many qubits as the ansatz says, or as are ``needed``.

    Raises:
        RequestRefused: too few qubits, no rotations, or too many layers.
    """
    qubits = max(needed, 1) if ansatz.qubits is None else ansatz.qubits
    check_number(f"{FIELD}.qubits", qubits, 1, LIMITS.qubits)
    check_number(f"{FIELD}.depth", ansatz.depth, 0, LAYERS)
    if qubits < needed:
        hint = "give as many, or leave qubits out"
        raise RequestRefused(f"{FIELD}.qubits", f"is {qubits} and the cost needs {needed}", hint)
    if not ansatz.rotations:
        raise RequestRefused(f"{FIELD}.rotations", "are none", "give some of rx, ry and rz")
    body: list[circuit.Statement] = []
    count = 0
    for layer in range(ansatz.depth + 1):
        if layer:
            body += (_entangle(ansatz.gate, *pair) for pair in pairs(ansatz.entangler, qubits))
        for qubit in range(qubits):
            for rotation in ansatz.rotations:
                body.append(circuit.Gate(rotation, (qubit,), (circuit.Parameter(count),)))
                count += 1
    return circuit.Program(qubits, (), tuple(f"theta_{number}" for number in range(count)), tuple(body))


def pairs(pattern: Pattern, qubits: int) -> list[tuple[int, int]]:
    """Return the pairs of qubits that a pattern joins."""
    if pattern == "full":
        return list(combinations(range(qubits), 2))
    line = list(pairwise(range(qubits)))
    return [*line, (qubits - 1, 0)] if pattern == "ring" and qubits > 2 else line


def _entangle(gate: Literal["cx", "cz"], control: int, target: int) -> circuit.Gate:
    return circuit.Gate("x" if gate == "cx" else "z", (target,), controls=(circuit.Control(control),))
