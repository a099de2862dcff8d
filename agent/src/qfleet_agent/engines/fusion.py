"""Light gate fusion: neighbouring gates on one or two qubits become one matrix where that is cheaper.

Which gates belong together depends on the program only, so it is planned once; the matrices of blocks with
parameters are made again for each point. Larger blocks do not pay with qulacs (measured).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np

from qfleet_agent.engines import kernels
from qfleet_agent.engines.matrices import Matrix, Primitive, primitive, snapped
from qfleet_wire import circuit, circuit_facts

Bind: TypeAlias = Callable[[circuit.Gate], tuple[float, ...]]
"""Gives the values of a gate's arguments."""

FROM_QUBITS = 7
"""On narrower states a gate costs less than the fusion saves."""


class Block:
    """Gates on the same one or two qubits (or one wider gate) that nothing separates."""

    def __init__(self, qubits: tuple[int, ...]) -> None:
        self.qubits = qubits
        self.gates: list[circuit.Gate] = []
        self._fixed: Sequence[Primitive] | None = None

    @property
    def fixed(self) -> bool:
        """Whether no argument reads a parameter."""
        return not any(
            circuit_facts.reads_parameter(angle) for gate in self.gates for angle in gate.arguments
        )

    def take(self, others: Iterable["Block"]) -> None:
        """Take over the gates of one-qubit blocks that stand before this one."""
        for other in others:
            if len(other.qubits) == 1:
                self.gates.extend(other.gates)
                other.gates.clear()

    def primitives(self, bind: Bind) -> Sequence[Primitive]:
        """Return what to apply; that of a fixed block is worked out once."""
        if self._fixed is not None:
            return self._fixed
        items = cheapest([item for gate in self.gates if (item := primitive(gate, bind(gate))) is not None])
        if self.fixed:
            self._fixed = items
        return items


def plan(gates: Iterable[circuit.Gate], *, fuse: bool) -> list[Block]:
    """Group gates into blocks; applying the blocks in order is applying the gates in order."""
    blocks: list[Block] = []
    last: dict[int, Block] = {}
    for gate in gates:
        qubits = tuple(sorted(circuit_facts.qubits_of(gate)))
        around = {id(last[qubit]): last[qubit] for qubit in qubits if qubit in last} if fuse else {}
        block = next(iter(around.values())) if len(around) == 1 else None
        if block is None or len(block.qubits) > 2 or not set(qubits) <= set(block.qubits):
            block = Block(qubits)
            if len(qubits) == 2:
                block.take(around.values())
            blocks.append(block)
            last.update(dict.fromkeys(qubits, block))
        block.gates.append(gate)
    return [block for block in blocks if block.gates]


def cheapest(items: Sequence[Primitive]) -> Sequence[Primitive]:
    """Return primitives with the same product and the least cost: one by one, merged, or one pair."""
    if len(items) < 2:
        return items
    qubits = tuple(sorted({qubit for item in items for qubit in item.qubits}))
    merged = _merge_runs(items)
    apart = sum(map(kernels.cost, merged))
    if len(qubits) != 2 or len(merged) < 2 or apart <= kernels.DIAGONAL_PAIR:
        return merged
    product = np.eye(4, dtype=np.complex128)
    for item in items:
        product = _apply(item, qubits, product)
    product = snapped(product)
    together = kernels.DIAGONAL_PAIR if kernels.is_diagonal(product) else kernels.DENSE_PAIR
    return [Primitive(qubits, product)] if together < apart else merged


def _merge_runs(items: Sequence[Primitive]) -> list[Primitive]:
    """Multiply runs of one-qubit gates on the same qubit."""
    merged: list[Primitive] = []
    last: dict[int, int] = {}
    for item in items:
        place = last.get(item.targets[0])
        if len(item.qubits) == 1 and place is not None and len(merged[place].qubits) == 1:
            before = merged[place]
            merged[place] = Primitive(item.targets, snapped(item.matrix @ before.matrix))
            continue
        last.update(dict.fromkeys(item.qubits, len(merged)))
        merged.append(item)
    return merged


def _apply(item: Primitive, qubits: tuple[int, ...], product: Matrix) -> Matrix:
    """Multiply a 4×4 matrix on ``qubits`` (lowest bit first) by a primitive from the left."""
    if len(item.targets) == 2:
        order = slice(None) if item.targets == qubits else [0, 2, 1, 3]
        return item.matrix[order][:, order] @ product
    rows = product.reshape(2, 2, 4)  # bit of qubits[1], bit of qubits[0], column
    if item.targets[0] == qubits[0]:
        done = np.matmul(item.matrix, rows)
    else:
        done = (item.matrix @ product.reshape(2, 8)).reshape(2, 2, 4)
    if item.controls:
        control, value = item.controls[0]
        idle = (1 - value,) if control == qubits[1] else (slice(None), 1 - value)
        done[idle] = rows[idle]
    result: Matrix = done.reshape(4, 4)
    return result
