"""Clifford programs in the terms of stim, and exact values of Pauli products in their states."""

import math
from collections.abc import Sequence

import stim

from qfleet_agent.engines import memory, validity
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_wire import circuit, circuit_stabilizer, workload
from qfleet_wire.circuit_stabilizer import Hindrance, Operation, Records

_TABLEAU_BITS = 16
"""Bits for each pair of qubits: X and Z parts of 2n generators, times two tableaus with a copy each."""


def check(program: circuit.Program, budget: int) -> None:
    """Check that a program means something, and that its tableau fits.

    Raises:
        WorkInvalid: with the first statement that is wrong.
        MemoryShort: with the numbers.
    """
    validity.check_program(program)
    needed = memory.OVERHEAD_BYTES + _TABLEAU_BITS * program.qubits**2 // 8
    if needed > budget:
        raise MemoryShort(
            f"a tableau of {program.qubits} qubits needs {needed >> 20} MiB and the task may use "
            f"{budget >> 20} MiB: use fewer qubits or a device with more memory"
        )


def records_of(program: circuit.Program, parameters: Sequence[float]) -> Records:
    """Read a program at a parameter point.

    Raises:
        WorkInvalid: it is not Clifford there.
    """
    found = circuit_stabilizer.read(program, circuit_stabilizer.steps_at(parameters))
    if isinstance(found, Hindrance):
        raise WorkInvalid(f"no program for a tableau: {found.why}")
    return found


def circuit_of(program: circuit.Program, records: Records) -> stim.Circuit:
    """Build stim's circuit; its measurement records are numbered as those of the program."""
    lines = [f"I {program.qubits - 1}"]  # so that every qubit exists
    measured = 0
    for operation in records.operations:
        lines.append(_line(operation, measured))
        measured += operation.name == "M"
    return stim.Circuit("\n".join(lines))


def _line(operation: Operation, measured: int) -> str:
    if operation.record is not None:
        return f"C{operation.name} rec[{operation.record - measured}] {operation.qubits[0]}"
    return f"{operation.name} {' '.join(map(str, operation.qubits))}"


class Products:
    """Observables taken apart into distinct Pauli products."""

    def __init__(self, observables: Sequence[workload.Observable], qubits: int) -> None:
        places: dict[tuple[tuple[str, int], ...], int] = {}
        self._sums: list[list[tuple[float, int]]] = []
        for observable in observables:
            validity.check_observable(observable, qubits)
            self._sums.append(
                [
                    (term.coefficient, places.setdefault(tuple(sorted(term.paulis)), len(places)))
                    for term in observable.terms
                ]
            )
        self._strings = [stim.PauliString({qubit: letter for letter, qubit in product}) for product in places]

    def values(self, simulator: stim.TableauSimulator) -> tuple[float, ...]:
        """Return the expectation value of each observable in the simulator's state, exactly."""
        products = [simulator.peek_observable_expectation(string) for string in self._strings]
        return tuple(math.fsum(weight * products[place] for weight, place in terms) for terms in self._sums)
