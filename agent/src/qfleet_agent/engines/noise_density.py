"""Noisy programs by their density matrix, with QuTiP: exact, for few qubits and programs without feedback.

The matrix has 4^n elements of 16 bytes, and an operation holds four of them: before, after, and two to put
its axes in order or to mix. Counts are drawn from the diagonal; draw 0 of a shot picks the first basis state
whose running sum of probabilities exceeds u times their total. Expectation values are exact.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import qutip  # type: ignore[import-untyped]  # ships no types

from qfleet_agent.engines import matrices, noise_checks, validity
from qfleet_agent.engines.errors import MemoryShort, ProgramFailed, WorkInvalid
from qfleet_agent.engines.expressions import Scope
from qfleet_agent.engines.finals import Final, check_parameters
from qfleet_agent.engines.noise_superoperators import Group, Library, grouped, unitary
from qfleet_wire import circuit, circuit_facts, workload
from qfleet_wire.workload.noise import Applied

Report = Callable[[float], None]
ELEMENT_BYTES = 16
MATRICES = 4
BASE_BYTES = 184 * 1024 * 1024
"""QuTiP and SciPy once they are imported (measured: 100 MiB with one thread), and what every task uses."""
_FULLY = Applied("depolarising", 1.0, (0,))


class Density:
    """A checked program whose density matrix can be had at any parameter point."""

    def __init__(self, work: workload.CircuitSample | workload.CircuitExpect, budget: int) -> None:
        program = work.program
        validity.check_program(program)
        self.rules = noise_checks.rules_of(work)
        _check_memory(program.qubits, budget)
        split = circuit_facts.split_static(program)
        if split is None:
            raise WorkInvalid("a program that its own outcomes steer has no density matrix to draw from")
        self.finals = tuple(Final(*measured) for measured in split.measured)
        self._program = program
        self._groups = grouped(split.gates, self.rules)
        self._library = Library()

    def evolve(self, parameters: Sequence[float], report: Report) -> npt.NDArray[np.complex128]:
        """Return the density matrix before the final measurements: shape (2^n, 2^n), qubit q is bit q."""
        check_parameters(self._program, parameters)
        scope = Scope(self._program.slots, parameters)
        qubits = self._program.qubits
        start = np.zeros((1 << qubits, 1 << qubits), np.complex128)
        start[0, 0] = 1
        state = qutip.Qobj(start, dims=[[2] * qubits, [2] * qubits], copy=False)
        for number, group in enumerate(self._groups):
            state = self._after(state, group, lambda gate: _bound(scope, gate))
            report(number / len(self._groups))
        matrix: npt.NDArray[np.complex128] = state.data.as_ndarray()
        return matrix

    def _after(self, state: Any, group: Group, bind: Callable[[circuit.Gate], tuple[float, ...]]) -> Any:
        modes = self._modes(group.qubits)
        if not group.wide:
            operator = self._library.of(group, bind)
            return state if operator is None else qutip.local_matmul(operator, state, modes)
        (noisy,) = group.gates
        item = matrices.primitive(noisy.gate, bind(noisy.gate))
        if item is not None:
            dims = [[2] * len(modes)] * 2
            operator = qutip.Qobj(unitary(item, group.qubits), dims=dims)
            state = qutip.local_matmul(operator, state, modes)
            state = qutip.local_matmul(operator.dag(), state, modes, dual=True)
        for applied in noisy.after:
            state = self._disturbed(state, applied)
        return state

    def _disturbed(self, state: Any, applied: Applied) -> Any:
        """Apply a channel after a wide gate: depolarising as a mixture with the fully depolarised state."""
        if applied.channel != "depolarising" or len(applied.qubits) == 1:
            return qutip.local_matmul(self._library.channel(applied), state, self._modes(applied.qubits))
        mixed = state
        for qubit in applied.qubits:
            mixed = qutip.local_matmul(self._library.channel(_FULLY), mixed, self._modes((qubit,)))
        return (1 - applied.probability) * state + applied.probability * mixed

    def _modes(self, qubits: tuple[int, ...]) -> list[int]:
        """Name qubits as QuTiP does, which counts from the highest bit; the highest first."""
        return [self._program.qubits - 1 - qubit for qubit in reversed(qubits)]


def needed(qubits: int) -> int:
    """Bytes that a task needs, QuTiP included."""
    return BASE_BYTES + MATRICES * (ELEMENT_BYTES << 2 * qubits)


def _check_memory(qubits: int, budget: int) -> None:
    if needed(qubits) > budget:
        raise MemoryShort(
            f"the density matrix of {qubits} qubits needs {needed(qubits) >> 20} MiB and the task may use "
            f"{budget >> 20} MiB: use fewer qubits, a device with more memory, or trajectories"
        )


def _bound(scope: Scope, gate: circuit.Gate) -> tuple[float, ...]:
    """Return the values of arguments, which read no slot in a static program."""
    values = tuple(float(scope.reader(argument)([])) for argument in gate.arguments)
    if not all(map(np.isfinite, values)):
        raise ProgramFailed(f"gate {gate.name} has the arguments {values}, which are no angles")
    return values
