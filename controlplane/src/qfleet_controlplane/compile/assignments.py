"""Declarations, assignments and measurements of classical variables, registers and arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from openqasm import ast

from qfleet_controlplane.compile import arithmetic, bits, expressions, operands, selection, typed
from qfleet_controlplane.compile.context import Context
from qfleet_controlplane.compile.errors import refuse
from qfleet_controlplane.compile.scopes import Array, Bits, Known, Qubits, Variable
from qfleet_controlplane.compile.typed import BIT, Typed
from qfleet_wire import circuit
from qfleet_wire.circuit import BinaryOperator, ClassicalType, Constant

ELEMENTS = 4096
"""Most elements of an array."""

Initialiser: TypeAlias = ast.Expression | ast.ArrayLiteral | ast.MeasureExpression | ast.QuantumCall


@dataclass(frozen=True, slots=True)
class _BitAt:
    """A bit of a variable at an index that is known only when the program runs."""

    variable: Variable
    index: Typed


Target: TypeAlias = Variable | Array | Bits | _BitAt


def declare(context: Context, node: ast.ClassicalDeclaration) -> None:
    """Declare a variable, register or array.

    Raises:
        ProgramRefused: its type is not supported, or its first value does not fit.
    """
    name = node.name.name
    if isinstance(node.type, ast.ArrayType):
        context.scope.names[name] = _array(context, node, node.type)
        return
    to = expressions.scalar(context, node.type)
    if isinstance(node.init, ast.MeasureExpression):
        variable = context.declare(node, name, to, None)
        _measured(context, node, node.init, _whole(variable))
    else:
        value = None if node.init is None else value_of(context, node.init, to)
        variable = context.declare(node, name, to, value)
    if not context.declares_outputs and context.scope.parent is None and to.kind == "bit":
        context.returned.append(variable.slot)


def constant(context: Context, node: ast.ConstDeclaration) -> None:
    """Declare a constant.

    Raises:
        ProgramRefused: its type is not supported or its value is not constant.
    """
    if isinstance(node.type, ast.DurationType):
        return
    value = value_of(context, node.init, expressions.scalar(context, node.type))
    if value.constant is None:
        raise refuse(node.init, "a constant needs a constant value", "declare it without const")
    context.scope.names[node.name.name] = Known(value)


def value_of(context: Context, node: ast.Node, to: ClassicalType) -> Typed:
    """An expression's value converted as by an assignment.

    Raises:
        ProgramRefused: the value does not fit.
    """
    return typed.assigned(node, expressions.value(context, node), to)


def _array(context: Context, node: ast.ClassicalDeclaration, type_: ast.ArrayType) -> Array:
    to = expressions.scalar(context, type_.base)
    dimensions = tuple(expressions.integer(context, each, "dimension") for each in type_.dimensions)
    total = 1
    for size in dimensions:
        total *= size
        if not 1 <= total <= ELEMENTS:
            hint = f"an array has from 1 to {ELEMENTS} elements"
            raise refuse(node, f"array of {' × '.join(map(str, dimensions))} elements", hint)
    context.spend(node, total)
    given = [None] * total if node.init is None else list(_flat(context, node.init, dimensions))
    slots = []
    for place, first in enumerate(given):
        value = None if first is None else value_of(context, first, to)
        with context.scoped():
            variable = context.declare(node, f"{node.name.name}[{place}]", to, value)
            context.scope.names.clear()
        slots.append(variable.slot)
    return Array(to, dimensions, tuple(slots))


def _flat(context: Context, node: ast.Node, dimensions: Sequence[int]) -> Sequence[ast.Node]:
    """The elements of an array literal in order."""
    if not isinstance(node, ast.ArrayLiteral):
        hint = "write its values in braces"
        raise refuse(node, "an array can only be initialised with a literal", hint)
    if len(node.values) != dimensions[0]:
        raise refuse(node, f"{len(node.values)} values for {dimensions[0]} elements", "give each a value")
    if len(dimensions) == 1:
        return node.values
    return [each for row in node.values for each in _flat(context, row, dimensions[1:])]


def assign(context: Context, node: ast.Assignment) -> None:
    """An assignment, compound ones included.

    Raises:
        ProgramRefused: the target cannot be assigned, or the value does not fit it.
    """
    target = _target(context, node.target)
    if isinstance(node.value, ast.MeasureExpression):
        raise refuse(node, f"'{node.op.value}' with a measurement", "measure into a bit first")
    binary = node.op.binary
    if isinstance(target, Array):
        _copy(context, node, target)
        return
    value = expressions.value(context, node.value)
    if binary is not None:
        operator: BinaryOperator = binary.value
        value = arithmetic.binary(node, operator, _current(context, node, target), value)
    if isinstance(target, Variable):
        context.assign(node, target.slot, typed.assigned(node.value, value, target.type))
    elif isinstance(target, _BitAt):
        _set_bit(context, node, target, typed.assigned(node.value, value, BIT))
    else:
        to = ClassicalType("bit", len(target.places))
        _scatter(context, node, target, typed.assigned(node.value, value, to))


def _target(context: Context, node: ast.Assignable) -> Target:
    name = node.name if isinstance(node, ast.IndexedIdentifier) else node
    entry = context.find(name)
    if not isinstance(entry, Variable | Array | Bits):
        raise refuse(node, f"'{name.name}' cannot be assigned", "assign to a variable or a register")
    indices = list(node.indices) if isinstance(node, ast.IndexedIdentifier) else []
    while isinstance(entry, Array) and indices:
        entry = expressions.element(context, node, entry, indices.pop(0))
    if isinstance(entry, Array) or not indices:
        return entry
    if len(indices) > 1:
        raise refuse(node, "too many indices", "index a register once")
    return _bits(context, node, entry, indices[0])


def _bits(context: Context, node: ast.Node, entry: Variable | Bits, index: ast.Index) -> Target:
    if isinstance(entry, Variable):
        if entry.type.kind not in ("bit", "int", "uint"):
            message = f"bits of a variable of type {typed.describe(entry.type)} cannot be assigned"
            raise refuse(node, message, "assign the whole variable")
        if isinstance(index, list) and len(index) == 1 and not isinstance(index[0], ast.Range):
            position = expressions.value(context, index[0])
            if position.integral and position.constant is None:
                return _BitAt(entry, bits.wrapped(index[0], position, entry.type.width))

    def evaluate(each: ast.Expression) -> Typed:
        return expressions.value(context, each)

    if isinstance(entry, Bits):
        return Bits(selection.select(node, entry.places, index, evaluate)[0])
    places, _ = selection.positions(node, index, entry.type.width, evaluate)
    return Bits(tuple((entry.slot, place) for place in places))


def _whole(variable: Variable) -> Bits:
    return Bits(tuple((variable.slot, bit) for bit in range(variable.type.width)))


def _current(context: Context, node: ast.Node, target: Variable | Bits | _BitAt) -> Typed:
    if isinstance(target, Variable):
        return context.read(target)
    if isinstance(target, _BitAt):
        return Typed(circuit.BitOf(target.variable.slot, context.checked(node, target.index)), BIT)
    return bits.gathered(context, target)


def _set_bit(context: Context, node: ast.Node, target: _BitAt, value: Typed) -> None:
    """Set one bit; of a signed integer by arithmetic, so that its sign is kept right."""
    slot, type_ = target.variable.slot, target.variable.type
    index = context.checked(node, target.index)
    bit = context.checked(node, value)
    if type_.kind != "int":
        whole = _with_bit(context, target, value)
        if whole is None or not context.preset(slot, whole):
            context.emit(node, circuit.Assign(slot, bit, index))
            context.learn(slot, whole)
        return
    held = context.read(target.variable).expression
    mask = circuit.Unary("~", circuit.Binary("<<", Constant(1), index, type_.width), type_.width)
    kept = circuit.Binary("&", held, typed.folded(mask))
    moved = circuit.Binary("<<", bit, index, type_.width)
    joined = typed.folded(circuit.Binary("|", typed.folded(kept), typed.folded(moved)))
    value = Typed(typed.folded(circuit.Convert(type_, joined)), type_)
    context.assign(node, slot, value)


def _with_bit(context: Context, target: _BitAt, value: Typed) -> Typed | None:
    """The variable's value after a bit of it is set, where all of it is known."""
    whole = context.read(target.variable).constant
    index, bit = target.index.constant, value.constant
    if whole is None or index is None or bit is None:
        return None
    cleared = int(whole) & ~(1 << int(index))
    return typed.literal(cleared | int(bit) << int(index), target.variable.type)


