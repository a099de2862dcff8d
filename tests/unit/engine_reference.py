"""A tiny independent simulator: one shot at a time, whole matrices, no shortcuts.

It follows the specification (``qfleet_wire.circuit``, ``qfleet_agent.engines.draws``) literally and shares no
code with the engine, so that equal counts mean something.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import scipy.linalg  # type: ignore[import-untyped] # ships no types

from qfleet_wire import circuit, circuit_values, workload

PAULI: dict[str, Any] = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


def exponential(paulis: str, angle: float) -> Any:
    return scipy.linalg.expm(-0.5j * angle * PAULI[paulis])


def matrix(name: str, arguments: Sequence[float]) -> Any:  # noqa: C901, PLR0911 - a table
    """The base gates by their definitions, rotations as exponentials."""
    match name:
        case "gphase":
            return np.array([[np.exp(1j * arguments[0])]])
        case "id":
            return np.eye(2)
        case "x" | "y" | "z":
            return PAULI[name.upper()]
        case "h":
            return (PAULI["X"] + PAULI["Z"]) / np.sqrt(2)
        case "s" | "sdg" | "t" | "tdg":
            angle = {"s": 1, "sdg": -1, "t": 0.5, "tdg": -0.5}[name] * np.pi / 2
            return np.diag([1, np.exp(1j * angle)])
        case "sx" | "sxdg":
            sign = 1 if name == "sx" else -1
            return np.exp(0.25j * np.pi * sign) * exponential("X", np.pi / 2 * sign)
        case "p":
            return np.diag([1, np.exp(1j * arguments[0])])
        case "rx" | "ry" | "rz":
            return exponential(name[1].upper(), arguments[0])
        case "u":
            theta, phi, lam = arguments
            euler = exponential("Z", phi) @ exponential("Y", theta) @ exponential("Z", lam)
            return np.exp(0.5j * (phi + lam)) * euler
        case "swap":
            return sum(np.kron(PAULI[p], PAULI[p]) for p in "IXYZ") / 2
    raise AssertionError(name)


def apply(gate: circuit.Gate, arguments: Sequence[float], state: Any) -> Any:
    """Apply a gate amplitude by amplitude."""
    unitary = matrix(gate.name, arguments)
    if gate.power != 1:
        unitary = scipy.linalg.fractional_matrix_power(unitary.astype(complex), gate.power)
    out = np.zeros_like(state)
    for index, amplitude in enumerate(state):
        if any(index >> control.qubit & 1 != control.value for control in gate.controls):
            out[index] += amplitude
            continue
        column = sum((index >> qubit & 1) << place for place, qubit in enumerate(gate.qubits))
        rest = index & ~sum(1 << qubit for qubit in gate.qubits)
        for row in range(len(unitary)):
            target = rest | sum((row >> place & 1) << qubit for place, qubit in enumerate(gate.qubits))
            out[target] += unitary[row, column] * amplitude
    return out


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _End(Exception):
    pass


class Shot:
    """One run of a program; ``draw`` gives its numbers in [0, 1) one after the other."""

    def __init__(
        self, program: circuit.Program, parameters: Sequence[float], draw: Callable[[], float]
    ) -> None:
        self.program, self.parameters, self.draw = program, parameters, draw
        self.state = np.zeros(2**program.qubits, complex)
        self.state[0] = 1
        self.slots: list[Any] = [circuit_values.convert(slot.type, slot.initial) for slot in program.slots]

    def run(self, *, finals: bool) -> None:
        """Run it; the measurements at the very end all together, or not at all."""
        body = list(self.program.body)
        ends: list[circuit.Measure] = []
        while body and isinstance(last := body[-1], circuit.Measure):
            ends.insert(0, last)
            body.pop()
        try:
            self.block(body)
        except _End:
            return
        if finals and any(end.slot is not None for end in ends):
            weights = np.abs(self.state) ** 2
            running = np.cumsum(weights)
            basis = int(np.argmax(running > self.draw() * running[-1]))
            for end in ends:
                if end.slot is not None:
                    self.write(end.slot, end.bit, basis >> end.qubit & 1)

    def outcome(self) -> int:
        whole, offset = 0, 0
        for slot in self.program.outputs:
            width = self.program.slots[slot].type.width
            whole |= (int(self.slots[slot]) & (1 << width) - 1) << offset
            offset += width
        return whole

    def value(self, expression: circuit.Expression) -> Any:
        return circuit_values.evaluate(expression, self.parameters, self.slots)

    def block(self, body: Sequence[circuit.Statement]) -> None:
        for statement in body:
            self.step(statement)

    def step(self, statement: circuit.Statement) -> None:  # noqa: C901 - one case per statement
        match statement:
            case circuit.Gate():
                self.state = apply(statement, [self.value(a) for a in statement.arguments], self.state)
            case circuit.Measure():
                outcome = self.measure(statement.qubit)
                if statement.slot is not None:
                    self.write(statement.slot, statement.bit, outcome)
            case circuit.Reset():
                if self.measure(statement.qubit):
                    self.state = apply(circuit.Gate("x", (statement.qubit,)), (), self.state)
            case circuit.Assign(slot=slot, value=value, index=None):
                self.slots[slot] = circuit_values.convert(self.program.slots[slot].type, self.value(value))
            case circuit.Assign(slot=slot, value=value, index=index) if index is not None:
                self.write(slot, int(self.value(index)), int(bool(self.value(value))))
            case circuit.If():
                self.block(statement.then if self.value(statement.condition) else statement.otherwise)
            case circuit.Break():
                raise _Break
            case circuit.Continue():
                raise _Continue
            case circuit.End():
                raise _End
            case _:
                self.loop(statement)

    def loop(self, statement: Any) -> None:
        for _ in self.passes(statement):
            try:
                self.block(statement.body)
            except _Continue:
                continue
            except _Break:
                return

    def passes(self, statement: Any) -> Iterator[None]:
        if isinstance(statement, circuit.While):
            while self.value(statement.condition):
                yield
            return
        start, step, stop = (self.value(part) for part in (statement.start, statement.step, statement.stop))
        while start <= stop if step > 0 else start >= stop:
            self.slots[statement.slot] = circuit_values.convert(
                self.program.slots[statement.slot].type, start
            )
            yield
            start += step

    def write(self, slot: int, bit: int, value: int) -> None:
        kind = self.program.slots[slot].type
        if 0 <= bit < kind.width:
            self.slots[slot] = circuit_values.convert(
                kind, int(self.slots[slot]) & ~(1 << bit) | value << bit
            )

    def measure(self, qubit: int) -> int:
        number = self.draw()
        ones = np.array([index >> qubit & 1 for index in range(len(self.state))], bool)
        zero = float(np.sum(np.abs(self.state[~ones]) ** 2) / np.sum(np.abs(self.state) ** 2))
        outcome = int(zero < 0.5) if zero < 1e-12 or zero > 1 - 1e-12 else int(number >= zero)
        self.state = np.where(ones == bool(outcome), self.state, 0)
        self.state = self.state / np.linalg.norm(self.state)
        return outcome


def numbers(seed: int, item: int, block: int, shot: int) -> Callable[[], float]:
    """The draws of one shot, straight from the specification."""
    digest = hashlib.sha256(f"qfleet block {seed} {item} {block}".encode()).digest()
    key = int.from_bytes(digest[:8], "big") >> 1
    count = iter(range(10**6))
    return lambda: (
        float(int(np.random.Philox(key=key, counter=next(count) << 64).random_raw(shot + 1)[shot]) >> 11)
        / float(2**53)
    )


def expectation(observable: workload.Observable, state: Any, qubits: int) -> float:
    """⟨ψ|O|ψ⟩ with the whole matrix."""
    total = 0.0
    for term in observable.terms:
        letters = {qubit: letter for letter, qubit in term.paulis}
        operator: Any = np.eye(1)
        for qubit in range(qubits):
            operator = np.kron(PAULI[letters.get(qubit, "I")], operator)
        total += term.coefficient * float(np.vdot(state, operator @ state).real)
    return total
