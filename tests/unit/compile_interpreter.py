"""A small interpreter of compiled programs, independent of every engine.

It follows each branch that a measurement may take, so a program's outcomes come out with their
exact probabilities. Slow and plain on purpose; global phases are kept.
"""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from qfleet_wire import circuit, circuit_values

Array = npt.NDArray[np.complex128]
FORGET = 1e-9
"""Probability below which a branch is no longer followed."""


def base_matrix(name: str, angles: Sequence[float]) -> Array:
    def u(theta: float, phi: float, lam: float) -> Array:
        cosine, sine = math.cos(theta / 2), math.sin(theta / 2)
        return np.array(
            [
                [cosine, -np.exp(1j * lam) * sine],
                [np.exp(1j * phi) * sine, np.exp(1j * (phi + lam)) * cosine],
            ]
        )

    half = math.sqrt(0.5)
    table: dict[str, Array] = {
        "id": np.eye(2, dtype=complex),
        "x": np.array([[0, 1], [1, 0]], dtype=complex),
        "y": np.array([[0, -1j], [1j, 0]]),
        "z": np.diag([1, -1]).astype(complex),
        "h": np.array([[half, half], [half, -half]], dtype=complex),
        "s": np.diag(np.array([1, 1j], dtype=complex)),
        "sdg": np.diag(np.array([1, -1j], dtype=complex)),
        "t": np.diag(np.array([1, np.exp(0.25j * math.pi)], dtype=complex)),
        "tdg": np.diag(np.array([1, np.exp(-0.25j * math.pi)], dtype=complex)),
        "sx": np.array([[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]]),
        "sxdg": np.array([[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]]),
        "swap": np.eye(4, dtype=complex)[[0, 2, 1, 3]],
    }
    if name in table:
        return table[name]
    if name == "p":
        return np.diag([1, np.exp(1j * angles[0])])
    if name == "rz":
        return np.diag([np.exp(-0.5j * angles[0]), np.exp(0.5j * angles[0])])
    if name == "gphase":
        return np.array([[np.exp(1j * angles[0])]])
    return {
        "rx": lambda: u(angles[0], -math.pi / 2, math.pi / 2),
        "ry": lambda: u(angles[0], 0, 0),
        "u": lambda: u(*angles),
    }[name]()


def principal_power(matrix: Array, exponent: float) -> Array:
    if float(exponent).is_integer():
        return np.linalg.matrix_power(matrix, int(exponent))
    values, vectors = np.linalg.eig(matrix)
    phases = np.angle(values)
    phases[phases < -math.pi + 1e-9] = math.pi
    powered: Array = vectors @ np.diag(np.exp(1j * exponent * phases)) @ np.linalg.inv(vectors)
    return powered


def apply(gate: circuit.Gate, angles: Sequence[float], state: Array) -> Array:
    """Apply a gate to amplitudes, or to each column of a matrix; qubit 0 is least significant."""
    matrix = principal_power(base_matrix(gate.name, angles), gate.power)
    result = state.copy()
    for index in range(state.shape[0]):
        if any((index >> each.qubit & 1) != each.value for each in gate.controls):
            continue
        row = sum((index >> qubit & 1) << place for place, qubit in enumerate(gate.qubits))
        result[index] = 0
        for column in range(matrix.shape[0]):
            source = index
            for place, qubit in enumerate(gate.qubits):
                source = (source & ~(1 << qubit)) | (column >> place & 1) << qubit
            result[index] += matrix[row, column] * state[source]
    return result


def unitary(program: circuit.Program, parameters: Sequence[float] = ()) -> Array:
    """The matrix of a program of gates only."""
    state = np.eye(1 << program.qubits, dtype=complex)
    for statement in program.body:
        assert isinstance(statement, circuit.Gate)
        angles = [float(circuit_values.evaluate(each, parameters, ())) for each in statement.arguments]
        state = apply(statement, angles, state)
    return state


class _Leave(Exception):
    pass


class _Break(_Leave):
    pass


class _Continue(_Leave):
    pass


class _End(_Leave):
    pass