def _scatter(context: Context, node: ast.Node, target: Bits, value: Typed) -> None:
    """Assign a register's value to bits; through a slot of its own, for it may read them."""
    places = target.places
    slot = places[0][0]
    if value.constant is None and len(places) > 1:
        held = context.slot("=", value.type)
        context.assign(node, held, value)
        value = Typed(circuit.Variable(held), value.type)
    for place, (slot, bit) in enumerate(places):
        source = _single(value, place, len(places))
        variable = Variable(slot, context.slots[slot].type)
        _set_bit(context, node, _BitAt(variable, typed.literal(bit, typed.INT)), source)


def _single(value: Typed, place: int, width: int) -> Typed:
    if value.constant is not None:
        return typed.literal(int(value.constant) >> place & 1, BIT)
    if width == 1:
        return value
    assert isinstance(value.expression, circuit.Variable)
    return Typed(circuit.BitOf(value.expression.slot, Constant(place)), BIT)


def _copy(context: Context, node: ast.Assignment, target: Array) -> None:
    source = node.value
    entry = context.find(source) if isinstance(source, ast.Identifier) else None
    if node.op.binary is not None or not isinstance(entry, Array):
        raise refuse(node, "an array can only be assigned another array", "assign its elements")
    if entry.dimensions != target.dimensions or entry.type != target.type:
        raise refuse(node, "arrays of different shapes", "both need the same type and dimensions")
    for slot, other in zip(target.slots, entry.slots, strict=True):
        context.assign(node, slot, context.read(Variable(other, entry.type)))


