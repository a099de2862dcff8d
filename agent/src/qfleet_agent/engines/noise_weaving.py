"""Noise woven into a program: the channels stand as statements after the gates that they follow.

This is part of the specification of answers. Each channel and each reading of a misread qubit takes a
shot's next number u, and chooses as ``Machine.choose`` says. Depolarising with probability p on n qubits
is one of the 4^n - 1 products of Paulis, with probability p (1 - 4^-n) in all; as a number in base 4, with
the digits I, X, Y, Z, the gate's first qubit stands lowest. Phase damping is a Z with probability
(1 - √(1 - p))/2, amplitude damping a decay with p times the probability that the qubit is 1, and a reading
is wrong with its own.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias, cast

import msgspec
import numpy as np
from qulacs import gate as gates

from qfleet_agent.engines import trajectories
from qfleet_agent.engines.assembly import Extension
from qfleet_agent.engines.finals import without_finals
from qfleet_agent.engines.trajectories import Machine, Step
from qfleet_wire import circuit, circuit_facts, circuit_values
from qfleet_wire.workload.noise import Applied, Rules

Body: TypeAlias = tuple[Any, ...]
"""Statements of the wire and of this module."""


class Misreading(NamedTuple):
    """The bit that was just measured may be read wrong: 0 as 1, 1 as 0."""

    slot: int
    bit: int
    errors: tuple[float, float]


def woven(program: circuit.Program, rules: Rules) -> circuit.Program:
    """Put the noise into a program.

    Measurements of a static program commute with what follows them on other qubits, so they are put at
    its end and drawn together.
    """
    split = circuit_facts.split_static(program)
    body: Body = program.body
    if split is not None:
        body = (*split.gates, *(circuit.Measure(*measured) for measured in split.measured))
    before, _ = without_finals(body)
    changed = (*_block(before, rules), *body[len(before) :])
    return msgspec.structs.replace(program, body=cast("tuple[circuit.Statement, ...]", changed))


def extensions(program: circuit.Program) -> Mapping[type, Extension]:
    """How the statements of this module become steps."""

    def misread(statement: Misreading, position: int) -> Step:
        return _misread(statement, position, program.slots[statement.slot].type)

    return {Applied: _channel, Misreading: misread}


def _block(body: Body, rules: Rules) -> Body:
    done: list[Any] = []
    for statement in body:
        match statement:
            case circuit.Gate():
                done += [statement, *rules.after(statement)]
            case circuit.Measure(qubit=qubit, slot=slot, bit=bit):
                done.append(statement)
                if qubit in rules.misread and slot is not None:
                    done.append(Misreading(slot, bit, rules.misread[qubit]))
            case circuit.If(then=then, otherwise=otherwise):
                parts = {"then": _block(then, rules), "otherwise": _block(otherwise, rules)}
                done.append(msgspec.structs.replace(statement, **parts))
            case circuit.While(body=inner) | circuit.For(body=inner):
                done.append(msgspec.structs.replace(statement, body=_block(inner, rules)))
            case _:
                done.append(statement)
    return tuple(done)


def _channel(applied: Applied, position: int) -> Step:
    match applied.channel:
        case "depolarising":
            return _depolarising(applied.qubits, applied.probability, position)
        case "phase_damping":
            return _phase_damping(applied.qubits[0], applied.probability, position)
        case _:
            return _amplitude_damping(applied.qubits[0], applied.probability, position)


def _depolarising(qubits: tuple[int, ...], probability: float, position: int) -> Step:
    products = 4 ** len(qubits) - 1
    change = probability * products / (products + 1)
    paulis = [(None, gates.X(qubit), gates.Y(qubit), gates.Z(qubit)) for qubit in qubits]

    def step(machine: Machine) -> int:
        product = machine.choose(change, products, position)
        for place, choices in enumerate(paulis if product else ()):
            pauli = choices[product >> 2 * place & 3]
            if pauli is not None:
                pauli.update_quantum_state(machine.state)
        return position + 1

    return step


def _phase_damping(qubit: int, probability: float, position: int) -> Step:
    change, flip = (1 - math.sqrt(1 - probability)) / 2, gates.Z(qubit)

    def step(machine: Machine) -> int:
        if machine.choose(change, 1, position):
            flip.update_quantum_state(machine.state)
        return position + 1

    return step


def _amplitude_damping(qubit: int, probability: float, position: int) -> Step:
    kept = 1 - probability
    stays = gates.DiagonalMatrix([qubit], np.array([1, math.sqrt(kept)], np.complex128))
    decays = gates.DenseMatrix([qubit], np.array([[0, 1], [0, 0]], np.complex128))

    def step(machine: Machine) -> int:
        zero, one = trajectories.weights(machine.state, qubit)
        decay = probability * one / (zero + one)
        if machine.choose(decay if decay > trajectories.CERTAIN else 0.0, 1, position):
            decays.update_quantum_state(machine.state)
            machine.state.normalize(one)
        else:
            stays.update_quantum_state(machine.state)
            machine.state.normalize(zero + kept * one)
        return position + 1

    return step


def _misread(statement: Misreading, position: int, kind: circuit.ClassicalType) -> Step:
    slot, bit, errors = statement

    def step(machine: Machine) -> int:
        value = int(machine.slots[slot])
        if machine.choose(errors[value >> bit & 1], 1, position):
            machine.slots[slot] = circuit_values.convert(kind, value ^ 1 << bit)
        return position + 1

    return step
