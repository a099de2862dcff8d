"""The engine for ``kernel.matrix``: fidelities |⟨φ(x)|φ(y)⟩|² between the states of data points.

A group's states are evolved once and kept while memory allows; a block of the matrix is then one matrix
product of two groups. With shots an entry is a binomial draw with the exact fidelity as its probability:
what counting |0…0⟩ after U†(y)U(x) would give. Draws of a block come from ``block_seed(seed, block, 0)``.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from qfleet_agent.engines import memory
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_agent.engines.sweeps import Sweep
from qfleet_wire import workload

Vectors: TypeAlias = npt.NDArray[np.complex128]
Values: TypeAlias = npt.NDArray[np.float64]

_OWN_STATES = 3
"""State vectors that evolving takes beside those that are kept."""
_COLUMNS = 4096
"""Amplitudes that are multiplied at once: their conjugates are copied, and stay in the cache."""


def run(work: workload.Work, *, budget: int, report: Callable[[float], None]) -> workload.KernelResult:
    """Evaluate the blocks of a work.

    Raises:
        MemoryShort: it does not fit into ``budget`` bytes.
        WorkInvalid, ProgramFailed: it has no meaning.
    """
    if not isinstance(work, workload.KernelMatrix):
        raise WorkInvalid(f"{type(work).__name__} is no work for this engine")
    if work.shots < 0:
        raise WorkInvalid(f"{work.shots} shots mean nothing")
    states = _States(work, budget)
    done = []
    for number, block in enumerate(work.items):
        fidelities = _fidelities(states.of(block.rows), states.of(block.columns))
        if block.rows == block.columns:
            fidelities = _symmetric(fidelities)
        if work.shots:
            fidelities = _estimated(fidelities, work, block)
        done.append(workload.KernelValues(block.index, tuple(fidelities.ravel().tolist())))
        report((number + 1) / len(work.items))
    return workload.KernelResult(tuple(done))


def warm() -> None:
    """Nothing is warmed: what runs programs is warm already."""


class _States:
    """The states of groups, as many as fit; the one that was used longest ago goes first."""

    def __init__(self, work: workload.KernelMatrix, budget: int) -> None:
        self._groups = {group.number: group.points for group in work.groups}
        qubits = work.program.qubits
        largest = max((len(points) for points in self._groups.values()), default=0)
        room = budget - memory.states(qubits, _OWN_STATES)
        group_bytes = largest * (memory.AMPLITUDE_BYTES << qubits)
        if room < 2 * group_bytes:
            needed = memory.states(qubits, _OWN_STATES + 2 * largest)
            raise MemoryShort(
                f"blocks of {largest} × {largest} states of {qubits} qubits need {needed >> 20} MiB and the "
                f"task may use {budget >> 20} MiB: use fewer qubits or a device with more memory"
            )
        self._most = max(2, room // max(1, group_bytes))
        self._sweep = Sweep(work.program, budget=budget)
        self._kept: OrderedDict[int, Vectors] = OrderedDict()

    def of(self, group: int) -> Vectors:
        """Return the states of a group, shape (points, 2^qubits)."""
        if group in self._kept:
            self._kept.move_to_end(group)
            return self._kept[group]
        if group not in self._groups:
            raise WorkInvalid(f"a block names group {group}, which the work does not have")
        while len(self._kept) >= self._most:
            self._kept.popitem(last=False)
        points = self._groups[group]
        vectors = np.empty((len(points), 1 << self._sweep.qubits), np.complex128)
        for place, point in enumerate(points):
            vectors[place] = self._sweep.state(point).get_vector()
        self._kept[group] = vectors
        return vectors


def _fidelities(rows: Vectors, columns: Vectors) -> Values:
    overlaps = np.zeros((len(rows), len(columns)), np.complex128)
    for first in range(0, rows.shape[1], _COLUMNS):
        part = slice(first, first + _COLUMNS)
        overlaps += rows[:, part].conj() @ columns[:, part].T
    fidelities: Values = overlaps.real**2 + overlaps.imag**2
    return np.minimum(fidelities, 1.0)


def _symmetric(fidelities: Values) -> Values:
    """Both halves from the upper one; a state's fidelity with itself is 1."""
    upper = np.triu(fidelities, 1)
    whole: Values = upper + upper.T + np.eye(len(upper))
    return whole


def _estimated(fidelities: Values, work: workload.KernelMatrix, block: workload.KernelBlock) -> Values:
    """Draw every entry, of a symmetric block every pair, in order of rows."""
    seed = workload.block_seed(work.seed, block.index, 0)
    generator = np.random.Generator(np.random.Philox(key=seed))
    shares: Values = generator.binomial(work.shots, fidelities) / work.shots
    return _symmetric(shares) if block.rows == block.columns else shares