def measure(context: Context, node: ast.MeasureStatement) -> None:
    """A measurement, with or without a place for its outcome.

    Raises:
        ProgramRefused: the numbers of qubits and bits differ.
    """
    if isinstance(node.measure, ast.QuantumCall):
        raise refuse(node, "measurements by calibrations are not supported", "use measure")
    if node.target is None:
        for qubit in operands.qubits(context, node.measure.operand).numbers:
            context.emit(node, circuit.Measure(qubit))
        return
    target = _target(context, node.target)
    if isinstance(target, Array):
        raise refuse(node, "cannot measure into an array", "measure into a bit register")
    if isinstance(target, _BitAt):
        held = Variable(context.slot("measure", BIT), BIT)
        _measured(context, node, node.measure, _whole(held))
        _set_bit(context, node, target, context.read(held))
        return
    if isinstance(target, Variable) and target.type.kind not in ("bit", "bool"):
        message = f"cannot measure into a variable of type {typed.describe(target.type)}"
        raise refuse(node, message, "measure into a bit register and cast it")
    _measured(context, node, node.measure, _whole(target) if isinstance(target, Variable) else target)


def _measured(context: Context, node: ast.Node, measure: ast.MeasureExpression, target: Bits) -> None:
    qubits: Qubits = operands.qubits(context, measure.operand)
    if len(qubits.numbers) != len(target.places):
        message = f"{len(qubits.numbers)} qubits measured into {len(target.places)} bits"
        raise refuse(node, message, "give one bit for each qubit")
    for qubit, (slot, bit) in zip(qubits.numbers, target.places, strict=True):
        if context.slots[slot].type.kind not in ("bit", "bool", "uint"):
            raise refuse(node, "cannot measure into bits of this variable", "measure into a bit first")
        context.emit(node, circuit.Measure(qubit, slot, bit))
        context.forget([slot])


def measured_value(context: Context, node: ast.MeasureExpression, name: str) -> Typed:
    """The outcome of a measurement as a value.

    Raises:
        ProgramRefused: the operand is no qubit.
    """
    width = len(operands.qubits(context, node.operand).numbers)
    to = ClassicalType("bit", width)
    held = Variable(context.slot(name, to), to)
    _measured(context, node, node, _whole(held))
    return context.read(held)
