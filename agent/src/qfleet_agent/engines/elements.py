"""Matrix elements ⟨φ_a|P|φ_b⟩ of Pauli products between many states, as matrix products.

Pφ is a permutation with signs: (Pφ)[x] = (-i)^y (-1)^popcount(x & s) φ[x ^ f], where f are the qubits with
X or Y, s those with Y or Z, and y counts the Y. Rows and columns are multiplied in chunks of amplitudes, so
that little is held beside the states.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.complex128]

_CHUNK_QUBITS = 12
_CHUNK_ENTRIES = 1 << 18
"""Amplitudes that are multiplied at once: a few MiB beside the states, however many states there are."""


class _Product(NamedTuple):
    flips: int
    signs: int
    phase: complex


class Table:
    """Elements between the first ``rows`` states that are added and all ``columns`` of them.

    States are added in order. Beyond the rows they wait until there are as many again, so that they
    are multiplied together.
    """

    def __init__(
        self, products: Sequence[Sequence[tuple[str, int]]], qubits: int, rows: int, columns: int
    ) -> None:
        self._products = [_product(product) for product in products]
        self._elements = np.empty((len(products), rows if products else 0, columns), np.complex128)
        kept = (rows, 1 << qubits) if products else (0, 0)
        self._rows = np.empty(kept, np.complex128)
        self._further = np.empty(kept if columns > rows else (0, 0), np.complex128)
        self._chunk = min(1 << min(qubits, _CHUNK_QUBITS), 1 << (_CHUNK_ENTRIES // rows).bit_length())
        self._added = self._done = 0

    def add(self, vector: Vector) -> None:
        """Add the next state; it is copied."""
        if not self._products:
            return
        rows = len(self._rows)
        if self._added < rows:
            self._rows[self._added] = vector
        else:
            self._further[(self._added - rows) % rows] = vector
        self._added += 1
        if self._added % rows == 0:
            self._multiply()

    def finish(self) -> Vector:
        """Return the elements, shape (products, rows, columns)."""
        if self._products and self._done < self._added:
            self._multiply()
        return self._elements

    def _multiply(self) -> None:
        columns = self._rows if self._done == 0 else self._further[: self._added - self._done]
        total = np.zeros((len(self._products), len(self._rows), len(columns)), np.complex128)
        indices = np.arange(self._chunk)
        low = self._chunk - 1
        for start in range(0, self._rows.shape[1], self._chunk):
            left = self._rows[:, start : start + self._chunk].conj()
            for number, product in enumerate(self._products):
                source = start ^ product.flips & ~low
                right = columns[:, source : source + self._chunk]
                if product.flips & low:
                    right = right[:, indices ^ product.flips & low]
                if product.signs:
                    right = right * _signs(indices + start, product.signs)
                total[number] += left @ right.T
        for number, product in enumerate(self._products):
            total[number] *= product.phase
        self._elements[:, :, self._done : self._added] = total
        self._done = self._added


def _product(paulis: Sequence[tuple[str, int]]) -> _Product:
    flips = sum(1 << qubit for letter, qubit in paulis if letter in "XY")
    signs = sum(1 << qubit for letter, qubit in paulis if letter in "YZ")
    count = sum(letter == "Y" for letter, _ in paulis)
    return _Product(flips, signs, (1, -1j, -1, 1j)[count % 4])


def _signs(indices: npt.NDArray[np.int64], mask: int) -> npt.NDArray[np.float64]:
    """(-1)^popcount(index & mask)."""
    signs: npt.NDArray[np.float64] = 1.0 - 2.0 * (np.bitwise_count(indices & mask) & 1)
    return signs
