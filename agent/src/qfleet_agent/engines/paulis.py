"""Exact expectation values of Pauli sums in a state.

Each distinct Pauli product is evaluated once. Products of Z alone are evaluated together: with
p[r, c] = |ψ|² as a matrix of rows and columns, ⟨Z_S⟩ = Σ_r h[r] (p g)[r], where g and h are the
signs of S on the low and the high qubits: one matrix product for all of them. The others go through qulacs.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import qulacs

from qfleet_agent.engines import validity
from qfleet_wire import workload

Product: TypeAlias = tuple[tuple[str, int], ...]
"""Letters and qubits, in order of qubits."""

_COLUMN_QUBITS = 11
_ROWS_AT_ONCE = 128


class Observables:
    """Observables taken apart into distinct products."""

    def __init__(self, observables: Sequence[workload.Observable], qubits: int) -> None:
        self._places: dict[Product, int] = {}
        self._sums: list[list[tuple[float, int]]] = []
        for observable in observables:
            validity.check_observable(observable, qubits)
            self._sums.append([(term.coefficient, self._place(term.paulis)) for term in observable.terms])
        self._diagonal = [place for product, place in self._places.items() if _is_diagonal(product)]
        self._masks = [
            sum(1 << qubit for _, qubit in product) for product in self._places if _is_diagonal(product)
        ]
        self._others = [
            (place, qulacs.PauliOperator(" ".join(f"{letter} {qubit}" for letter, qubit in product), 1.0))
            for product, place in self._places.items()
            if not _is_diagonal(product)
        ]

    def values(self, state: qulacs.QuantumState) -> tuple[float, ...]:
        """Return the expectation value of each observable in a normalised state."""
        products = [0.0] * len(self._places)
        if self._masks:
            for place, value in zip(self._diagonal, diagonal_values(state, self._masks), strict=True):
                products[place] = value
        for place, product in self._others:
            products[place] = product.get_expectation_value(state).real
        return tuple(math.fsum(weight * products[place] for weight, place in terms) for terms in self._sums)

    def _place(self, paulis: Product) -> int:
        return self._places.setdefault(tuple(sorted(paulis, key=lambda factor: factor[1])), len(self._places))


def diagonal_values(state: qulacs.QuantumState, masks: Sequence[int]) -> list[float]:
    """Return ⟨Z…Z⟩ for each set of qubits, given as a bit mask."""
    columns = min(state.get_qubit_count(), _COLUMN_QUBITS)
    low = [mask & (1 << columns) - 1 for mask in masks]
    high = np.array([mask >> columns for mask in masks], np.int64)
    distinct = {mask: place for place, mask in enumerate(dict.fromkeys(low))}
    column_signs = _signs(np.arange(1 << columns), np.array(list(distinct), np.int64))
    choose = [distinct[mask] for mask in low]
    amplitudes = state.get_vector().view(np.float64).reshape(-1, 2 << columns)
    total = np.zeros(len(masks))
    for first in range(0, len(amplitudes), _ROWS_AT_ONCE):
        rows = amplitudes[first : first + _ROWS_AT_ONCE]
        squares = rows * rows
        partial = ((squares[:, 0::2] + squares[:, 1::2]) @ column_signs)[:, choose]
        row_signs = _signs(np.arange(first, first + len(rows)), high)
        total += np.einsum("rt,rt->t", partial, row_signs)
    values: list[float] = total.tolist()
    return values


def _signs(indices: npt.NDArray[np.int64], masks: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(-1)^popcount(index & mask), shape (indices, masks)."""
    parity = np.bitwise_count(indices[:, None] & masks[None, :]) & 1
    signs: npt.NDArray[np.float64] = 1.0 - 2.0 * parity
    return signs


def _is_diagonal(product: Product) -> bool:
    return all(letter == "Z" for letter, _ in product)
