"""Matrices of gates on a pair of qubits, in plain Python: the control plane carries no numpy.

Conventions are those of ``qfleet_wire.circuit``; the first qubit of a pair is the lower bit. Fractional
powers are principal: an eigenvalue e^{iφ} with φ in (-π, π] becomes e^{ipφ}.
"""

import cmath
import math
from collections.abc import Sequence
from typing import TypeAlias

from qfleet_wire import circuit, circuit_values

Matrix: TypeAlias = list[list[complex]]

_R = math.sqrt(0.5)
_SNAP = 1e-9
"""An eigenphase this close to -π is rounding noise of π."""

_FIXED: dict[str, Matrix] = {
    "id": [[1, 0], [0, 1]],
    "x": [[0, 1], [1, 0]],
    "y": [[0, -1j], [1j, 0]],
    "z": [[1, 0], [0, -1]],
    "h": [[_R, _R], [_R, -_R]],
    "s": [[1, 0], [0, 1j]],
    "sdg": [[1, 0], [0, -1j]],
    "t": [[1, 0], [0, complex(_R, _R)]],
    "tdg": [[1, 0], [0, complex(_R, -_R)]],
    "sx": [[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]],
    "sxdg": [[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]],
    "swap": [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
}


def product_of(gates: Sequence[circuit.Gate], pair: tuple[int, int], parameters: Sequence[float]) -> Matrix:
    """Return the 4×4 matrix of gates, in order of application, on two qubits and nothing else."""
    product = identity(4)
    for gate in gates:
        product = multiply(_embedded(gate, pair, parameters), product)
    return product


def identity(size: int) -> Matrix:
    """Return the identity."""
    return [[complex(row == column) for column in range(size)] for row in range(size)]


def multiply(left: Matrix, right: Matrix) -> Matrix:
    """Return the product of two matrices."""
    columns = list(zip(*right, strict=True))
    return [[sum(map(complex.__mul__, row, column)) for column in columns] for row in map(_complex, left)]


def _complex(row: Sequence[complex]) -> list[complex]:
    return [complex(entry) for entry in row]


def _embedded(gate: circuit.Gate, pair: tuple[int, int], parameters: Sequence[float]) -> Matrix:
    """Return a gate with its controls as a matrix on the pair."""
    target = _target_matrix(gate, [_value(angle, parameters) for angle in gate.arguments])
    place = {qubit: position for position, qubit in enumerate(pair)}
    targets = [place[qubit] for qubit in gate.qubits]
    rest = 3 & ~sum(1 << position for position in targets)
    built: Matrix = [[0j] * 4 for _ in range(4)]
    for column in range(4):
        if any(column >> place[control.qubit] & 1 != control.value for control in gate.controls):
            built[column][column] = 1 + 0j
            continue
        before = sum((column >> position & 1) << index for index, position in enumerate(targets))
        for after, row in enumerate(target):
            spread = sum((after >> index & 1) << position for index, position in enumerate(targets))
            built[column & rest | spread][column] = complex(row[before])
    return built


def _value(angle: circuit.Expression, parameters: Sequence[float]) -> float:
    return float(circuit_values.evaluate(angle, parameters, ()))


def _target_matrix(gate: circuit.Gate, angles: Sequence[float]) -> Matrix:
    if gate.name == "gphase":
        phase = cmath.exp(1j * angles[0])
        return [[phase if gate.power == 1 else _principal(phase, gate.power)]]
    matrix = _FIXED.get(gate.name) or _rotation(gate.name, angles)
    return matrix if gate.power == 1 else _power(matrix, gate.power)


def _rotation(name: str, angles: Sequence[float]) -> Matrix:
    cosine, sine = math.cos(angles[0] / 2), math.sin(angles[0] / 2)
    match name:
        case "p":
            return [[1, 0], [0, cmath.exp(1j * angles[0])]]
        case "rx":
            return [[cosine, -1j * sine], [-1j * sine, cosine]]
        case "ry":
            return [[cosine, -sine], [sine, cosine]]
        case "rz":
            return [[complex(cosine, -sine), 0], [0, complex(cosine, sine)]]
        case _:
            up, down = cmath.exp(1j * angles[1]), cmath.exp(1j * angles[2])
            return [[cosine, -down * sine], [up * sine, up * down * cosine]]


def _power(matrix: Matrix, exponent: float) -> Matrix:
    """Return the principal power of a one-qubit unitary, or of ``swap``, from its two eigenvalues."""
    size = len(matrix)
    if size == 4:
        first, second = 1 + 0j, -1 + 0j
    else:
        middle = (matrix[0][0] + matrix[1][1]) / 2
        spread = cmath.sqrt(middle * middle - matrix[0][0] * matrix[1][1] + matrix[0][1] * matrix[1][0])
        first, second = middle + spread, middle - spread
    one, other = _principal(first, exponent), _principal(second, exponent)
    if abs(first - second) < _SNAP:
        return [[one * (row == column) for column in range(size)] for row in range(size)]
    # Lagrange's interpolation: f(U) = f(λ₁) + (f(λ₂) - f(λ₁)) (U - λ₁) / (λ₂ - λ₁).
    slope = (other - one) / (second - first)
    return [
        [(one - slope * first) * (row == column) + slope * matrix[row][column] for column in range(size)]
        for row in range(size)
    ]


def _principal(eigenvalue: complex, exponent: float) -> complex:
    phase = cmath.phase(eigenvalue)
    return cmath.exp(1j * exponent * (math.pi if phase < _SNAP - math.pi else phase))
