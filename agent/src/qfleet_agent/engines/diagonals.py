"""Diagonal gates gathered into few: they commute, so many become one pass over the state.

A Fourier transform is mostly controlled phases, a layer of QAOA mostly ZZ rotations. A diagonal matrix on
up to ``MOST_QUBITS`` qubits costs a state vector about what one on two qubits costs (measured with qulacs
0.6 at 20 qubits), so gates are gathered until one that is not diagonal needs their qubits.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from qfleet_agent.engines import kernels
from qfleet_agent.engines.matrices import Primitive

FROM_QUBITS = 13
"""On narrower states a pass costs less than making the matrix."""
MOST_QUBITS = 12
MOST_GROUPS = 8
"""Groups that wait at once."""
TOGETHER = 1.0
"""Cost of a group's one matrix, in the units of ``kernels.cost``."""


class _Group:
    """Diagonal gates that wait for more."""

    def __init__(self) -> None:
        self.qubits: set[int] = set()
        self.items: list[Primitive] = []

    def add(self, item: Primitive) -> None:
        self.qubits.update(item.qubits)
        self.items.append(item)

    def merged(self) -> Sequence[Primitive]:
        """Return the gates as they are, or as one where that is cheaper."""
        if len(self.items) < 2 or sum(map(kernels.cost, self.items)) <= TOGETHER:
            return self.items
        qubits = tuple(sorted(self.qubits))
        factors = np.ones((2,) * len(qubits), np.complex128)
        for item in self.items:
            _multiply(factors, qubits, item)
        return [Primitive(qubits, factors.reshape(-1), diagonal=True)]


def gather(items: Iterable[Primitive]) -> Iterator[Primitive]:
    """Yield primitives with the same product, the diagonal ones gathered."""
    groups: list[_Group] = []
    for item in items:
        if _is_diagonal(item) and len(item.qubits) <= MOST_QUBITS:
            group = _room(groups, item)
            if group is None:
                if len(groups) == MOST_GROUPS:
                    yield from groups.pop(0).merged()
                group = _Group()
                groups.append(group)
            group.add(item)
            continue
        for group in [group for group in groups if not group.qubits.isdisjoint(item.qubits)]:
            groups.remove(group)
            yield from group.merged()
        yield item
    for group in groups:
        yield from group.merged()


def _room(groups: list[_Group], item: Primitive) -> _Group | None:
    """Return the group that grows least by a gate, if one has room for it."""
    best, growth = None, MOST_QUBITS + 1
    for group in groups:
        more = len(group.qubits.union(item.qubits)) - len(group.qubits)
        if len(group.qubits) + more <= MOST_QUBITS and more < growth:
            best, growth = group, more
    return best


def _is_diagonal(item: Primitive) -> bool:
    return item.diagonal or kernels.is_diagonal(item.matrix)


def _multiply(factors: npt.NDArray[np.complex128], qubits: tuple[int, ...], item: Primitive) -> None:
    """Multiply a table with one axis for each qubit, the highest first, by a gate's diagonal."""
    axes = {qubit: len(qubits) - 1 - place for place, qubit in enumerate(qubits)}
    index: list[slice | int] = [slice(None)] * len(qubits)
    for qubit, value in item.controls:
        index[axes[qubit]] = slice(value, value + 1)
    shape = [1] * len(qubits)
    for target in item.targets:
        shape[axes[target]] = 2
    # Target 0 is the lowest bit, and higher axes are lower qubits.
    values = item.matrix if item.diagonal else item.matrix.diagonal()
    order = sorted(range(len(item.targets)), key=lambda number: axes[item.targets[number]])
    table = values.reshape((2,) * len(item.targets))
    table = table.transpose([len(item.targets) - 1 - number for number in order])
    factors[tuple(index)] *= table.reshape(shape)
