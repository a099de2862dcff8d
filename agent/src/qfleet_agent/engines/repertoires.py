"""Density matrices of up to three qubits, and what they say about causes and effects.

After L. Albantakis, R. Prentner and I. Durham, "Computing the Integrated Information of a Quantum Mechanism",
Entropy 25(3), 449 (2023); conventions that published values settle are told in docs/workloads/iit.phi.md.
A density matrix over k qubits is an array of shape (2^k, 2^k); the qubit named first is the most
significant bit of an index, as kets are written.
"""

import itertools
import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Density: TypeAlias = npt.NDArray[np.complex128]
Qubits: TypeAlias = tuple[int, ...]

TOLERANCE = 1e-9
"""Eigenvalues below this are 0: a hundred times what rounding makes of 8 × 8 matrices."""


def mixed(qubits: int) -> Density:
    """The maximally mixed state."""
    state: Density = np.eye(1 << qubits, dtype=np.complex128) / (1 << qubits)
    return state


def traced(state: Density, keep: Sequence[int]) -> Density:
    """Partial trace over all qubits but those at the places ``keep``, which ascend."""
    count = state.shape[0].bit_length() - 1
    tensor = state.reshape((2,) * (2 * count))
    for place in sorted(set(range(count)) - set(keep), reverse=True):
        tensor = np.trace(tensor, axis1=place, axis2=place + tensor.ndim // 2)
    reduced: Density = tensor.reshape(1 << len(keep), 1 << len(keep))
    return reduced


def product(parts: Sequence[tuple[Qubits, Density]]) -> Density:
    """Tensor product of states of disjoint qubits, in ascending order of the qubits."""
    names = [name for part, _ in parts for name in part]
    whole: Density = np.ones((1, 1), np.complex128)
    for _, state in parts:
        whole = np.kron(whole, state).astype(np.complex128)
    order = np.argsort(names).tolist()
    tensor = whole.reshape((2,) * (2 * len(names)))
    sorted_tensor = tensor.transpose(*order, *(place + len(names) for place in order))
    ordered: Density = sorted_tensor.reshape(whole.shape)
    return ordered


def extended(state: Density, of: Qubits, qubits: int) -> Density:
    """A state of some qubits with the maximally mixed one of all others: causal marginalisation."""
    others = tuple(sorted(set(range(qubits)) - set(of)))
    return product([(of, state), (others, mixed(len(others)))])


def entangled_parts(state: Density) -> list[Qubits]:
    """Part at most three qubits into those that are entangled with each other.

    By the criterion of Peres and Horodecki: all three together when every qubit has a negative partial
    transpose, else the pair whose reduced state has one, else none.
    """
    count = state.shape[0].bit_length() - 1
    alone: list[Qubits] = [(qubit,) for qubit in range(count)]
    if count == 1:
        return alone
    if all(_negative(state, qubit) for qubit in range(count)):
        return [tuple(range(count))]
    for pair in itertools.combinations(range(count), 2) if count == 3 else ():
        if _negative(traced(state, pair), 0):
            return [pair, *(one for one in alone if one[0] not in pair)]
    return alone


def _negative(state: Density, qubit: int) -> bool:
    count = state.shape[0].bit_length() - 1
    transposed = state.reshape((2,) * (2 * count)).swapaxes(qubit, qubit + count).reshape(state.shape)
    return bool(np.linalg.eigvalsh(transposed)[0] < -TOLERANCE)


class Repertoires:
    """Cause and effect repertoires of the parts of one system."""

    def __init__(self, unitary: Density, state: Density) -> None:
        self._unitary = unitary
        self._state = state
        self._qubits = unitary.shape[0].bit_length() - 1
        self._kept: dict[tuple[str, Qubits, Qubits], Density] = {}

    def repertoire(self, direction: str, mechanism: Qubits, purview: Qubits) -> Density:
        """What a mechanism in its state says about a purview; nothing, if it is empty."""
        if not mechanism:
            return mixed(len(purview))
        key = (direction, mechanism, purview)
        if key not in self._kept:
            how = self._effect if direction == "effect" else self._cause
            self._kept[key] = how(mechanism, purview)
        return self._kept[key]

    def _effect(self, mechanism: Qubits, purview: Qubits) -> Density:
        """Evolve, then part the outcome where it is not entangled: common inputs do not count."""
        start = extended(traced(self._state, mechanism), mechanism, self._qubits)
        after = self._unitary @ start @ self._unitary.conj().T
        parts = [(part, traced(after, part)) for part in entangled_parts(after)]
        return traced(product(parts), purview)

    def _cause(self, mechanism: Qubits, purview: Qubits) -> Density:
        """Part the mechanism where it is not entangled, and multiply what its parts say."""
        state = traced(self._state, mechanism)
        factors = []
        for places in entangled_parts(state):
            part = tuple(mechanism[place] for place in places)
            end = extended(traced(state, places), part, self._qubits)
            factors.append(traced(self._unitary.conj().T @ end @ self._unitary, purview))
        combined = _multiplied(factors)
        normalised: Density = combined / np.trace(combined).real
        return normalised


def _multiplied(factors: Sequence[Density]) -> Density:
    """Product of density matrices; where they do not commute, the mean over all orders of √a √b c √b √a."""
    orders = list(itertools.permutations(factors))
    total = np.zeros_like(factors[0])
    for *outer, inner in orders:
        for factor in reversed(outer):
            root = _root(factor)
            inner = root @ inner @ root  # noqa: PLW2901 - it grows from the inside
        total = total + inner
    return total / math.factorial(len(factors))


def _root(state: Density) -> Density:
    values, vectors = np.linalg.eigh(state)
    root: Density = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.conj().T
    return root
