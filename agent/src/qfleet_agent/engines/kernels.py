"""Primitives turned into the qulacs gates that do them fastest, and what each costs.

Costs are relative to a dense one-qubit matrix on a state that is larger than the cache; measured on
x86-64 with qulacs 0.6 at 20 to 22 qubits. They decide what is fused, never what the answer is worth.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import qulacs
from qulacs import gate

from qfleet_agent.engines.matrices import Matrix, Primitive

DENSE_PAIR = 1.9
DIAGONAL_PAIR = 0.85
_DIAGONAL = 0.47
_SWAP = 0.3
_FLIP = 0.27

_SINGLE: dict[str, tuple[float, Callable[[int], qulacs.QuantumGateBase]]] = {
    "x": (0.3, gate.X),
    "y": (0.35, gate.Y),
    "z": (0.25, gate.Z),
    "h": (0.32, gate.H),
    "s": (0.25, gate.S),
    "sdg": (0.25, gate.Sdag),
    "t": (0.25, gate.T),
    "tdg": (0.25, gate.Tdag),
}
_CONTROLLED: dict[str, Callable[[int, int], qulacs.QuantumGateBase]] = {"x": gate.CNOT, "z": gate.CZ}


def cost(item: Primitive) -> float:
    """Cost of a primitive as a gate of its own."""
    controls = len(item.controls)
    if not controls and item.name in _SINGLE:
        return _SINGLE[item.name][0]
    if not controls and item.name == "swap":
        return _SWAP
    if controls == 1 and item.name in _CONTROLLED:
        return _FLIP
    if controls < 2 and len(item.targets) == 1 and is_diagonal(item.matrix):
        return DIAGONAL_PAIR if controls else _DIAGONAL
    dense = DENSE_PAIR if len(item.targets) == 2 else 1.0
    return dense * 0.5 ** max(0, controls - 1)


def kernel(item: Primitive) -> qulacs.QuantumGateBase:
    """Build the gate; it can be applied any number of times."""
    if item.diagonal:
        return _diagonal(list(item.targets), item.matrix)
    if not item.controls:
        return _plain(item)
    if len(item.controls) == 1:
        control, value = item.controls[0]
        if value and item.name in _CONTROLLED:
            return _CONTROLLED[item.name](control, item.targets[0])
        if len(item.targets) == 1 and is_diagonal(item.matrix):
            diagonal = np.ones(4, np.complex128)
            diagonal[2 * value : 2 * value + 2] = item.matrix.diagonal()
            return _diagonal([item.targets[0], control], diagonal)
    built = _dense(item)
    for control, value in item.controls:
        built.add_control_qubit(control, value)
    return built


def is_diagonal(matrix: Matrix) -> bool:
    """Whether everything beside the diagonal is exactly 0."""
    return bool(np.count_nonzero(matrix) == np.count_nonzero(matrix.diagonal()))


def _plain(item: Primitive) -> qulacs.QuantumGateBase:
    if item.name in _SINGLE:
        return _SINGLE[item.name][1](item.targets[0])
    if item.name == "swap":
        swap: qulacs.QuantumGateBase = gate.SWAP(*item.targets)
        return swap
    if is_diagonal(item.matrix):
        return _diagonal(list(item.targets), item.matrix.diagonal())
    return _dense(item)


def _dense(item: Primitive) -> qulacs.QuantumGateMatrix:
    built: qulacs.QuantumGateMatrix = gate.DenseMatrix(list(item.targets), item.matrix)
    return built


def _diagonal(targets: list[int], diagonal: npt.NDArray[np.complex128]) -> qulacs.QuantumGateBase:
    built: qulacs.QuantumGateBase = gate.DiagonalMatrix(targets, diagonal)
    return built
