"""Expressions of the language → typed values.

An expression may contain calls of subroutines; their statements go to the present block before
the statement that uses the value.
"""

import math

from openqasm import ast

from qfleet_controlplane.compile import arithmetic, bits, functions, selection, typed
from qfleet_controlplane.compile.context import Context
from qfleet_controlplane.compile.errors import refuse
from qfleet_controlplane.compile.scopes import Array, Bits, Entry, Known, Qubits, Refused, Variable
from qfleet_controlplane.compile.typed import BOOL, FLOAT, INT, Typed
from qfleet_wire import circuit
from qfleet_wire.circuit import BinaryOperator, ClassicalType

_CONSTANTS = {
    "pi": math.pi,
    "π": math.pi,
    "tau": math.tau,
    "τ": math.tau,
    "euler": math.e,
    "ℇ": math.e,
}
_REAL_IN_LEGACY = frozenset({"+", "-", "*", "/", "**"})


def value(context: Context, node: ast.Node) -> Typed:  # noqa: PLR0911 - one return for each kind of node
    """The value of an expression.

    Raises:
        ProgramRefused: it is no value that a program can compute with.
    """
    match node:
        case ast.IntegerLiteral(value=number):
            return typed.weak(node, number)
        case ast.FloatLiteral(value=real):
            return typed.literal(real, FLOAT)
        case ast.Identifier():
            return _identifier(context, node)
        case ast.BinaryExpression():
            return _binary(context, node)
        case ast.UnaryExpression(op=operator, operand=operand):
            return arithmetic.unary(node, operator.value, value(context, operand))
        case ast.IndexExpression():
            return _indexed(context, node)
        case _:
            return _other(context, node)


def _other(context: Context, node: ast.Node) -> Typed:
    match node:
        case ast.BooleanLiteral(value=flag):
            return typed.literal(flag, BOOL)
        case ast.BitstringLiteral(value=pattern, width=width):
            return bitstring(node, pattern, width)
        case ast.FunctionCall():
            return _call(context, node)
        case ast.Cast(type=target, operand=operand):
            return typed.assigned(node, value(context, operand), scalar(context, target))
        case ast.DurationLiteral() | ast.DurationOf():
            raise refuse(node, "durations are not supported here", "they may stand in delay and box only")
        case ast.ImaginaryLiteral():
            raise refuse(node, "complex numbers are not supported", "use floats")
        case ast.MeasureExpression():
            raise refuse(node, "a measurement is not allowed here", "measure into a bit first")
        case ast.QuantumCall():
            raise refuse(node, "calibrations are not supported", "use measure")
        case ast.Concatenation():
            raise refuse(node, "'++' is not supported here", "name the concatenation with let first")
        case _:
            raise refuse(node, "this is not a value", "use a number or a classical variable")


def bitstring(node: ast.Node, pattern: int, width: int) -> Typed:
    """A bit string as a register.

    Raises:
        ProgramRefused: its value needs more than 64 bits.
    """
    if pattern.bit_length() > typed.WORD:
        hint = "set the register in parts of at most 64 bits"
        raise refuse(node, f"bit string of {width} bits with ones beyond bit 63", hint)
    return typed.literal(pattern, ClassicalType("bit", width))


def integer(context: Context, node: ast.Expression, what: str) -> int:
    """The integer that an expression is at compile time.

    Raises:
        ProgramRefused: it is none, or known only when the program runs.
    """
    return selection.number(node, lambda each: value(context, each), what)


def scalar(context: Context, node: ast.Type) -> ClassicalType:
    """A classical type.

    Raises:
        ProgramRefused: values of this type are not supported, or the size is out of range.
    """
    if not typed.is_scalar(node):
        name = type(node).__name__.removesuffix("Type").lower()
        raise refuse(
            node, f"values of type {name} are not supported", "use bit, bool, int, uint, float or angle"
        )
    if isinstance(node, ast.BoolType):
        return BOOL
    size = None if node.size is None else integer(context, node.size, "size")
    if isinstance(node, ast.FloatType):
        return FLOAT
    if isinstance(node, ast.BitType):
        return _sized(node, "bit", 1 if size is None else size, 4096)
    if isinstance(node, ast.AngleType):
        return typed.ANGLE if size is None else _sized(node, "angle", size, 52)
    kind: circuit.Kind = "int" if isinstance(node, ast.IntType) else "uint"
    return _sized(node, kind, typed.WORD if size is None else size, typed.WORD)


def _sized(node: ast.Type, kind: circuit.Kind, size: int, most: int) -> ClassicalType:
    if not 1 <= size <= most:
        raise refuse(node, f"{kind}[{size}] is not supported", f"use a size from 1 to {most}")
    return ClassicalType(kind, size)


def _identifier(context: Context, node: ast.Identifier) -> Typed:
    entry = context.scope.find(node.name)
    if isinstance(entry, Variable):
        return context.read(entry)
    if isinstance(entry, Known):
        return entry.value
    if entry is None and node.name in _CONSTANTS:
        return typed.literal(_CONSTANTS[node.name], FLOAT)
    if isinstance(entry, Bits):
        return bits.gathered(context, entry)
    raise _no_value(node, entry)


def _no_value(node: ast.Identifier, entry: Entry | None) -> Exception:
    if isinstance(entry, Refused):
        return refuse(node, entry.message, entry.hint)
    hint = "index it first" if isinstance(entry, Array) else "use a number or a classical variable"
    return refuse(node, f"'{node.name}' is not a value", hint)


def _binary(context: Context, node: ast.BinaryExpression) -> Typed:
    operator: BinaryOperator = node.op.value
    left = value(context, node.lhs)
    if operator in ("&&", "||"):
        return _lazy(context, node, operator, left)
    right = value(context, node.rhs)
    if context.legacy and operator in _REAL_IN_LEGACY:
        left, right = arithmetic.real(left), arithmetic.real(right)
    return arithmetic.binary(node, operator, left, right)


