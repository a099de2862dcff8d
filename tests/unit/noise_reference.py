"""Noise by its textbook definitions: dense matrices, and shots one at a time as the draws are specified.

Shares no code with the engines. The channels are those of Nielsen and Chuang, section 8.3: depolarising as a
mixture with 1/2^n (not as Paulis), damping by its two Kraus operators.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tests.unit import engine_reference as reference

from qfleet_wire import circuit, circuit_facts, circuit_values
from qfleet_wire.workload import Observable
from qfleet_wire.workload.noise import NoiseModel


def after(model: NoiseModel, gate: circuit.Gate) -> list[tuple[str, float, tuple[int, ...]]]:
    """The channels after a gate, straight from the documentation of ``noise.Noise``."""
    qubits = circuit_facts.qubits_of(gate)
    name = "c" * len(gate.controls) + gate.name
    rules = [rule for rule in model.gates if rule.gate == name]
    exact = [rule for rule in rules if rule.qubits == qubits]
    found: list[tuple[str, float, tuple[int, ...]]] = []
    for rule in exact or [rule for rule in rules if not rule.qubits]:
        if rule.channel == "depolarising":
            found.append((rule.channel, rule.probability, qubits))
        else:
            found += [(rule.channel, rule.probability, (qubit,)) for qubit in qubits]
    for qubit in qubits:
        found += [(rule.channel, rule.probability, (qubit,)) for rule in model.qubits if rule.qubit == qubit]
    return found


def damping(channel: str, probability: float) -> list[Any]:
    kept = np.array([[1, 0], [0, math.sqrt(1 - probability)]])
    entry = (0, 1) if channel == "amplitude_damping" else (1, 1)
    other = np.zeros((2, 2))
    other[entry] = math.sqrt(probability)
    return [kept, other]


def operator(matrix: Any, qubit: int, qubits: int) -> Any:
    """A one-qubit matrix on all qubits, qubit 0 rightmost."""
    whole: Any = np.eye(1)
    for place in range(qubits):
        whole = np.kron(matrix if place == qubit else np.eye(2), whole)
    return whole


def mixed(matrix: Any, qubit: int, qubits: int) -> Any:
    """Trace one qubit out and put 1/2 in its place."""
    parts = matrix.reshape((2,) * (2 * qubits))
    row, column = qubits - 1 - qubit, 2 * qubits - 1 - qubit
    rest = np.trace(parts, axis1=row, axis2=column)
    fresh = np.multiply.outer(np.eye(2) / 2, rest)
    return np.moveaxis(fresh, (0, 1), (row, column)).reshape(matrix.shape)


def disturbed(matrix: Any, channel: str, probability: float, named: tuple[int, ...], qubits: int) -> Any:
    if channel == "depolarising":
        other = matrix
        for qubit in named:
            other = mixed(other, qubit, qubits)
        return (1 - probability) * matrix + probability * other
    operators = [operator(kraus, named[0], qubits) for kraus in damping(channel, probability)]
    return sum(kraus @ matrix @ kraus.conj().T for kraus in operators)


def density(program: circuit.Program, model: NoiseModel, arguments: Sequence[float] = ()) -> Any:
    """The density matrix after the gates of a program, qubit 0 in the lowest bit."""
    size = 2**program.qubits
    matrix = np.zeros((size, size), complex)
    matrix[0, 0] = 1
    for gate in program.body:
        if not isinstance(gate, circuit.Gate):
            continue
        values = [circuit_values.evaluate(a, arguments, ()) for a in gate.arguments]
        unitary = np.array([reference.apply(gate, values, column) for column in np.eye(size, dtype=complex)])
        matrix = unitary.T @ matrix @ unitary.conj()
        for channel, probability, qubits in after(model, gate):
            matrix = disturbed(matrix, channel, probability, qubits, program.qubits)
    return matrix


def expectation(observable: Observable, matrix: Any, qubits: int) -> float:
    total = 0.0
    for term in observable.terms:
        whole: Any = np.eye(len(matrix))
        for letter, qubit in term.paulis:
            whole = whole @ operator(reference.PAULI[letter], qubit, qubits)
        total += term.coefficient * float(np.trace(matrix @ whole).real)
    return total


def readings(program: circuit.Program, model: NoiseModel, arguments: Sequence[float] = ()) -> Any:
    """Probabilities of what the qubits of a program that measures each once read: index as in outcomes."""
    probabilities = density(program, model, arguments).diagonal().real
    for entry in model.readout:
        rows = [[1 - entry.zero_as_one, entry.zero_as_one], [entry.one_as_zero, 1 - entry.one_as_zero]]
        probabilities = operator(np.array(rows).T, entry.qubit, program.qubits) @ probabilities
    return probabilities


class Shot(reference.Shot):
    """One noisy run; each channel and each doubtful reading takes a number, as specified."""

    def __init__(
        self,
        program: circuit.Program,
        model: NoiseModel,
        arguments: Sequence[float],
        draw: Callable[[], float],
    ) -> None:
        super().__init__(program, arguments, draw)
        self.model = model
        self.errors = {entry.qubit: (entry.zero_as_one, entry.one_as_zero) for entry in model.readout}

    def step(self, statement: circuit.Statement) -> None:
        super().step(statement)
        if isinstance(statement, circuit.Gate):
            for channel, probability, qubits in after(self.model, statement):
                self.channel(channel, probability, qubits)
        elif isinstance(statement, circuit.Measure) and statement.slot is not None:
            self.misread(statement)

    def misread(self, statement: circuit.Measure) -> None:
        if statement.qubit in self.errors and statement.slot is not None:
            bit = int(self.slots[statement.slot]) >> statement.bit & 1
            if self.draw() >= 1 - self.errors[statement.qubit][bit]:
                self.write(statement.slot, statement.bit, 1 - bit)

    def run(self, *, finals: bool) -> None:
        super().run(finals=finals)
        body = list(self.program.body)
        first = len(body)
        while first and isinstance(body[first - 1], circuit.Measure):
            first -= 1
        for end in body[first:]:
            assert isinstance(end, circuit.Measure)
            self.misread(end)

    def channel(self, channel: str, probability: float, qubits: tuple[int, ...]) -> None:
        number = self.draw()
        if channel == "depolarising":
            count = 4 ** len(qubits)
            product = 0
            if number >= 1 - probability * (1 - 1 / count):
                product = 1 + int((number - (1 - probability * (1 - 1 / count))) * count / probability)
            for place, qubit in enumerate(qubits):
                letter = "IXYZ"[product // 4**place % 4]
                self.state = operator(reference.PAULI[letter], qubit, self.program.qubits) @ self.state
        elif channel == "phase_damping":
            if number >= 1 - (1 - math.sqrt(1 - probability)) / 2:
                self.state = operator(reference.PAULI["Z"], qubits[0], self.program.qubits) @ self.state
        else:
            stay, decay = (
                operator(k, qubits[0], self.program.qubits) @ self.state
                for k in damping(channel, probability)
            )
            chosen = decay if number >= 1 - np.linalg.norm(decay) ** 2 else stay
            self.state = chosen / np.linalg.norm(chosen)
