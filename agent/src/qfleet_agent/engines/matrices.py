"""Matrices of the base gates, in the convention of ``qfleet_wire.circuit``; target 0 is the lowest bit.

Fractional powers are principal: an eigenvalue e^{iφ} with φ in (-π, π] becomes e^{ipφ}. Pure numpy.
"""

import cmath
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qfleet_wire import circuit

Matrix = npt.NDArray[np.complex128]

_R = math.sqrt(0.5)
_P = cmath.exp(0.25j * math.pi)
_NOISE = 2.0**-52
_SNAP = 1e-9
"""An eigenphase this close to -π is rounding noise of π."""

_FIXED: dict[str, list[list[complex]]] = {
    "id": [[1, 0], [0, 1]],
    "x": [[0, 1], [1, 0]],
    "y": [[0, -1j], [1j, 0]],
    "z": [[1, 0], [0, -1]],
    "h": [[_R, _R], [_R, -_R]],
    "s": [[1, 0], [0, 1j]],
    "sdg": [[1, 0], [0, -1j]],
    "t": [[1, 0], [0, _P]],
    "tdg": [[1, 0], [0, _P.conjugate()]],
    "sx": [[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]],
    "sxdg": [[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]],
    "swap": [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
}
FIXED: dict[str, Matrix] = {name: np.array(rows, np.complex128) for name, rows in _FIXED.items()}


class Primitive(NamedTuple):
    """A matrix on targets under controls, which are (qubit, value) pairs."""

    targets: tuple[int, ...]
    matrix: Matrix
    controls: tuple[tuple[int, int], ...] = ()
    name: str | None = None
    """Name of the base gate if the matrix is its own."""
    diagonal: bool = False
    """``matrix`` holds the diagonal only, shape (2^targets,): of a gate that has many targets."""

    @property
    def qubits(self) -> tuple[int, ...]:
        """All qubits, targets first."""
        return (*self.targets, *(qubit for qubit, _ in self.controls))


def primitive(gate: circuit.Gate, arguments: tuple[float, ...]) -> Primitive | None:
    """Return what a gate does, or None if it does nothing that can be observed."""
    controls = tuple((control.qubit, control.value) for control in gate.controls)
    if gate.name == "gphase":
        return _phase(arguments[0], gate.power, controls)
    if gate.name == "id":
        return None
    matrix = FIXED[gate.name] if gate.name in FIXED else snapped(_rotation(gate.name, arguments))
    if gate.power == 1:
        return Primitive(gate.qubits, matrix, controls, gate.name)
    return Primitive(gate.qubits, snapped(power(matrix, gate.power)), controls)


def snapped(matrix: Matrix) -> Matrix:
    """Round real and imaginary parts below the precision of a unitary's largest to exactly 0.

    cos(π/2) is 6e-17 in floating point; a few such factors in a row and amplitudes become subnormal
    numbers, on which processors are slow by tens of times. The error made is below 2^-52.
    """
    parts = matrix.view(np.float64)
    parts[np.abs(parts) < _NOISE] = 0.0
    return matrix


def power(matrix: Matrix, exponent: float) -> Matrix:
    """Return the principal power of a unitary of one qubit, or of ``swap``."""
    if len(matrix) == 4:  # the eigenvalues of swap are 1 and -1, and its square is 1
        identity = np.eye(4, dtype=np.complex128)
        return (identity + matrix) / 2 + cmath.exp(1j * math.pi * exponent) * (identity - matrix) / 2
    mean = cmath.phase(complex(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])) / 2
    turned = cmath.exp(-1j * mean) * matrix  # in SU(2): cos θ + i sin θ (n·σ)
    cosine = float(turned[0, 0].real + turned[1, 1].real) / 2
    axis = (turned - cosine * np.eye(2)) / 1j
    sine = math.sqrt(max(0.0, float(-np.linalg.det(axis).real)))
    if sine < _SNAP:
        return cmath.exp(1j * exponent * _principal(mean + math.atan2(0, cosine))) * np.eye(2, dtype=complex)
    angle = math.atan2(sine, cosine)
    up, down = (cmath.exp(1j * exponent * _principal(mean + sign * angle)) for sign in (1, -1))
    normal = axis / sine
    powered: Matrix = up * (np.eye(2) + normal) / 2 + down * (np.eye(2) - normal) / 2
    return powered


def _principal(angle: float) -> float:
    reduced = math.remainder(angle, 2 * math.pi)
    return reduced + 2 * math.pi if reduced < -math.pi + _SNAP else reduced


def _phase(angle: float, exponent: float, controls: tuple[tuple[int, int], ...]) -> Primitive | None:
    """Turn a controlled global phase into a phase on its last control; without one nobody can see it."""
    if not controls:
        return None
    factor = cmath.exp(1j * (angle if exponent == 1 else exponent * _principal(angle)))
    qubit, value = controls[-1]
    matrix = np.diag([1, factor] if value else [factor, 1])
    return Primitive((qubit,), matrix, controls[:-1])


def _rotation(name: str, arguments: tuple[float, ...]) -> Matrix:
    if name == "p":
        return np.array([[1, 0], [0, cmath.exp(1j * arguments[0])]], np.complex128)
    if name == "rz":
        half = cmath.exp(0.5j * arguments[0])
        return np.array([[half.conjugate(), 0], [0, half]], np.complex128)
    c, s = math.cos(arguments[0] / 2), math.sin(arguments[0] / 2)
    if name == "rx":
        return np.array([[c, -1j * s], [-1j * s, c]], np.complex128)
    if name == "ry":
        return np.array([[c, -s], [s, c]], np.complex128)
    phi, lam = cmath.exp(1j * arguments[1]), cmath.exp(1j * arguments[2])
    return np.array([[c, -lam * s], [phi * s, phi * lam * c]], np.complex128)
