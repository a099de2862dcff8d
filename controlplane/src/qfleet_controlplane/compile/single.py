"""Real powers of a product of constant one-qubit gates, by its eigenvalues.

Only here are gates multiplied at compile time; two-by-two matrices are small enough for that.
Everything else stays symbolic.
"""

import cmath
import math
from collections.abc import Callable, Sequence

from qfleet_wire import circuit
from qfleet_wire.circuit import Constant, Gate

Matrix = tuple[complex, complex, complex, complex]
"""Two by two, row by row."""

_HALF = 1 / math.sqrt(2)
_FIXED: dict[str, Matrix] = {
    "id": (1, 0, 0, 1),
    "x": (0, 1, 1, 0),
    "y": (0, -1j, 1j, 0),
    "z": (1, 0, 0, -1),
    "h": (_HALF, _HALF, _HALF, -_HALF),
    "s": (1, 0, 0, 1j),
    "sdg": (1, 0, 0, -1j),
    "t": (1, 0, 0, cmath.exp(0.25j * math.pi)),
    "tdg": (1, 0, 0, cmath.exp(-0.25j * math.pi)),
    "sx": (0.5 + 0.5j, 0.5 - 0.5j, 0.5 - 0.5j, 0.5 + 0.5j),
    "sxdg": (0.5 - 0.5j, 0.5 + 0.5j, 0.5 + 0.5j, 0.5 - 0.5j),
}


def rooted(gates: Sequence[Gate], exponent: float) -> list[Gate] | None:
    """The principal real power of a product as a phase and a ``u``.

    None unless all gates are uncontrolled, act on the same qubit (or are phases), and have
    constant angles and no power of their own.
    """
    qubits = {gate.qubits for gate in gates if gate.qubits}
    if len(qubits) != 1 or any(gate.controls or gate.power != 1 for gate in gates):
        return None
    product: Matrix = (1, 0, 0, 1)
    for gate in gates:
        matrix = _matrix(gate)
        if matrix is None:
            return None
        product = _times(matrix, product)
    return _gates(_power(product, exponent), *qubits.pop())


def _matrix(gate: Gate) -> Matrix | None:
    if gate.name in _FIXED:
        return _FIXED[gate.name]
    if not all(isinstance(argument, Constant) for argument in gate.arguments):
        return None
    angles = [float(argument.value) for argument in gate.arguments if isinstance(argument, Constant)]
    return _TURNED[gate.name](*angles) if gate.name in _TURNED else None


def _u(theta: float, phi: float, lam: float) -> Matrix:
    cosine, sine = math.cos(theta / 2), math.sin(theta / 2)
    return (
        cosine,
        -cmath.exp(1j * lam) * sine,
        cmath.exp(1j * phi) * sine,
        cmath.exp(1j * (phi + lam)) * cosine,
    )


_TURNED: dict[str, Callable[..., Matrix]] = {
    "gphase": lambda gamma: (cmath.exp(1j * gamma), 0, 0, cmath.exp(1j * gamma)),
    "p": lambda lam: (1, 0, 0, cmath.exp(1j * lam)),
    "rx": lambda theta: _u(theta, -math.pi / 2, math.pi / 2),
    "ry": lambda theta: _u(theta, 0.0, 0.0),
    "rz": lambda lam: (cmath.exp(-0.5j * lam), 0, 0, cmath.exp(0.5j * lam)),
    "u": _u,
}


def _times(left: Matrix, right: Matrix) -> Matrix:
    a, b, c, d = left
    e, f, g, h = right
    return (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)


def _power(matrix: Matrix, exponent: float) -> Matrix:
    """Σ λ^exponent |v><v| over the eigenpairs, by Lagrange interpolation on the eigenvalues."""
    a, b, c, d = matrix
    centre, radius = (a + d) / 2, cmath.sqrt((a - d) ** 2 / 4 + b * c)
    first, second = centre + radius, centre - radius
    if abs(radius) < 1e-12:
        scale = _principal(centre, exponent)
        return (scale, 0, 0, scale)
    one, two = _principal(first, exponent), _principal(second, exponent)
    slope = (one - two) / (first - second)
    offset = one - slope * first
    return (slope * a + offset, slope * b, slope * c, slope * d + offset)


def _principal(eigenvalue: complex, exponent: float) -> complex:
    angle = cmath.phase(eigenvalue)
    if angle < -math.pi + 1e-12:
        angle = math.pi
    return cmath.exp(1j * angle * exponent)


def _gates(matrix: Matrix, qubit: int) -> list[Gate]:
    """A unitary matrix as e^{iγ} u(θ, φ, λ)."""
    a, b, c, d = matrix
    theta = 2 * math.atan2(abs(c), abs(a))
    if abs(a) < 1e-12:
        gamma, lam = cmath.phase(c), cmath.phase(-b / c)
        phi = 0.0
    else:
        gamma = cmath.phase(a)
        phi = cmath.phase(c / a) if abs(c) > 1e-12 else 0.0
        lam = cmath.phase(d / a) - phi
    angles: tuple[circuit.Expression, ...] = (Constant(theta), Constant(phi), Constant(lam))
    return [Gate("gphase", (), (Constant(gamma),)), Gate("u", (qubit,), angles)]
