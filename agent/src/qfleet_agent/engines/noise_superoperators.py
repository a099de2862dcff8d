"""Gates and channels as QuTiP superoperators on the few qubits that they act on.

``local_matmul`` of QuTiP applies one to a density matrix in a pass over its 4^n elements. Neighbouring
gates on one or two qubits, with the noise between them, become one superoperator first.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import qutip  # type: ignore[import-untyped]  # ships no types

from qfleet_agent.engines import matrices
from qfleet_agent.engines.matrices import Matrix, Primitive
from qfleet_wire import circuit, noise_load
from qfleet_wire.workload.noise import Applied, Rules

_PAULIS: list[Matrix] = [np.eye(2, dtype=np.complex128), *(matrices.FIXED[name] for name in "xyz")]

Superoperator = Any
"""A ``qutip.Qobj``; QuTiP ships no types."""
Bind = Callable[[circuit.Gate], tuple[float, ...]]
"""Gives the values of a gate's arguments."""


class Noisy(NamedTuple):
    """A gate and the channels that follow it."""

    gate: circuit.Gate
    after: tuple[Applied, ...]


class Group(NamedTuple):
    """Noisy gates on the same one or two qubits, or one wider gate; qubits ascending."""

    qubits: tuple[int, ...]
    gates: tuple[Noisy, ...]
    wide: bool


def grouped(gates: Sequence[circuit.Gate], rules: Rules) -> list[Group]:
    """Group gates with their noise; applying the groups in order is applying the gates in order."""
    noisy = [Noisy(gate, rules.after(gate)) for gate in gates]
    return [
        Group(group.qubits, tuple(noisy[position] for position in group.gates), group.wide)
        for group in noise_load.groups(gates)
    ]


class Library:
    """Superoperators of groups; what is the same is built once."""

    def __init__(self) -> None:
        self._built: dict[Any, Any] = {}

    def of(self, group: Group, bind: Bind) -> Superoperator:
        """Return the superoperator of a group of at most two qubits, highest qubit first."""
        product = None
        for noisy in group.gates:
            for step in self._steps(noisy, group.qubits, bind):
                product = step if product is None else step @ product
        return product

    def channel(self, applied: Applied) -> Superoperator:
        """Return the superoperator of a channel on one qubit, or of a full one-qubit depolarisation."""
        return self._once(
            (applied.channel, applied.probability), functools.partial(_lifted, applied, applied.qubits)
        )

    def _steps(self, noisy: Noisy, qubits: tuple[int, ...], bind: Bind) -> Iterable[Superoperator]:
        item = matrices.primitive(noisy.gate, bind(noisy.gate))
        if item is not None:
            yield self._once(_key(item, qubits), lambda: _super([unitary(item, qubits)]))
        for applied in noisy.after:
            key = (applied.channel, applied.probability, _places(applied.qubits, qubits), len(qubits))
            yield self._once(key, functools.partial(_lifted, applied, qubits))

    def _once(self, key: Any, build: Callable[[], Superoperator]) -> Superoperator:
        if key not in self._built:
            self._built[key] = build()
        return self._built[key]


def kraus(applied: Applied) -> list[Matrix]:
    """Return the Kraus operators of a channel on its own qubits, the first qubit the lowest bit."""
    probability = applied.probability
    if applied.channel == "depolarising":
        count = 4 ** len(applied.qubits)
        weights = [1 - probability * (1 - 1 / count)] + [probability / count] * (count - 1)
        products = itertools.product(_PAULIS, repeat=len(applied.qubits))
        return [
            math.sqrt(weight) * _kronecker(product) for weight, product in zip(weights, products, strict=True)
        ]
    root, kept = math.sqrt(probability), math.sqrt(1 - probability)
    second = [[0, root], [0, 0]] if applied.channel == "amplitude_damping" else [[0, 0], [0, root]]
    return [np.diag([1, kept]).astype(np.complex128), np.array(second, np.complex128)]


def unitary(item: Primitive, qubits: tuple[int, ...]) -> Matrix:
    """Return a gate's matrix on ``qubits``, the first of them the lowest bit."""
    size = 1 << len(qubits)
    targets = [qubits.index(qubit) for qubit in item.targets]
    controls = [(qubits.index(qubit), value) for qubit, value in item.controls]
    matrix = np.eye(size, dtype=np.complex128)
    for column in range(size):
        if any(column >> place & 1 != value for place, value in controls):
            continue
        matrix[column, column] = 0
        rest = column & ~sum(1 << place for place in targets)
        entry = sum((column >> place & 1) << number for number, place in enumerate(targets))
        for row in range(len(item.matrix)):
            spread = sum((row >> number & 1) << place for number, place in enumerate(targets))
            matrix[rest | spread, column] += item.matrix[row, entry]
    return matrix


def _lifted(applied: Applied, qubits: tuple[int, ...]) -> Superoperator:
    return _super([unitary(Primitive(applied.qubits, matrix), qubits) for matrix in kraus(applied)])


def _super(operators: Sequence[Matrix]) -> Superoperator:
    """Turn Kraus operators into a superoperator."""
    count = len(operators[0]).bit_length() - 1
    dims = [[2] * count, [2] * count]
    return qutip.kraus_to_super([qutip.Qobj(matrix, dims=dims) for matrix in operators]).to("dense")


def _kronecker(product: Sequence[Matrix]) -> Matrix:
    whole: Matrix = np.eye(1, dtype=np.complex128)
    for matrix in product:
        whole = np.kron(matrix, whole).astype(np.complex128)
    return whole


def _places(named: tuple[int, ...], qubits: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(qubits.index, named))


def _key(item: Primitive, qubits: tuple[int, ...]) -> Any:
    controls = tuple((qubits.index(qubit), value) for qubit, value in item.controls)
    return (item.matrix.tobytes(), _places(item.targets, qubits), controls, len(qubits))