def _lazy(context: Context, node: ast.BinaryExpression, operator: BinaryOperator, left: Typed) -> Typed:
    """``&&`` and ``||``: what the right side does happens only if the left does not decide."""
    left = arithmetic.truth(left)
    if left.constant is not None:
        decided = bool(left.constant) == (operator == "||")
        return left if decided else arithmetic.truth(value(context, node.rhs))
    if not has_call(context, node.rhs):
        return arithmetic.binary(node, operator, left, arithmetic.truth(value(context, node.rhs)))
    result = context.slot("&&" if operator == "&&" else "||", BOOL)
    context.assign(node, result, left)
    held = Typed(circuit.Variable(result), BOOL)
    condition = held if operator == "&&" else arithmetic.unary(node, "!", held)

    def decide() -> None:
        context.assign(node, result, arithmetic.truth(value(context, node.rhs)))

    context.branch(node, condition, decide)
    return held


def has_call(context: Context, node: ast.Node) -> bool:
    """Whether computing an expression runs statements of a subroutine."""
    if isinstance(node, ast.FunctionCall) and isinstance(
        context.scope.find(node.name.name), ast.SubroutineDefinition
    ):
        return True
    match node:
        case ast.BinaryExpression(lhs=left, rhs=right):
            return has_call(context, left) or has_call(context, right)
        case ast.UnaryExpression(operand=operand) | ast.Cast(operand=operand):
            return has_call(context, operand)
        case ast.FunctionCall(arguments=arguments):
            return any(has_call(context, argument) for argument in arguments)
        case ast.IndexExpression(collection=collection):
            return has_call(context, collection)
        case _:
            return False


def _call(context: Context, node: ast.FunctionCall) -> Typed:
    entry = context.scope.find(node.name.name)
    if isinstance(entry, ast.SubroutineDefinition):
        result = context.call(context, node, entry, node.arguments)
        if result is None:
            raise refuse(node, f"'{node.name.name}' returns no value", "call it as a statement")
        return result
    if isinstance(entry, Refused):
        raise refuse(node, entry.message, entry.hint)
    if node.name.name == "sizeof":
        return _sizeof(context, node)
    return functions.call(node, node.name.name, [value(context, each) for each in node.arguments])


def _sizeof(context: Context, node: ast.FunctionCall) -> Typed:
    name = node.arguments[0]
    entry = context.find(name) if isinstance(name, ast.Identifier) else None
    place = integer(context, node.arguments[1], "dimension") if len(node.arguments) > 1 else 0
    dimensions: tuple[int, ...] = ()
    if isinstance(entry, Array):
        dimensions = entry.dimensions
    elif isinstance(entry, Qubits) and entry.register:
        dimensions = (len(entry.numbers),)
    elif isinstance(entry, Bits):
        dimensions = (len(entry.places),)
    elif isinstance(entry, Variable) and entry.type.kind == "bit":
        dimensions = (entry.type.width,)
    if not 0 <= place < len(dimensions):
        raise refuse(node, "sizeof needs an array or a register and one of its dimensions")
    return typed.weak(node, dimensions[place])


def _indexed(context: Context, node: ast.IndexExpression) -> Typed:
    """``a[i]``, ``a[i, j]``, ``a[i][j]``: elements of arrays and bits of values."""
    chain: list[ast.Index] = [node.index]
    collection = node.collection
    while isinstance(collection, ast.IndexExpression):
        chain.append(collection.index)
        collection = collection.collection
    chain.reverse()
    entry = context.scope.find(collection.name) if isinstance(collection, ast.Identifier) else None
    while isinstance(entry, Array) and chain:
        entry = element(context, node, entry, chain.pop(0))
    if isinstance(entry, Array):
        raise refuse(node, "an array is not a value", "index all of its dimensions")
    if isinstance(entry, Qubits):
        raise refuse(node, "a qubit is not a value", "measure it into a bit")
    whole = context.read(entry) if isinstance(entry, Variable) else value(context, collection)
    for index in chain:
        whole = _bits(context, node, whole, index)
    return whole


def element(context: Context, node: ast.Node, array: Array, index: ast.Index) -> Variable | Array:
    """What an index selects in an array: one element or a part.

    Raises:
        ProgramRefused: the index is not known or out of range.
    """
    if isinstance(index, ast.DiscreteSet):
        raise refuse(node, "an array cannot be indexed by a set", "use a range or single indices")
    flat, kept = selection.elements(node, index, array.dimensions, lambda each: value(context, each))
    if not kept:
        return Variable(array.slots[flat[0]], array.type)
    return Array(array.type, kept, tuple(array.slots[place] for place in flat))


def _bits(context: Context, node: ast.Node, whole: Typed, index: ast.Index) -> Typed:
    width = whole.type.width
    if whole.weak or whole.type.kind in ("bool", "float") or not width:
        hint = "only registers and sized integers and angles have bits"
        raise refuse(node, f"{typed.describe(whole.type)} cannot be indexed", hint)
    if whole.type.kind == "angle":
        whole = typed.bits_of_angle(whole)
    if isinstance(index, list) and len(index) == 1 and not isinstance(index[0], ast.Range):
        position = value(context, index[0])
        if position.integral and position.constant is None:
            return bits.bit_at(whole, bits.wrapped(index[0], position, width))
    places, register = selection.positions(node, index, width, lambda each: value(context, each))
    if not register:
        return bits.bit_at(whole, typed.literal(places[0], INT))
    context.spend(node, len(places))
    return bits.selected(whole, places)
