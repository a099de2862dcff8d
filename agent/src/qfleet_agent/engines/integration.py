"""The engine for integrated information: numpy and nothing else."""

from collections.abc import Callable, Sequence

import numpy as np

from qfleet_agent.engines import intrinsic, matrices
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_agent.engines.expressions import Scope
from qfleet_agent.engines.repertoires import Density, Repertoires
from qfleet_wire import circuit, workload

MOST_QUBITS = 3
"""Entanglement of more qubits has no criterion as simple."""
_UNITARY = 1e-6


def run(work: workload.Work, *, budget: int, report: Callable[[float], None]) -> workload.PhiResult:
    """Evaluate φ of the items.

    Raises:
        WorkInvalid: it has no meaning.
    """
    del budget  # matrices of 8 × 8
    if not isinstance(work, workload.PhiEvaluate):
        raise WorkInvalid(f"{type(work).__name__} is no work for this engine")
    if not 1 <= work.qubits <= MOST_QUBITS:
        raise WorkInvalid(f"the system has {work.qubits} qubits; it may have 1 to {MOST_QUBITS}")
    unitary = _operator(work.unitary, work.qubits)
    if not np.allclose(unitary @ unitary.conj().T, np.eye(len(unitary)), atol=_UNITARY):
        raise WorkInvalid("the step is not unitary")
    state = _state(work)
    after = unitary @ state @ unitary.conj().T
    effects = Repertoires(unitary, state)
    causes = Repertoires(unitary, after if work.cause_of == "output" else state)
    values = []
    for number, item in enumerate(work.items):
        _check(item, work.qubits)
        repertoires = effects if item.direction == "effect" else causes
        found = intrinsic.integrated(repertoires, item.direction, item.mechanism, item.purview)
        values.append(workload.PhiValue(item.index, found.phi, found.partition, found.information))
        report((number + 1) / len(work.items))
    return workload.PhiResult(tuple(values))


def warm() -> None:
    """Nothing takes time here."""


def _check(item: workload.PhiItem, qubits: int) -> None:
    for named in (item.mechanism, item.purview):
        if not named or list(named) != sorted(set(named)) or not 0 <= named[0] <= named[-1] < qubits:
            raise WorkInvalid(
                f"item {item.index} names {list(named)}; the system has qubits 0 to {qubits - 1}"
            )


def _state(work: workload.PhiEvaluate) -> Density:
    if work.state.matrix:
        return _operator(work.state, work.qubits)
    column = _operator(work.state, work.qubits)[:, 0]
    return np.outer(column, column.conj())


def _operator(operator: workload.Operator, qubits: int) -> Density:
    if not operator.matrix:
        return _unitary(operator.gates, qubits)
    flat = np.array(operator.matrix)
    if flat.size != 2 << 2 * qubits:
        raise WorkInvalid(f"a matrix has {flat.size} numbers; for {qubits} qubits it has {2 << 2 * qubits}")
    matrix: Density = flat.view(np.complex128).reshape(1 << qubits, 1 << qubits)
    return matrix


def _unitary(gates: Sequence[circuit.Gate], qubits: int) -> Density:
    """The matrix of gates; qubit 0 is the most significant bit."""
    scope = Scope((), ())
    tensor = np.eye(1 << qubits, dtype=np.complex128).reshape((2,) * qubits + (1 << qubits,))
    for gate in gates:
        arguments = tuple(float(scope.reader(argument)([])) for argument in gate.arguments)
        primitive = matrices.primitive(gate, arguments)
        if primitive is not None:
            _apply(primitive, tensor)
    matrix: Density = tensor.reshape(1 << qubits, 1 << qubits)
    return matrix


def _apply(primitive: matrices.Primitive, tensor: Density) -> None:
    place = [slice(None)] * tensor.ndim
    for qubit, value in primitive.controls:
        place[qubit] = slice(value, value + 1)
    # A primitive's target 0 is its lowest bit; axes count from the highest.
    targets = primitive.targets[::-1]
    count = len(targets)
    matrix = primitive.matrix.reshape((2,) * (2 * count))
    moved = np.tensordot(matrix, tensor[tuple(place)], axes=(range(count, 2 * count), targets))
    tensor[tuple(place)] = np.moveaxis(moved, range(count), targets)
