"""Operators and initial states as sparse matrices, built with NumPy and SciPy alone.

Basis and conventions as in ``workload.dynamics``: the first subsystem is the leftmost Kronecker factor.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from qfleet_agent.engines.dynamics.library import sparse
from qfleet_agent.engines.errors import ProgramFailed
from qfleet_wire.workload import formula_values
from qfleet_wire.workload.dynamics import Factor, Operator, Preparation, Subsystem, System

Matrix: TypeAlias = Any
"""A ``scipy.sparse.csr_matrix`` of complex doubles."""

Vector: TypeAlias = npt.NDArray[np.complex128]

_PAULIS: dict[str, list[list[complex]]] = {
    "X": [[0, 1], [1, 0]],
    "Y": [[0, -1j], [1j, 0]],
    "Z": [[1, 0], [0, -1]],
}
_DIAGONALS: dict[str, Callable[[int], npt.NDArray[np.float64]]] = {
    "I": lambda levels: np.ones(levels, np.float64),
    "n": lambda levels: np.arange(levels, dtype=np.float64),
    "Jz": lambda levels: (levels - 1) / 2 - np.arange(levels, dtype=np.float64),
}
_HALF = math.sqrt(0.5)
_QUBIT: dict[str, tuple[complex, complex]] = {
    "+": (_HALF, _HALF),
    "-": (_HALF, -_HALF),
    "+i": (_HALF, 1j * _HALF),
    "-i": (_HALF, -1j * _HALF),
}


def matrix(operator: Operator, subsystems: Sequence[Subsystem]) -> Matrix:
    """A sum of products as a matrix on the whole space, shape (d, d)."""
    dimension = math.prod(each.levels for each in subsystems)
    total = sparse.csr_matrix((dimension, dimension), dtype=np.complex128)
    for product in operator:
        number = complex(product.real, product.imaginary)
        total = total + number * _product(product.factors, subsystems)
    total.sum_duplicates()
    total.eliminate_zeros()
    return total


def initial_vector(system: System, parameters: Sequence[float]) -> Vector:
    """The state vector at the beginning, shape (d,); of a system that begins pure.

    Raises:
        ProgramFailed: a coherent state's amplitude is not finite.
    """
    found: Vector = np.ones(1, np.complex128)
    for preparation, subsystem in zip(system.initial, system.subsystems, strict=True):
        found = np.kron(found, _vector(preparation, subsystem.levels, parameters)).astype(np.complex128)
    return found


def initial_matrix(system: System, parameters: Sequence[float]) -> npt.NDArray[np.complex128]:
    """The density matrix at the beginning, shape (d, d).

    Raises:
        ProgramFailed: an amplitude or a number of quanta is not finite, or the latter negative.
    """
    found: npt.NDArray[np.complex128] = np.ones((1, 1), np.complex128)
    for preparation, subsystem in zip(system.initial, system.subsystems, strict=True):
        if preparation.kind == "thermal":
            one = _thermal(preparation, subsystem.levels, parameters)
        else:
            vector = _vector(preparation, subsystem.levels, parameters)
            one = np.outer(vector, vector.conj())
        found = np.kron(found, one).astype(np.complex128)
    return found


def _product(factors: tuple[Factor, ...], subsystems: Sequence[Subsystem]) -> Matrix:
    ordered = sorted(factors, key=lambda factor: factor.subsystem)
    found = sparse.identity(1, np.complex128, "csr")
    covered = 0
    for index, group in itertools.groupby(ordered, key=lambda factor: factor.subsystem):
        found = _widened(found, subsystems[covered:index])
        local = sparse.identity(subsystems[index].levels, np.complex128, "csr")
        for factor in group:
            local = local @ _local(factor, subsystems[index])
        found = sparse.kron(found, local, "csr")
        covered = index + 1
    return _widened(found, subsystems[covered:])


def _widened(found: Matrix, idle: Sequence[Subsystem]) -> Matrix:
    levels = math.prod(each.levels for each in idle)
    return sparse.kron(found, sparse.identity(levels, np.complex128), "csr") if levels > 1 else found


def _local(factor: Factor, subsystem: Subsystem) -> Matrix:
    levels = subsystem.levels
    if factor.symbol in _PAULIS:
        return sparse.csr_matrix(_PAULIS[factor.symbol], dtype=np.complex128)
    if factor.symbol in _DIAGONALS:
        return _diagonal(_DIAGONALS[factor.symbol](levels))
    match factor.symbol:
        case "a":
            return _diagonal(np.sqrt(np.arange(1, levels)), 1)
        case "adag":
            return _diagonal(np.sqrt(np.arange(1, levels)), -1)
        case "P":
            return sparse.csr_matrix(([1.0 + 0j], ([factor.level], [factor.level])), shape=(levels, levels))
        case _:
            return _spin(factor.symbol, levels)


def _diagonal(entries: npt.NDArray[np.float64], offset: int = 0) -> Matrix:
    return sparse.diags_array([entries], offsets=[offset], dtype=np.complex128).tocsr()


def _spin(symbol: str, levels: int) -> Matrix:
    """J₊|j, m> = √(j(j+1) - m(m+1)) |j, m+1>, with m = j, j-1, … down the basis."""
    j = (levels - 1) / 2
    m = j - np.arange(1, levels)
    raising = _diagonal(np.sqrt(j * (j + 1) - m * (m + 1)), 1)
    lowering = raising.T.tocsr()
    match symbol:
        case "Jp":
            return raising
        case "Jm":
            return lowering
        case "Jx":
            return (raising + lowering) / 2
        case _:
            return (raising - lowering) / 2j


def _vector(preparation: Preparation, levels: int, parameters: Sequence[float]) -> Vector:
    if preparation.kind in _QUBIT:
        return np.array(_QUBIT[preparation.kind], np.complex128)
    found = np.zeros(levels, np.complex128)
    if preparation.kind == "level":
        found[preparation.level] = 1.0
        return found
    return _coherent(_number(preparation, parameters), levels)


def _coherent(amplitude: complex, levels: int) -> Vector:
    """e^{-|α|²/2} αᵏ / √k!, cut off and normalised; by recursion, so that no factorial overflows."""
    found = np.zeros(levels, np.complex128)
    found[0] = 1.0
    for k in range(1, levels):
        found[k] = found[k - 1] * amplitude / math.sqrt(k)
        if abs(found[k]) > 1e100:
            found /= abs(found[k])
    normalised: Vector = found / np.linalg.norm(found)
    return normalised


def _thermal(
    preparation: Preparation, levels: int, parameters: Sequence[float]
) -> npt.NDArray[np.complex128]:
    quanta = _number(preparation, parameters)
    if quanta.imag != 0.0 or quanta.real < 0.0:
        raise ProgramFailed(f"a thermal state of {quanta:g} quanta: give 0 or more")
    weights = (quanta.real / (1.0 + quanta.real)) ** np.arange(levels)
    return np.diag(weights / weights.sum()).astype(np.complex128)


def _number(preparation: Preparation, parameters: Sequence[float]) -> complex:
    try:
        return complex(formula_values.evaluator(preparation.value, parameters)(0.0))
    except ValueError as error:
        raise ProgramFailed(f"a {preparation.kind} state's value {error}") from error
