"""Operator-Schmidt form of two-qubit gates: U = Σ_i A_i ⊗ B_i with as few terms as there can be.

With the entries of U ordered as a matrix of the first qubit's indices by the second's, the terms are its
singular value decomposition (Nielsen et al., Phys. Rev. A 67, 052301, 2003), here by Jacobi rotations of
columns (Hestenes, J. SIAM 6, 51, 1958). A_i are orthogonal and B_i too, so nothing large cancels when terms
are added up again. A unitary has 1, 2 or 4 terms. Where singular values are equal the form is not unique:
whoever computes one part must be given the same terms as whoever computes the other.
"""

import math
from typing import TypeAlias

from qfleet_controlplane.planning.cuts.unitaries import Matrix

Operator: TypeAlias = tuple[complex, complex, complex, complex]
"""A 2×2 matrix, row by row."""
Term: TypeAlias = tuple[Operator, Operator]
"""Operators on the first and on the second qubit."""

_NEGLIGIBLE = 1e-13
"""Singular values below this share of the largest are rounding noise."""
_ORTHOGONAL = 1e-16
_NOTHING = 1e-30
"""Overlaps below this are of columns that are noise; their phase is no number to rotate by."""
_SWEEPS = 30
_NOISE = 2.0**-52


def decompose(unitary: Matrix) -> tuple[Term, ...]:
    """Return the terms of a 4×4 matrix whose lower bit is the first qubit, the largest first."""
    columns = [
        [unitary[a + 2 * b][c + 2 * d] for a in (0, 1) for c in (0, 1)] for b in (0, 1) for d in (0, 1)
    ]
    basis = [[complex(row == column) for row in range(4)] for column in range(4)]
    for _ in range(_SWEEPS):
        turned = [_turn(columns, basis, p, q) for p in range(3) for q in range(p + 1, 4)]
        if not any(turned):
            break
    sizes = [math.sqrt(_square(column)) for column in columns]
    order = sorted(range(4), key=lambda index: -sizes[index])
    return tuple(
        (
            _operator([entry / math.sqrt(sizes[index]) for entry in columns[index]]),
            _operator([entry.conjugate() * math.sqrt(sizes[index]) for entry in basis[index]]),
        )
        for index in order
        if sizes[index] > _NEGLIGIBLE * sizes[order[0]]
    )


def _turn(columns: list[list[complex]], basis: list[list[complex]], p: int, q: int) -> bool:
    """Make two columns orthogonal by a rotation; False where they are."""
    left, right = columns[p], columns[q]
    overlap = sum((x.conjugate() * y for x, y in zip(left, right, strict=True)), 0j)
    first, second = _square(left), _square(right)
    if abs(overlap) <= max(_NOTHING, _ORTHOGONAL * math.sqrt(first * second)):
        return False
    ratio = (second - first) / (2 * abs(overlap))
    tangent = math.copysign(1.0, ratio) / (abs(ratio) + math.hypot(1.0, ratio))
    cosine = 1 / math.hypot(1.0, tangent)
    sine = cosine * tangent
    phase = overlap.conjugate() / abs(overlap)
    for each in (columns, basis):
        pairs = [(x, phase * y) for x, y in zip(each[p], each[q], strict=True)]
        each[p] = [cosine * x - sine * y for x, y in pairs]
        each[q] = [sine * x + cosine * y for x, y in pairs]
    return True


def _square(column: list[complex]) -> float:
    return math.fsum(entry.real**2 + entry.imag**2 for entry in column)


def _operator(entries: list[complex]) -> Operator:
    """Round what is below the precision of a unitary to exactly 0: subnormal numbers are slow."""
    a, b, c, d = (
        complex(
            entry.real if abs(entry.real) > _NOISE else 0.0, entry.imag if abs(entry.imag) > _NOISE else 0.0
        )
        for entry in entries
    )
    return (a, b, c, d)
