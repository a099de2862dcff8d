"""Small complex matrices and vectors as a request gives them; the control plane has no numpy."""

import cmath
import math
from collections.abc import Sequence
from typing import TypeAlias

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire.api import Number

Vector: TypeAlias = list[complex]
Matrix: TypeAlias = list[Vector]

TOLERANCE = 1e-6
"""Numbers that people type have six digits."""

_HALF = math.sqrt(0.5)
LETTERS: dict[str, tuple[complex, complex]] = {
    "0": (1, 0),
    "1": (0, 1),
    "+": (_HALF, _HALF),
    "-": (_HALF, -_HALF),
    "r": (_HALF, _HALF * 1j),
    "l": (_HALF, -_HALF * 1j),
}
"""States of a qubit by their names: eigenstates of Z, X and Y."""


def vector(field: str, numbers: Sequence[Number]) -> Vector:
    """Read complex numbers.

    Raises:
        RequestRefused: one is not finite.
    """
    read = [complex(*number) if isinstance(number, tuple) else complex(number) for number in numbers]
    for place, number in enumerate(read):
        if not cmath.isfinite(number):
            raise RequestRefused(f"{field}[{place}]", f"is {number}", "give finite numbers")
    return read


def square(field: str, rows: Sequence[Sequence[Number]]) -> Matrix:
    """Read a square matrix.

    Raises:
        RequestRefused: its rows are not equally long, or a number is not finite.
    """
    for place, row in enumerate(rows):
        if len(row) != len(rows):
            message = f"has {len(row)} numbers in a matrix of {len(rows)} rows"
            raise RequestRefused(f"{field}[{place}]", message, "give a square matrix")
    return [vector(f"{field}[{place}]", row) for place, row in enumerate(rows)]


def kets(label: str) -> Vector:
    """The product state that a label names, its first letter the most significant qubit."""
    amplitudes: Vector = [1]
    for letter in label:
        amplitudes = [before * after for before in amplitudes for after in LETTERS[letter]]
    return amplitudes


def outer(amplitudes: Vector) -> Matrix:
    """Density matrix of a pure state."""
    return [[row * column.conjugate() for column in amplitudes] for row in amplitudes]


def normalised(field: str, amplitudes: Vector) -> Vector:
    """Amplitudes whose squares add up to 1 exactly, if they did nearly.

    Raises:
        RequestRefused: they did not.
    """
    norm = math.hypot(*(part for number in amplitudes for part in (number.real, number.imag)))
    if abs(norm - 1.0) > TOLERANCE:
        raise RequestRefused(field, f"have the norm {norm:.9g}", "give amplitudes whose squares add up to 1")
    return [number / norm for number in amplitudes]


def check_unitary(field: str, matrix: Matrix) -> None:
    """Refuse a matrix that is not unitary, naming two rows that are not orthonormal."""
    for one, row in enumerate(matrix):
        for other in range(one, len(matrix)):
            found = sum(left * right.conjugate() for left, right in zip(row, matrix[other], strict=True))
            if not _is_small(found - (one == other)):
                message = f"is not unitary: rows {one} and {other} have the inner product {found:.6g}"
                raise RequestRefused(field, message, "give a unitary matrix, rows orthonormal")


def check_density(field: str, matrix: Matrix) -> None:
    """Refuse a matrix that is no density matrix: Hermitian, of trace 1, without negative eigenvalues."""
    size = len(matrix)
    trace = sum(matrix[place][place] for place in range(size))
    if not _is_small(trace - 1):
        raise RequestRefused(field, f"has the trace {trace:.6g}", "give a density matrix, of trace 1")
    for row in range(size):
        for column in range(row + 1):
            if not _is_small(matrix[row][column] - matrix[column][row].conjugate()):
                message = f"is not Hermitian at row {row}, column {column}"
                raise RequestRefused(field, message, "give a density matrix, equal to its adjoint")
    if not _positive(matrix):
        raise RequestRefused(field, "has a negative eigenvalue", "give a density matrix, without such")


def _is_small(number: complex) -> bool:
    """Whether a difference is within the tolerance; one that is no number, or too large for one, is not."""
    return math.hypot(number.real, number.imag) <= TOLERANCE


def _positive(matrix: Matrix) -> bool:
    """Whether a Cholesky factorisation of the matrix, lifted by the tolerance, exists."""
    size = len(matrix)
    factor = [[0j] * size for _ in range(size)]
    for row in range(size):
        for column in range(row + 1):
            done = sum(factor[row][k] * factor[column][k].conjugate() for k in range(column))
            left = matrix[row][column] - done
            if row != column:
                factor[row][column] = left / factor[column][column]
                continue
            lifted = left.real + TOLERANCE
            if not lifted > 0.0:
                return False
            factor[row][row] = complex(math.sqrt(lifted))
    return True
