"""Outcomes drawn from a state vector.

This is part of the specification of answers. With probabilities p[i] = |ψ[i]|², rows of 2^min(n, 8)
consecutive ones, and a number u in [0, 1): the row is the first whose running sum of row sums
exceeds u·total, the outcome the first index in it whose running sum of p exceeds what is left. Rounding at
the end of a row or of the state gives its last index of positive probability. The cost is one pass over
the state and about 2^8 operations per shot or per row that is hit, whichever are fewer.

A wide state is read piece by piece, once for the sums and again where rows are hit: a copy of it would
double the memory of sampling. Pieces hold whole rows, so that every sum is the same as over a copy.
"""

from collections.abc import Iterator

import numpy as np
import qulacs
from qulacs.state import drop_qubit

from qfleet_agent.engines.draws import Indices, Uniforms

COPIED_QUBITS = 16
"""A state as wide as this, 1 MiB, is copied: history by history of a dynamic program that is quicker."""
PIECE_QUBITS = 14
"""256 KiB: pieces stay in the cache, and the allocator keeps what they lay in."""
_ROW_QUBITS = 8
_SHOTS_AT_ONCE = 1024


class Distribution:
    """The outcome distribution of a state, which must stay as it is while outcomes are drawn."""

    def __init__(self, state: qulacs.QuantumState) -> None:
        qubits = state.get_qubit_count()
        self._length = 1 << min(qubits, _ROW_QUBITS)
        self._state = state
        self._dropped = list(range(PIECE_QUBITS, qubits)) if qubits > COPIED_QUBITS else []
        self._copy = None if self._dropped else self._rows_of(state)
        sums = np.empty((self._pieces, (1 << qubits) // self._length // self._pieces))
        for number in range(self._pieces):
            rows = self._piece(number)
            np.einsum("ij,ij->i", rows, rows, out=sums[number])
        self._running = np.cumsum(sums)

    def sample(self, uniforms: Uniforms) -> Indices:
        """Return a basis state for each uniform number; qubit q is bit q."""
        target = uniforms * self._running[-1]
        row = _first_above(self._running, target)
        left = target - np.where(row > 0, self._running[row - 1], 0.0)
        find = _columns_by_rows if len(uniforms) > _SHOTS_AT_ONCE else _columns
        if self._copy is not None:
            found: Indices = row * self._length + find(self._copy, row, left)
            return found
        indices = np.empty(len(row), np.int64)
        for first, rows, members in self._hit(row):
            columns = find(rows, row[members] - first, left[members])
            indices[members] = row[members] * self._length + columns
        return indices

    @property
    def _pieces(self) -> int:
        return 1 << len(self._dropped)

    def _hit(self, row: Indices) -> Iterator[tuple[int, Uniforms, Indices]]:
        """Yield the first row of each piece that is hit, its rows, and which of ``row`` lie in it."""
        each = len(self._running) // self._pieces
        order = np.argsort(row, kind="stable")
        piece = row[order] // each
        for members in np.split(order, np.flatnonzero(np.diff(piece)) + 1):
            number = int(row[members[0]]) // each
            yield number * each, self._piece(number), members

    def _piece(self, number: int) -> Uniforms:
        """Copy a part of the state: that in which the highest qubits stand for ``number``."""
        if self._copy is not None:
            return self._copy
        outcomes = [number >> place & 1 for place in range(len(self._dropped))]
        return self._rows_of(drop_qubit(self._state, self._dropped, outcomes))

    def _rows_of(self, state: qulacs.QuantumState) -> Uniforms:
        """Real and imaginary parts of amplitudes, shape (rows, 2·length)."""
        return state.get_vector().view(np.float64).reshape(-1, 2 * self._length)


def _columns(rows: Uniforms, row: Indices, left: Uniforms) -> Indices:
    """Find the column of each shot in its row."""
    squares = np.square(rows[row])
    running = np.cumsum(squares[:, 0::2] + squares[:, 1::2], axis=1)
    column = np.count_nonzero(running <= left[:, None], axis=1)
    last = np.count_nonzero(running < running[:, -1:], axis=1)
    found: Indices = np.minimum(column, last)
    return found


def _columns_by_rows(rows: Uniforms, row: Indices, left: Uniforms) -> Indices:
    """Find the columns of many shots, those of one row together."""
    columns = np.empty(len(row), np.int64)
    order = np.argsort(row, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(row[order])) + 1):
        squares = np.square(rows[int(row[members[0]])])
        running = np.cumsum(squares[0::2] + squares[1::2])
        columns[members] = _first_above(running, left[members])
    return columns


def _first_above(running: Uniforms, target: Uniforms) -> Indices:
    last = np.searchsorted(running, running[-1], side="left")
    found: Indices = np.minimum(np.searchsorted(running, target, side="right"), last)
    return found
