"""Outcomes drawn from a state vector.

This is part of the specification of answers. With probabilities p[i] = |ψ[i]|², rows of 2^min(n, 11)
consecutive ones, and a number u in [0, 1): the row is the first whose running sum of row sums
exceeds u·total, the outcome the first index in it whose running sum of p exceeds what is left. Rounding at
the end of a row or of the state gives its last index of positive probability. The cost is one pass over the
state and about 2^11 operations per distinct row that is hit, however many shots are drawn.
"""

import numpy as np
import numpy.typing as npt
import qulacs

from qfleet_agent.engines.draws import Uniforms

_ROW_QUBITS = 11

Indices = npt.NDArray[np.int64]


class Distribution:
    """The outcome distribution of a state, copied from it once."""

    def __init__(self, state: qulacs.QuantumState) -> None:
        amplitudes = state.get_vector().view(np.float64)
        length = 2 << min(state.get_qubit_count(), _ROW_QUBITS)
        self._rows = amplitudes.reshape(-1, length)
        self._running = np.cumsum(np.einsum("ij,ij->i", self._rows, self._rows))

    def sample(self, uniforms: Uniforms) -> Indices:
        """Return a basis state for each uniform number; qubit q is bit q."""
        target = uniforms * self._running[-1]
        row = _first_above(self._running, target)
        left = target - np.where(row > 0, self._running[row - 1], 0.0)
        indices = np.empty(len(uniforms), np.int64)
        order = np.argsort(row, kind="stable")
        cuts = np.flatnonzero(np.diff(row[order])) + 1
        for members in np.split(order, cuts):
            number = int(row[members[0]])
            indices[members] = self._within(number, left[members])
        return indices

    def _within(self, number: int, left: Uniforms) -> Indices:
        row = self._rows[number]
        squares = row * row
        running = np.cumsum(squares[0::2] + squares[1::2])
        return _first_above(running, left) + number * len(running)


def _first_above(running: Uniforms, target: Uniforms) -> Indices:
    last = np.searchsorted(running, running[-1], side="left")
    found: Indices = np.minimum(np.searchsorted(running, target, side="right"), last)
    return found
