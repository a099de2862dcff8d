"""Small pure states in plain Python, and numbers that follow from a secret: what probes are made of.

Amplitudes are indexed with qubit 0 as the lowest bit. Nothing here is fast, and at four qubits nothing
needs to be.
"""

import cmath
import hashlib
import math
from collections.abc import Sequence
from typing import TypeAlias

State: TypeAlias = list[complex]
Matrix: TypeAlias = tuple[complex, complex, complex, complex]
"""Rows of a 2 × 2 matrix, one after the other."""

_HALF = math.sqrt(0.5)
FIXED: dict[str, Matrix] = {
    "x": (0, 1, 1, 0),
    "y": (0, -1j, 1j, 0),
    "z": (1, 0, 0, -1),
    "h": (_HALF, _HALF, _HALF, -_HALF),
    "s": (1, 0, 0, 1j),
    "sdg": (1, 0, 0, -1j),
    "t": (1, 0, 0, cmath.exp(0.25j * math.pi)),
    "sx": (0.5 + 0.5j, 0.5 - 0.5j, 0.5 - 0.5j, 0.5 + 0.5j),
}


class Stream:
    """Numbers that follow from a secret: SHA-256 of it and a counter."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._count = 0

    def integer(self, below: int) -> int:
        """From 0 up to and without ``below``, as good as evenly."""
        self._count += 1
        block = hashlib.sha256(self._secret + self._count.to_bytes(8, "big")).digest()
        return int.from_bytes(block[:16], "big") % below

    def angle(self) -> float:
        """From 0 to 2π."""
        return 2.0 * math.pi * self.integer(1 << 52) / (1 << 52)

    def shuffled(self, count: int) -> list[int]:
        """The numbers below ``count`` in some order (Fisher and Yates)."""
        order = list(range(count))
        for last in range(count - 1, 0, -1):
            other = self.integer(last + 1)
            order[last], order[other] = order[other], order[last]
        return order


def matrix(name: str, angle: float) -> Matrix:
    """The matrix of a base gate of at most one angle, as ``circuit.GateName`` has it."""
    if name in FIXED:
        return FIXED[name]
    cosine, sine = math.cos(angle / 2.0), math.sin(angle / 2.0)
    match name:
        case "rx":
            return (cosine, -1j * sine, -1j * sine, cosine)
        case "ry":
            return (cosine, -sine, sine, cosine)
        case "rz":
            return (cmath.exp(-0.5j * angle), 0, 0, cmath.exp(0.5j * angle))
    assert name == "p", name
    return (1, 0, 0, cmath.exp(1j * angle))


def apply(state: State, gate: Matrix, qubit: int, control: int | None = None) -> None:
    """Apply a gate to a qubit, where a control qubit is 1 if one is given."""
    bit = 1 << qubit
    on = 0 if control is None else 1 << control
    a, b, c, d = gate
    for index in range(len(state)):
        if not index & bit and index & on == on:
            low, high = state[index], state[index | bit]
            state[index] = a * low + b * high
            state[index | bit] = c * low + d * high


def probabilities(state: State) -> list[float]:
    """Of each outcome."""
    return [abs(amplitude) ** 2 for amplitude in state]


def expectation(state: State, paulis: Sequence[str]) -> float:
    """Of a product of Paulis: one letter of I, X, Y and Z for each qubit."""
    moved = list(state)
    for qubit, letter in enumerate(paulis):
        if letter != "I":
            apply(moved, FIXED[letter.lower()], qubit)
    return sum((left.conjugate() * right).real for left, right in zip(state, moved, strict=True))
