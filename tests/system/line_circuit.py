"""A line of qubits under layers of rotations and CX, as OpenQASM, and its exact matrix-product state.

A CX is |0⟩⟨0| ⊗ 1 + |1⟩⟨1| ⊗ X, so each one doubles the bond that it crosses and nothing is truncated or
decomposed: after four crossings a bond has 16 entries.
"""

import math
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

PAULI: dict[str, Any] = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


class Line(NamedTuple):
    """A program's text, and a tensor (left bond, qubit, right bond) for each qubit of its final state."""

    program: str
    tensors: Sequence[Any]


def line(qubits: int, depth: int, seed: int) -> Line:
    """Make ``depth`` layers: a rotation of every qubit, then CX on every other bond."""
    generator = random.Random(seed)
    text = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{qubits}] q;"]
    tensors: list[Any] = [np.array([1, 0], complex).reshape(1, 2, 1) for _ in range(qubits)]
    for layer in range(depth):
        for qubit in range(qubits):
            theta, phi = generator.uniform(0, math.pi), generator.uniform(-math.pi, math.pi)
            text.append(f"ry({theta!r}) q[{qubit}]; rz({phi!r}) q[{qubit}];")
            turned = np.diag([np.exp(-0.5j * phi), np.exp(0.5j * phi)]) @ _ry(theta)
            tensors[qubit] = np.einsum("ts,lsr->ltr", turned, tensors[qubit])
        for qubit in range(layer % 2, qubits - 1, 2):
            text.append(f"cx q[{qubit}], q[{qubit + 1}];")
            tensors[qubit], tensors[qubit + 1] = _cx(tensors[qubit], tensors[qubit + 1])
    return Line("\n".join(text), tensors)


def amplitude(made: Line, bitstring: str) -> complex:
    """⟨bitstring|ψ⟩, qubit 0 rightmost."""
    row = np.ones((1, 1), complex)
    for tensor, bit in zip(made.tensors, reversed(bitstring), strict=True):
        row = row @ tensor[:, int(bit), :]
    return complex(row[0, 0])


def expectation(made: Line, paulis: dict[int, str]) -> float:
    """⟨ψ|P|ψ⟩ for a product of Paulis."""
    environment = np.ones((1, 1), complex)
    for qubit, tensor in enumerate(made.tensors):
        after = np.einsum("ts,lsr->ltr", PAULI[paulis.get(qubit, "I")], tensor)
        environment = np.einsum("ab,asc,bsd->cd", environment, tensor.conj(), after, optimize=True)
    return float(environment[0, 0].real)


def _ry(theta: float) -> Any:
    cosine, sine = math.cos(theta / 2), math.sin(theta / 2)
    return np.array([[cosine, -sine], [sine, cosine]])


def _cx(control: Any, target: Any) -> tuple[Any, Any]:
    """Double the bond between two neighbours: its new half says what the control is."""
    left, _, bond = control.shape
    opened = np.zeros((left, 2, bond, 2), complex)
    opened[:, 0, :, 0], opened[:, 1, :, 1] = control[:, 0, :], control[:, 1, :]
    acted = np.stack([target, target[:, ::-1, :]], axis=1)
    return opened.reshape(left, 2, 2 * bond), acted.reshape(2 * bond, 2, target.shape[2])
