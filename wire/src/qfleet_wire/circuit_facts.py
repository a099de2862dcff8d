"""What kind of program this is: static, or controlled by its own outcomes.

Compiler, planner and engines must agree on the answer, for a static program is evolved once and
then sampled, and its expectation values are exact. So the analysis stands here once. It reads
the compiled form only: it never changes it, and evaluates nothing.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from qfleet_wire import circuit

Measured: TypeAlias = tuple[int, int, int]
"""A qubit, and the slot and bit that its outcome goes to."""


class Split(NamedTuple):
    """A static program taken apart: a unitary, then measurements.

    ``gates`` act on |0…0> in this order; their arguments hold constants and parameters only.
    ``measured`` is in program order; a qubit may stand there twice (both bits get the same
    outcome), a bit at most once. Bits of output slots that are absent keep their slot's initial
    value. Measurements without a slot are dropped: they change no outcome of another qubit.
    """

    gates: tuple[circuit.Gate, ...]
    measured: tuple[Measured, ...]


def split_static(program: circuit.Program) -> Split | None:
    """Split a static program into gates and final measurements; None if it is not static."""
    found = _taken_apart(program)
    return found if isinstance(found, Split) else None


def first_dynamic(program: circuit.Program) -> circuit.Statement | None:
    """The first statement that keeps a program from being static; None if it is."""
    found = _taken_apart(program)
    return None if isinstance(found, Split) else found


def _taken_apart(program: circuit.Program) -> Split | circuit.Statement:
    """Split a static program, or name the statement that makes it dynamic.

    Static means: gates, measurements and resets only, each at the top level; no gate on a qubit
    after it was measured; a reset only of a qubit that nothing has touched; each bit written at
    most once; no gate argument that depends on a variable.
    """
    gates: list[circuit.Gate] = []
    measured: list[Measured] = []
    touched: set[int] = set()
    closed: set[int] = set()
    written: set[tuple[int, int]] = set()
    for statement in program.body:
        if isinstance(statement, circuit.Gate):
            qubits = qubits_of(statement)
            if not closed.isdisjoint(qubits) or not all(map(is_fixed, statement.arguments)):
                return statement
            touched.update(qubits)
            gates.append(statement)
        elif isinstance(statement, circuit.Measure):
            closed.add(statement.qubit)
            if statement.slot is None:
                continue
            if (statement.slot, statement.bit) in written:
                return statement
            written.add((statement.slot, statement.bit))
            measured.append((statement.qubit, statement.slot, statement.bit))
        elif not isinstance(statement, circuit.Reset) or statement.qubit in touched | closed:
            return statement
    return Split(tuple(gates), tuple(measured))


def is_static(program: circuit.Program) -> bool:
    """Whether the program is a unitary followed by final measurements (see ``split_static``)."""
    return split_static(program) is not None


def qubits_of(gate: circuit.Gate) -> tuple[int, ...]:
    """All qubits that a gate acts on, controls first."""
    if not gate.controls:
        return gate.qubits
    return (*(control.qubit for control in gate.controls), *gate.qubits)


def is_fixed(expression: circuit.Expression) -> bool:
    """Whether a value is the same for every shot of a work item: it reads no slot."""
    match expression:
        case circuit.Constant() | circuit.Parameter():
            return True
        case circuit.Unary(operand=operand) | circuit.Convert(operand=operand):
            return is_fixed(operand)
        case circuit.Binary(left=left, right=right):
            return is_fixed(left) and is_fixed(right)
        case _:
            return False


def blocks_of(statement: circuit.Statement) -> tuple[tuple[circuit.Statement, ...], ...]:
    """The blocks nested directly in a statement; none for a simple one."""
    match statement:
        case circuit.If(then=then, otherwise=otherwise):
            return (then, otherwise)
        case circuit.While(body=body) | circuit.For(body=body):
            return (body,)
        case _:
            return ()


def walk(body: tuple[circuit.Statement, ...]) -> Iterator[circuit.Statement]:
    """Every statement of a body, nested ones included, in order of the text."""
    for statement in body:
        yield statement
        for block in blocks_of(statement):
            yield from walk(block)


_SMOOTH = frozenset({"-", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log", "sqrt"})


def is_smooth(expression: circuit.Expression) -> bool:
    """Whether a gate's argument has a derivative by every parameter, but for single points.

    An angle without a width is reduced to one turn, which changes no derivative; all else that is
    converted has steps where it reads a parameter.
    """
    match expression:
        case circuit.Constant() | circuit.Parameter():
            return True
        case circuit.Unary(operator=operator, operand=operand):
            return is_smooth(operand) if operator in _SMOOTH else not reads_parameter(operand)
        case circuit.Binary(operator=operator, left=left, right=right):
            if operator in ("+", "-", "*", "/", "**"):
                return is_smooth(left) and is_smooth(right)
            return not reads_parameter(left) and not reads_parameter(right)
        case circuit.Convert(type=to, operand=operand):
            plain = to.kind == "float" or (to.kind == "angle" and not to.width)
            return is_smooth(operand) if plain else not reads_parameter(operand)
        case _:
            return False


def reads_parameter(expression: circuit.Expression) -> bool:
    """Whether the value of a gate's argument depends on a parameter."""
    match expression:
        case circuit.Unary(operand=operand) | circuit.Convert(operand=operand):
            return reads_parameter(operand)
        case circuit.Binary(left=left, right=right):
            return reads_parameter(left) or reads_parameter(right)
        case _:
            return isinstance(expression, circuit.Parameter)
