"""A Clifford program as steps on a stabilizer tableau: what can be computed so, and what cannot.

Compiler and engine must agree on it, so it stands here once. Measurements and resets may stand
anywhere at the top level; of what outcomes steer, Paulis on one outcome bit map to a tableau, and
nothing else does.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from qfleet_wire import circuit, circuit_clifford, circuit_values
from qfleet_wire.circuit_clifford import Step

StepsOf: TypeAlias = Callable[[circuit.Gate], tuple[Step, ...] | None]
"""The steps of a gate, None if it is not Clifford."""

_PAULIS = frozenset({"X", "Y", "Z"})


class Operation(NamedTuple):
    """A step, ``M`` (measure; it makes the next record) or ``R`` (reset).

    ``record`` is the number of the record that decides whether a Pauli acts, None where it acts always.
    """

    name: str
    qubits: tuple[int, ...]
    record: int | None = None


class Records(NamedTuple):
    """Operations in order, the number of records, and which one each bit (slot, bit) holds in the end."""

    operations: tuple[Operation, ...]
    total: int
    bits: dict[tuple[int, int], int]


class Hindrance(NamedTuple):
    """The first statement that no tableau computes, and why in words."""

    statement: circuit.Statement
    why: str


def read(program: circuit.Program, steps_of: StepsOf) -> Records | Hindrance:
    """Turn a program into operations, or name what is in the way."""
    operations: list[Operation] = []
    bits: dict[tuple[int, int], int] = {}
    count = 0
    for statement in program.body:
        match statement:
            case circuit.Gate():
                steps = steps_of(statement)
                if steps is None:
                    return Hindrance(statement, f"{describe(statement)} is not Clifford")
                operations += [Operation(name, qubits) for name, qubits in steps]
            case circuit.Measure(qubit=qubit, slot=slot, bit=bit):
                operations.append(Operation("M", (qubit,)))
                if slot is not None:
                    bits[slot, bit] = count
                count += 1
            case circuit.Reset(qubit=qubit):
                operations.append(Operation("R", (qubit,)))
            case circuit.If():
                steered = _steered(program, statement, steps_of, bits)
                if isinstance(steered, str):
                    return Hindrance(statement, steered)
                operations += steered
            case _:
                return Hindrance(statement, "what outcomes compute or repeat is beyond a tableau")
    return Records(tuple(operations), count, bits)


def steps_at(point: Sequence[float]) -> StepsOf:
    """Steps of gates at a parameter point."""

    def steps(gate: circuit.Gate) -> tuple[Step, ...] | None:
        return circuit_clifford.steps(gate, _angles(gate, point))

    return steps


def steps_everywhere(points: Sequence[Sequence[float]]) -> StepsOf:
    """Steps of gates at the last of several points; None where a gate is not Clifford at all of them."""

    def steps(gate: circuit.Gate) -> tuple[Step, ...] | None:
        found: tuple[Step, ...] | None = None
        for point in points if _varies(gate) else points[-1:]:
            found = circuit_clifford.steps(gate, _angles(gate, point))
            if found is None:
                return None
        return found

    return steps


def describe(gate: circuit.Gate) -> str:
    """Spell a gate for people: ``ctrl @ rx(0.3)``."""
    controls = "".join("ctrl @ " if control.value else "negctrl @ " for control in gate.controls)
    power = f"pow({gate.power:g}) @ " if gate.power != 1 else ""
    angles = ", ".join(_angle(argument) for argument in gate.arguments)
    return f"{controls}{power}{gate.name}" + (f"({angles})" if angles else "")


def _angle(argument: circuit.Expression) -> str:
    return f"{argument.value:.10g}" if isinstance(argument, circuit.Constant) else "…"


def _angles(gate: circuit.Gate, point: Sequence[float]) -> tuple[float, ...]:
    return tuple(
        float(each.value) if isinstance(each, circuit.Constant) else _value(each, point)
        for each in gate.arguments
    )


def _value(expression: circuit.Expression, point: Sequence[float]) -> float:
    if any(isinstance(each, circuit.Variable | circuit.BitOf) for each in _parts(expression)):
        return float("nan")  # known in the course of a shot only
    return float(circuit_values.evaluate(expression, point, ()))


def _varies(gate: circuit.Gate) -> bool:
    return any(not isinstance(each, circuit.Constant) for each in gate.arguments)


def _parts(expression: circuit.Expression) -> Iterator[circuit.Expression]:
    yield expression
    match expression:
        case circuit.Unary(operand=operand) | circuit.Convert(operand=operand):
            yield from _parts(operand)
        case circuit.Binary(left=left, right=right):
            yield from _parts(left)
            yield from _parts(right)


def _steered(
    program: circuit.Program, branch: circuit.If, steps_of: StepsOf, bits: dict[tuple[int, int], int]
) -> list[Operation] | str:
    """Operations of a branch on one outcome bit, or why there are none."""
    decided = _bit(program, branch.condition)
    if decided is None or decided[:2] not in bits:
        return "a branch on more than one outcome bit is beyond a tableau"
    *place, value = decided
    record = bits[place[0], place[1]]
    operations: list[Operation] = []
    for block, wanted in ((branch.then, value), (branch.otherwise, 1 - value)):
        for statement in block:
            steps = steps_of(statement) if isinstance(statement, circuit.Gate) else None
            if steps is None or any(name not in _PAULIS for name, _ in steps):
                return "only x, y and z may depend on an outcome in a tableau"
            for name, qubits in steps:
                operations += [Operation(name, qubits)] * (not wanted)
                operations.append(Operation(name, qubits, record))
    return operations


def _bit(program: circuit.Program, condition: circuit.Expression) -> tuple[int, int, int] | None:
    """Slot, bit and value that a condition asks for, if it asks for one bit."""
    match condition:
        case circuit.Variable(slot=slot) if program.slots[slot].type.width == 1:
            return slot, 0, 1
        case circuit.BitOf(slot=slot, index=circuit.Constant(value=index)):
            return slot, int(index), 1
        case circuit.Convert(type=circuit.ClassicalType(kind="bool" | "bit" | "uint"), operand=operand):
            return _bit(program, operand)
        case circuit.Unary(operator="!", operand=operand):
            return _compared(program, operand, 0)
        case circuit.Binary(operator="==" | "!=" as operator, left=left, right=circuit.Constant(value=value)):
            return _compared(program, left, value if operator == "==" else 1 - value)
        case _:
            return None


def _compared(
    program: circuit.Program, condition: circuit.Expression, value: float
) -> tuple[int, int, int] | None:
    found = _bit(program, condition)
    if found is None or value not in (0, 1):
        return None
    slot, bit, wanted = found
    return slot, bit, wanted if value else 1 - wanted
