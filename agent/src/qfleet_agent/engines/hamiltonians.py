"""Costs as operators on state vectors: the Z products as one vector, the rest through qulacs.

The diagonal d[x] = Σ_S w_S (-1)^|S ∧ x| is the Walsh-Hadamard transform of the weights: n passes over the
vector, however many terms there are, and exact for weights that are multiples of a power of two.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import qulacs
from qulacs.state import inner_product

from qfleet_agent.engines import validity
from qfleet_wire import workload

Vector: TypeAlias = npt.NDArray[np.float64]


class Hamiltonian:
    """A Pauli sum on so many qubits, checked and ready to be applied."""

    def __init__(self, cost: workload.Observable, qubits: int) -> None:
        validity.check_observable(cost, qubits)
        diagonal = [term for term in cost.terms if is_diagonal(term)]
        self.diagonal = diagonal_of(diagonal, qubits) if diagonal else None
        """The part of Z products, if there is one; all of it where ``whole``."""
        self.whole = len(diagonal) == len(cost.terms)
        self._rest = qulacs.Observable(qubits)
        for term in cost.terms:
            if not is_diagonal(term):
                letters = " ".join(f"{letter} {qubit}" for letter, qubit in term.paulis)
                self._rest.add_operator(term.coefficient, letters)

    def value(self, state: qulacs.QuantumState) -> float:
        """Return the expectation value in a normalised state."""
        value = 0.0 if self.whole else float(np.real(self._rest.get_expectation_value(state)))
        if self.diagonal is not None:
            parts = state.get_vector().view(np.float64).reshape(-1, 2)
            value += float(self.diagonal @ np.einsum("ij,ij->i", parts, parts))
        return value

    def apply(
        self, state: qulacs.QuantumState, into: qulacs.QuantumState, spare: qulacs.QuantumState
    ) -> float:
        """Write H|ψ⟩ ``into`` a state, overwrite ``spare``, and return ⟨ψ|H|ψ⟩."""
        into.set_zero_state()
        into.multiply_coef(0)
        if not self.whole:
            self._rest.apply_to_state(spare, state, into)
        if self.diagonal is not None:
            spare.load(state.get_vector() * self.diagonal)  # type: ignore[call-overload] # stubs know lists
            into.add_state(spare)
        return float(np.real(inner_product(state, into)))


def is_diagonal(term: workload.PauliTerm) -> bool:
    """Whether a term is a product of Z."""
    return all(letter == "Z" for letter, _ in term.paulis)


def diagonal_of(terms: Sequence[workload.PauliTerm], qubits: int) -> Vector:
    """Return the value of a sum of Z products in each basis state, shape (2^qubits,)."""
    vector = np.zeros(1 << qubits)
    for term in terms:
        vector[sum(1 << qubit for _, qubit in term.paulis)] += term.coefficient
    for qubit in range(qubits):
        halves = vector.reshape(-1, 2, 1 << qubit)
        low = halves[:, 0] - halves[:, 1]
        halves[:, 0] += halves[:, 1]
        halves[:, 1] = low
    return vector
