"""``circuit.part``: the states of a part along its paths, as a tree.

Paths that begin alike share their beginning: every gate is applied once for each choice of the factors
before it. A branch whose factor is zero is not walked. Static programs only, so an answer depends on the
program and the factors alone.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import qulacs
from qulacs import gate as gates

from qfleet_agent.engines import assembly, elements, fusion, memory, validity
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_agent.engines.expressions import Scope
from qfleet_agent.engines.finals import check_parameters
from qfleet_agent.engines.sampling import Report
from qfleet_wire import circuit_facts, workload

Vector = npt.NDArray[np.complex128]

_FACTOR_BYTES = 64
_WARM_QUBITS = 12
_WARM_ROWS = 16


def run(work: workload.Work, *, budget: int, report: Report) -> workload.PartResult:
    """Evaluate all items; ``budget`` in bytes, ``report`` is told the share that is done.

    Raises:
        MemoryShort: the states do not fit.
        WorkInvalid: the part has no meaning; says why.
    """
    if not isinstance(work, workload.CircuitPart):
        raise WorkInvalid(f"{type(work).__name__} is no work for this engine")
    part = _Part(work)
    for item in work.items:
        part.check(item, budget)
    done = []
    for number, item in enumerate(work.items):

        def share(some: float, number: int = number) -> None:
            report((number + some) / len(work.items))

        done.append(part.values(item, share))
        share(1.0)
    return workload.PartResult(work.part, tuple(done))


def warm() -> None:
    """Multiply states once, so that the library's threads have started."""
    table = elements.Table([()], _WARM_QUBITS, _WARM_ROWS, _WARM_ROWS)
    for _ in range(_WARM_ROWS):
        table.add(np.ones(1 << _WARM_QUBITS, np.complex128))
    table.finish()


class _Part:
    """A checked part: what its parameter points have in common."""

    def __init__(self, work: workload.CircuitPart) -> None:
        validity.check_program(work.program)
        split = circuit_facts.split_static(work.program)
        if split is None or len(split.gates) != len(work.program.body):
            raise WorkInvalid("a part has statements other than gates with fixed arguments")
        bounds = [0, *(place.before for place in work.places), len(split.gates)]
        if any(before > after for before, after in pairwise(bounds)):
            raise WorkInvalid(f"the places of a part stand at {bounds[1:-1]}, not in order")
        for place in work.places:
            if not 0 <= place.qubit < work.program.qubits or place.factors < 1:
                raise WorkInvalid(f"a place has {place.factors} factors on qubit {place.qubit}")
        validity.check_observable(
            workload.Observable("product", tuple(workload.PauliTerm(1.0, each) for each in work.products)),
            work.program.qubits,
        )
        if any(not 0 <= string < 1 << work.program.qubits for string in work.strings):
            raise WorkInvalid(f"a string has more than {work.program.qubits} bits")
        self._work = work
        self._qubits = work.program.qubits
        fuse = self._qubits >= fusion.FROM_QUBITS
        self._segments = [fusion.plan(split.gates[a:b], fuse=fuse) for a, b in pairwise(bounds)]
        self._counts = [place.factors for place in work.places]
        self._paths = int(np.prod(self._counts, dtype=object)) if self._counts else 1

    def check(self, item: workload.PartItem, budget: int) -> None:
        """Refuse an item that has no meaning or does not fit."""
        check_parameters(self._work.program, item.parameters)
        last = item.first_path + item.paths
        if item.paths < 1 or item.first_path < 0 or last > self._paths:
            raise WorkInvalid(f"paths {item.first_path} to {last - 1} are asked of a part with {self._paths}")
        if len(item.factors) != sum(self._counts) * _FACTOR_BYTES:
            raise WorkInvalid(f"item {item.index} has {len(item.factors)} bytes of factors")
        rows = item.paths if self._work.products else 0
        count = workload.vectors(len(self._counts), rows, further=last < self._paths)
        needed = memory.states(self._qubits, count)
        if needed > budget:
            raise MemoryShort(
                f"{item.paths} paths of {self._qubits} qubits need {needed >> 20} MiB and the task may use "
                f"{budget >> 20} MiB: ask for fewer paths, or use a device with more memory"
            )

    def values(self, item: workload.PartItem, report: Report) -> workload.PartValues:
        """Walk the item's paths and take from them what is asked."""
        work = self._work
        last = self._paths if work.products else item.first_path + item.paths
        strings = list(work.strings)
        amplitudes = np.empty((len(strings), item.paths), np.complex128)
        table = elements.Table(work.products, self._qubits, item.paths, last - item.first_path)
        tree = _Tree(self._qubits, self._circuits(item), self._factors(item))
        for number, vector in enumerate(tree.leaves(item.first_path, last)):
            if number < item.paths:
                amplitudes[:, number] = vector[strings] if strings else 0
            table.add(vector)
            report((number + 1) / (last - item.first_path))
        return workload.PartValues(
            item.index,
            item.first_path,
            item.paths,
            table.finish().astype("<c16").tobytes(),
            amplitudes.astype("<c16").tobytes(),
        )

    def _circuits(self, item: workload.PartItem) -> list[qulacs.QuantumCircuit]:
        scope = Scope(self._work.program.slots, item.parameters)
        return [
            assembly.circuit_of(blocks, self._qubits, lambda gate: assembly.bound(scope, gate))
            for blocks in self._segments
        ]

    def _factors(self, item: workload.PartItem) -> list[list[qulacs.QuantumGateBase | None]]:
        """Build the gates of each place, None for a factor that is zero."""
        matrices = np.frombuffer(item.factors, "<c16").reshape(-1, 2, 2)
        if not np.isfinite(matrices).all():
            raise WorkInvalid(f"item {item.index} has a factor that is not finite")
        ends = np.cumsum([0, *self._counts])
        return [
            [
                gates.DenseMatrix(place.qubit, matrix) if matrix.any() else None
                for matrix in matrices[ends[number] : ends[number + 1]]
            ]
            for number, place in enumerate(self._work.places)
        ]


class _Tree:
    """All paths from |0…0>; one state for each level is kept."""

    def __init__(
        self,
        qubits: int,
        circuits: Sequence[qulacs.QuantumCircuit],
        factors: Sequence[Sequence[qulacs.QuantumGateBase | None]],
    ) -> None:
        self._circuits, self._factors = circuits, factors
        self._states = [qulacs.QuantumState(qubits) for _ in circuits]
        self._zeros = np.zeros(1 << qubits, np.complex128)
        self._below = [1]
        for place in reversed(factors):
            self._below.insert(0, self._below[0] * len(place))

    def leaves(self, first: int, stop: int) -> Iterator[Vector]:
        """Yield the states of paths ``first`` to ``stop - 1`` in order; each is read before the next."""
        self._states[0].set_zero_state()
        self._circuits[0].update_quantum_state(self._states[0])
        yield from self._walk(0, 0, first, stop)

    def _walk(self, level: int, base: int, first: int, stop: int) -> Iterator[Vector]:
        if level == len(self._factors):
            yield self._states[level].get_vector()
            return
        for digit, factor in enumerate(self._factors[level]):
            low = base + digit * self._below[level + 1]
            inside = min(low + self._below[level + 1], stop) - max(low, first)
            if inside <= 0:
                continue
            if factor is None:
                for _ in range(inside):
                    yield self._zeros
                continue
            state = self._states[level + 1]
            state.load(self._states[level])
            factor.update_quantum_state(state)
            self._circuits[level + 1].update_quantum_state(state)
            yield from self._walk(level + 1, low, first, stop)
