"""Outcomes drawn from a state vector.

This is part of the specification of answers. With probabilities p[i] = |ψ[i]|², rows of 2^min(n, 8)
consecutive ones, and a number u in [0, 1): the row is the first whose running sum of row sums
exceeds u·total, the outcome the first index in it whose running sum of p exceeds what is left. Rounding at
the end of a row or of the state gives its last index of positive probability. The cost is one pass over
the state and about 2^8 operations per shot or per row that is hit, whichever are fewer.
"""

import numpy as np
import qulacs

from qfleet_agent.engines.draws import Indices, Uniforms

_ROW_QUBITS = 8
_SHOTS_AT_ONCE = 1024


class Distribution:
    """The outcome distribution of a state, copied from it once."""

    def __init__(self, state: qulacs.QuantumState) -> None:
        self._length = 1 << min(state.get_qubit_count(), _ROW_QUBITS)
        self._rows = state.get_vector().view(np.float64).reshape(-1, 2 * self._length)
        self._running = np.cumsum(np.einsum("ij,ij->i", self._rows, self._rows))

    def sample(self, uniforms: Uniforms) -> Indices:
        """Return a basis state for each uniform number; qubit q is bit q."""
        target = uniforms * self._running[-1]
        row = _first_above(self._running, target)
        left = target - np.where(row > 0, self._running[row - 1], 0.0)
        if len(uniforms) > _SHOTS_AT_ONCE:
            return self._by_rows(row, left)
        squares = np.square(self._rows[row])
        running = np.cumsum(squares[:, 0::2] + squares[:, 1::2], axis=1)
        column = np.count_nonzero(running <= left[:, None], axis=1)
        last = np.count_nonzero(running < running[:, -1:], axis=1)
        found: Indices = row * self._length + np.minimum(column, last)
        return found

    def _by_rows(self, row: Indices, left: Uniforms) -> Indices:
        """Find the columns of many shots, those of one row together."""
        indices = np.empty(len(row), np.int64)
        order = np.argsort(row, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(row[order])) + 1):
            number = int(row[members[0]])
            squares = np.square(self._rows[number])
            running = np.cumsum(squares[0::2] + squares[1::2])
            indices[members] = number * self._length + _first_above(running, left[members])
        return indices


def _first_above(running: Uniforms, target: Uniforms) -> Indices:
    last = np.searchsorted(running, running[-1], side="left")
    found: Indices = np.minimum(np.searchsorted(running, target, side="right"), last)
    return found