@dataclass
class _Shot:
    """One run in which the first measurements are told and the rest take their likelier side."""

    program: circuit.Program
    parameters: Sequence[float]
    told: tuple[int, ...]
    slots: list[circuit_values.Value] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    odds: list[float] = field(default_factory=list)
    probability: float = 1.0

    def run(self) -> Array:
        self.slots = [slot.initial for slot in self.program.slots]
        self.state = np.zeros(1 << self.program.qubits, dtype=complex)
        self.state[0] = 1
        with contextlib.suppress(_End):
            self.block(self.program.body)
        return self.state

    def value(self, expression: circuit.Expression) -> circuit_values.Value:
        return circuit_values.evaluate(expression, self.parameters, self.slots)

    def measure(self, qubit: int) -> int:
        ones = np.array([bool(index >> qubit & 1) for index in range(self.state.size)])
        chance = float(np.sum(np.abs(self.state[ones]) ** 2))
        place = len(self.taken)
        outcome = self.told[place] if place < len(self.told) else int(chance > 0.5)
        share = chance if outcome else 1 - chance
        self.taken.append(outcome)
        self.odds.append(1 - share)
        self.probability *= share
        self.state = np.where(ones == bool(outcome), self.state, 0) / math.sqrt(max(share, 1e-300))
        return outcome

    def block(self, body: Sequence[circuit.Statement]) -> None:
        for statement in body:
            self.step(statement)

    def store(self, slot: int, value: circuit_values.Value, index: int | None) -> None:
        if index is None:
            self.slots[slot] = value
        else:
            self.slots[slot] = (int(self.slots[slot]) & ~(1 << index)) | int(value) << index

    def step(self, statement: circuit.Statement) -> None:  # noqa: C901 - one case for each statement
        match statement:
            case circuit.Gate(arguments=arguments):
                self.state = apply(statement, [float(self.value(each)) for each in arguments], self.state)
            case circuit.Measure(qubit=qubit, slot=slot, bit=bit):
                outcome = self.measure(qubit)
                if slot is not None:
                    self.store(slot, outcome, bit)
            case circuit.Reset(qubit=qubit):
                if self.measure(qubit):
                    self.state = apply(circuit.Gate("x", (qubit,)), (), self.state)
            case circuit.Assign(slot=slot, value=value, index=index):
                self.store(slot, self.value(value), None if index is None else int(self.value(index)))
            case circuit.If(condition=condition, then=then, otherwise=otherwise):
                self.block(then if self.value(condition) else otherwise)
            case circuit.While() | circuit.For():
                self.loop(statement)
            case circuit.Break():
                raise _Break
            case circuit.Continue():
                raise _Continue
            case circuit.End():
                raise _End

    def loop(self, statement: circuit.While | circuit.For) -> None:
        try:
            if isinstance(statement, circuit.While):
                while self.value(statement.condition):
                    if self.probability < FORGET:
                        raise _End
                    self.once(statement.body)
                return
            start, step, stop = (
                int(self.value(each)) for each in (statement.start, statement.step, statement.stop)
            )
            for value in range(start, stop + (1 if step > 0 else -1), step):
                self.slots[statement.slot] = value
                self.once(statement.body)
        except _Break:
            return

    def once(self, body: Sequence[circuit.Statement]) -> None:
        try:
            self.block(body)
        except _Continue:
            return


def outcome_of(program: circuit.Program, slots: Sequence[circuit_values.Value]) -> str:
    """The returned registers as Qiskit writes them, the last one leftmost."""
    words = []
    for number in reversed(program.outputs):
        width = program.slots[number].type.width
        words.append(format(int(slots[number]) & ((1 << width) - 1), f"0{width}b"))
    return " ".join(words)


def distribution(program: circuit.Program, parameters: Sequence[float] = ()) -> dict[str, float]:
    """Exact probabilities of a program's outcomes."""
    found: dict[str, float] = {}
    waiting: list[tuple[int, ...]] = [()]
    while waiting:
        shot = _Shot(program, parameters, waiting.pop())
        shot.run()
        if shot.probability >= FORGET:
            outcome = outcome_of(program, shot.slots)
            found[outcome] = found.get(outcome, 0.0) + shot.probability
        waiting.extend(
            (*shot.taken[:place], 1 - shot.taken[place])
            for place in range(len(shot.told), len(shot.taken))
            if shot.odds[place] > FORGET
        )
    return found
