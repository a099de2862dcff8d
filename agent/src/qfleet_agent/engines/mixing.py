"""The mixer of QAOA, exp(-iβ ΣX), as products of real matrices.

In the frame D† with D = diag(1, i) on every qubit, X becomes iJ with J = [[0, 1], [-1, 0]], so that the
mixer of a qubit is the real rotation exp(βJ), and phases stay phases. Four qubits together are one real
matrix of 16 × 16, and BLAS multiplies the state by it: half the arithmetic of complex gates, and a
fraction of their passes over the state.

A cost that does not change when all bits are flipped leaves the state so too. Then the half in which the
last qubit is 0 says all: on it the last qubit's X is the flip of all others (``folded``).
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

State: TypeAlias = npt.NDArray[np.complex128]
Matrix: TypeAlias = npt.NDArray[np.float64]

_TOGETHER = 4
"""Qubits of one matrix; measured the fastest from 10 to 20 qubits."""


class Mixer:
    """The mixer on ``qubits`` qubits, and on one more that is folded away if ``folded``."""

    def __init__(self, qubits: int, *, folded: bool) -> None:
        self._groups = [_Group(first, count) for first, count in _groups(qubits)]
        self._quarters = (np.bitwise_count(np.arange(1 << qubits)) & 3).astype(np.uint8)
        self._flip = -(1j ** (qubits + 1)) * np.array([1, -1, 1, -1]) if folded else None

    def start(self, into: State) -> None:
        """Write the state |+…+⟩, normalised, in the frame."""
        np.take(np.array([1, -1j, -1, 1j]) / np.sqrt(len(into)), self._quarters, out=into)

    def turn(self, state: State, spare: State, angle: float) -> tuple[State, State]:
        """Apply exp(-i angle ΣX); returns the array of the new state, and the one that is spare now."""
        cosine, sine = np.cos(angle), np.sin(angle)
        if self._flip is not None:
            np.multiply(state[::-1], np.take(sine * self._flip, self._quarters), out=spare)
            state *= cosine
            state += spare
        for group in self._groups:
            group.multiply(group.rotation(cosine, sine), state, spare)
            state, spare = spare, state
        return state, spare

    def overlap(self, bra: State, ket: State, spare: State) -> float:
        """Return Re ⟨bra|(-iΣX)|ket⟩, which is Re ⟨bra|ΣJ|ket⟩ in the frame; ``spare`` is overwritten."""
        total = 0.0
        if self._flip is not None:
            np.multiply(ket[::-1], np.take(self._flip, self._quarters), out=spare)
            total += float(np.vdot(bra, spare).real)
        for group in self._groups:
            group.multiply(group.sum, ket, spare)
            total += float(np.vdot(bra, spare).real)
        return total


class _Group:
    """Some qubits from ``first`` on, whose matrices act on a state's numbers at once.

    An entry of exp(βJ) on k qubits is ± cos^(k-d) β sin^d β where row and column differ in d bits. On the
    lowest qubits real and imaginary parts lie next to each other, so there the matrix acts on both.
    """

    def __init__(self, first: int, count: int) -> None:
        self._shape = (-1, 1 << count, 2 << first) if first else (-1, 2 << count)
        self._count, self._lowest = count, first == 0
        rows, columns = np.ogrid[: 1 << count, : 1 << count]
        self._distance = self._placed(np.bitwise_count(rows ^ columns).astype(np.intp))
        signs: Matrix = (1.0 - 2.0 * (np.bitwise_count(rows & ~columns) & 1)).astype(np.float64)
        if self._lowest:
            # Parts do not mix: where a row is real and its column imaginary, the sign is 0.
            signs = np.kron(signs.T, np.eye(2)).astype(np.float64)
        self._signs: Matrix = signs
        self.sum: Matrix = np.where(self._distance == 1, signs, 0.0)
        """ΣJ over the qubits."""

    def rotation(self, cosine: float, sine: float) -> Matrix:
        """Return exp(βJ) on each of the qubits."""
        powers = np.arange(self._count + 1)
        values = cosine ** (self._count - powers) * sine**powers
        found: Matrix = self._signs * values[self._distance]
        return found

    def multiply(self, matrix: Matrix, state: State, into: State) -> None:
        """Apply one of this group's matrices."""
        given, taken = state.view(np.float64).reshape(self._shape), into.view(np.float64).reshape(self._shape)
        if self._lowest:
            np.matmul(given, matrix, out=taken)
        else:
            np.matmul(matrix, given, out=taken)

    def _placed(self, entries: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        return np.repeat(np.repeat(entries.T, 2, axis=0), 2, axis=1) if self._lowest else entries


def _groups(qubits: int) -> list[tuple[int, int]]:
    """First qubit and number of qubits of each group, as equal as can be."""
    number = -(-qubits // _TOGETHER)
    bounds = [qubits * place // number for place in range(number + 1)] if number else []
    return [(bounds[place], bounds[place + 1] - bounds[place]) for place in range(number)]
