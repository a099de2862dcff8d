"""Kernels on the machine where the data lie: the agent's engine as a local process, without any channel.

A block is what a device would be given, with its points; it goes to ``qfleet-agent compute`` through a pipe
and comes back as numbers. The fleet is not asked, so no row can reach it, sealed or not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from qfleet import errors
from qfleet.command import tools
from qfleet_applications.errors import TooLarge, UnexpectedResult
from qfleet_applications.healthcare.feature_maps import AXES, REPETITIONS, Floats, Map
from qfleet_wire import circuit, codec, workload

LARGEST_QUBITS = 20
"""Wider states of hundreds of rows do not fit a small machine."""
_MOST_BYTES = 1 << 30
_MOST_ENTRIES = 2_000_000
"""Of kernels that one process answers: some 20 MB."""

Compute: TypeAlias = Callable[[bytes], bytes]
"""An encoded work to its encoded result."""


def engine(work: bytes) -> bytes:
    """Run a work with the agent that is installed beside this command.

    Raises:
        UserError: there is none, or it refused the work.
    """
    computed, why = tools.compute(work)
    if computed is None:
        hint = "data stay here, so the machine of the data needs qfleet-agent[circuits]"
        raise errors.UserError(f"the local engine did not compute a block: {why}", hint=hint)
    return computed.body


@dataclass(frozen=True, slots=True)
class SiteKernels:
    """Kernels by a local engine; ``compute`` is another only in tests."""

    compute: Compute = engine

    def fidelities(self, sets: Sequence[Floats], feature_map: Map) -> list[Floats]:
        """For each set the matrix (n, n) of |⟨φ(x)|φ(y)⟩|².

        One process for all where they are small, since it starts slowly.
        """
        if sum(len(points) ** 2 for points in sets) > _MOST_ENTRIES:
            return [self._squares([points], feature_map)[0] for points in sets]
        return self._squares(sets, feature_map)

    def _squares(self, sets: Sequence[Floats], feature_map: Map) -> list[Floats]:
        groups = tuple(workload.KernelGroup(at, _rows(points)) for at, points in enumerate(sets))
        blocks = tuple(workload.KernelBlock(at, at, at) for at in range(len(sets)))
        work = workload.KernelMatrix(program(feature_map, sets[0].shape[1]), 0, groups, blocks)
        found = {item.index: item.values for item in self._run(work, workload.KernelResult).items}
        return [_shaped(found.get(at, ()), (len(points),) * 2) for at, points in enumerate(sets)]

    def block(self, rows: Floats, columns: Floats, feature_map: Map) -> Floats:
        """The block (rows, columns) of |⟨φ(x)|φ(y)⟩|².

        Raises:
            TooLarge: the states are too wide.
            UnexpectedResult: the engine answered something else.
        """
        groups = (workload.KernelGroup(0, _rows(rows)), workload.KernelGroup(1, _rows(columns)))
        blocks = (workload.KernelBlock(0, 0, 1),)
        work = workload.KernelMatrix(program(feature_map, rows.shape[1]), 0, groups, blocks)
        items = self._run(work, workload.KernelResult).items
        return _shaped([value for item in items for value in item.values], (len(rows), len(columns)))

    def projections(self, sets: Sequence[Floats]) -> list[Floats]:
        """For each set the Pauli expectations (n, 3 features) of the qubits in the ZZ states; one process."""
        width, every = sets[0].shape[1], np.vstack(sets)
        observables = tuple(
            workload.Observable(f"{axis}{qubit}", (workload.PauliTerm(1.0, ((axis, qubit),)),))
            for qubit in range(width)
            for axis in AXES
        )
        items = tuple(workload.ExpectItem(at, tuple(row)) for at, row in enumerate(every.tolist()))
        work = workload.CircuitExpect(program("zz", width), 0, observables, items)
        found = sorted(self._run(work, workload.ExpectResult).items, key=lambda item: item.index)
        values = [value for item in found for moments in item.moments for value in moments.sums]
        whole = _shaped(values, (len(every), 3 * width))
        return np.split(whole, np.cumsum([len(points) for points in sets])[:-1])

    def _run(self, work: Any, kind: Any) -> Any:
        check_width(work.program.qubits)
        return codec.decode(self.compute(codec.encode(work)), kind, limit=_MOST_BYTES)


def check_width(qubits: int) -> None:
    """Refuse states that the local engine does not hold.

    Raises:
        TooLarge: they have more than ``LARGEST_QUBITS``.
    """
    if qubits > LARGEST_QUBITS:
        told = f"states of {qubits} qubits are too wide for the local engine"
        raise TooLarge(told, qubits=qubits, hint=f"take at most {LARGEST_QUBITS} components")


def program(feature_map: Map, features: int) -> circuit.Program:
    """A feature map as devices execute it: the same as ``feature_maps.program`` compiled."""
    inputs = [circuit.Parameter(at) for at in range(features)]
    body: list[circuit.Statement] = [circuit.Gate("h", (at,)) for at in range(features)]
    body += [circuit.Gate("rz", (at,), (_times(circuit.Constant(2.0), x),)) for at, x in enumerate(inputs)]
    if feature_map == "zz":
        for other in range(features):
            for one in range(other):
                flip = circuit.Gate("x", (other,), controls=(circuit.Control(one),))
                angle = _times(_short_of_pi(inputs[one]), _short_of_pi(inputs[other]))
                turn = circuit.Gate("rz", (other,), (_times(circuit.Constant(2.0), angle),))
                body += [flip, turn, flip]
    names = tuple(f"x{at}" for at in range(features))
    return circuit.Program(features, (), names, tuple(body * REPETITIONS))


def _rows(points: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, points.tolist()))


def _times(left: circuit.Expression, right: circuit.Expression) -> circuit.Expression:
    return circuit.Binary("*", left, right)


def _short_of_pi(value: circuit.Expression) -> circuit.Expression:
    return circuit.Binary("-", circuit.Constant(math.pi), value)


def _shaped(values: Sequence[float], shape: tuple[int, int]) -> Floats:
    found = np.array(values, dtype=float)
    if found.size != shape[0] * shape[1] or not np.isfinite(found).all():
        raise UnexpectedResult(f"the local engine answered no block of shape {shape}")
    return found.reshape(shape)
