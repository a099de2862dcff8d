"""Values with their types: what an expression of the language compiles to.

A value is folded as soon as it is known. Integers without a declared type (literals and what is
computed from literals) are *weak*: exact, and taking the type of what they meet. This module
knows types and conversions; operators are ``arithmetic``'s.
"""

from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

from openqasm import ast

from qfleet_controlplane.compile.errors import Placed, refuse
from qfleet_wire import circuit, circuit_values
from qfleet_wire.circuit import ClassicalType, Constant, Expression
from qfleet_wire.circuit_values import Value

WORD = 64
"""Width of ``int`` and ``uint`` without a size, and of the widest one that is accepted."""

BIT = ClassicalType("bit", 1)
BOOL = ClassicalType("bool", 1)
INT = ClassicalType("int", WORD)
UINT = ClassicalType("uint", WORD)
FLOAT = ClassicalType("float", 64)
ANGLE = ClassicalType("angle", 0)
"""An angle without a size: a double in radians. Stored in a variable it is reduced modulo 2π;
as an input and inside an expression it is not, so that ``crx(-θ)`` means what it says."""

INTEGRAL = frozenset({"bit", "bool", "int", "uint"})


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression and its type. ``weak`` marks an integer constant without a declared type."""

    expression: Expression
    type: ClassicalType
    weak: bool = False

    @property
    def constant(self) -> Value | None:
        """The value if it is known, else None."""
        return self.expression.value if isinstance(self.expression, Constant) else None

    @property
    def integral(self) -> bool:
        """Whether the value is an integer: a bit, bool, int or uint."""
        return self.type.kind in INTEGRAL


def literal(value: Value, to: ClassicalType) -> Typed:
    """A constant of a type; the value must be one of it."""
    return Typed(Constant(value), to)


def weak(node: Placed, value: int) -> Typed:
    """An integer constant without a declared type.

    Raises:
        ProgramRefused: it needs more than 64 bits.
    """
    if not -(1 << (WORD - 1)) <= value < 1 << WORD:
        raise refuse(node, "integer constant of more than 64 bits", "use a float, or split the value")
    return Typed(Constant(value), INT, weak=True)


def describe(type_: ClassicalType) -> str:
    """A type as the language writes it."""
    sized = type_.kind in ("int", "uint", "bit") or (type_.kind == "angle" and type_.width)
    if not sized or type_ == BIT or (type_.width == WORD and type_.kind != "bit"):
        return type_.kind
    return f"{type_.kind}[{type_.width}]"


Scalar: TypeAlias = ast.BitType | ast.BoolType | ast.IntType | ast.UintType | ast.FloatType | ast.AngleType


def is_scalar(node: object) -> TypeGuard[Scalar]:
    """Whether a type node is one of the classical types that programs may compute with."""
    return isinstance(node, Scalar)


def folded(expression: Expression) -> Expression:
    """The expression's value as a constant where its operands are constants."""
    match expression:
        case circuit.Unary(operand=Constant()) | circuit.Convert(operand=Constant()):
            return Constant(circuit_values.evaluate(expression, (), ()))
        case circuit.Binary(left=Constant(), right=Constant()):
            return Constant(circuit_values.evaluate(expression, (), ()))
        case _:
            return expression


def convert(value: Typed, to: ClassicalType) -> Typed:
    """The value as another type, whatever the two types; see ``assigned`` for the rules."""
    if value.type == to and not value.weak:
        return value
    if isinstance(value.expression, circuit.Convert) and value.expression.type == to:
        return Typed(value.expression, to)
    if value.constant is None and _fits(value.type, to):
        return Typed(value.expression, to)
    return Typed(folded(circuit.Convert(to, value.expression)), to)


def _fits(source: ClassicalType, to: ClassicalType) -> bool:
    """Whether every value of ``source`` is one of ``to`` as it stands."""
    if source.kind == "angle" and to.kind == "float":
        return True
    if source.kind not in INTEGRAL or to.kind not in INTEGRAL:
        return False
    if to.kind == "bool":
        return source.width == 1 and source.kind != "int"
    spare = (to.kind == "int") - (source.kind == "int")
    return spare >= 0 and source.width + spare <= to.width


def assigned(node: Placed, value: Typed, to: ClassicalType) -> Typed:
    """The value converted as by an assignment or a cast, by the table of allowed casts.

    Raises:
        ProgramRefused: the specification allows no such conversion.
    """
    source = value.type
    if to.kind == "bit":
        return _as_bits(node, value, to)
    if source.kind == "bit" and to.kind in ("int", "uint") and source.width > to.width:
        hint = f"write {to.kind}[{source.width}](…), or take a slice of the register"
        raise refuse(node, f"{describe(source)} does not fit {describe(to)}", hint)
    if source.kind == "bit" and to.kind == "angle" and source.width == to.width:
        return angle_of_bits(value, to)
    if source.kind == "bit" and source.width > WORD and to.kind != "bool":
        raise refuse(node, f"{describe(source)} is no number", "take a slice of at most 64 bits")
    return convert(value, to)


def _as_bits(node: Placed, value: Typed, to: ClassicalType) -> Typed:
    source = value.type
    if value.constant is not None and value.weak:
        if not 0 <= value.constant < 1 << to.width:
            raise refuse(node, f"{value.constant} does not fit {describe(to)}", "use a wider register")
        return Typed(value.expression, to)
    if source.kind in ("float", "angle") and not (source.kind == "angle" and source.width == to.width):
        raise refuse(node, f"{describe(source)} cannot become {describe(to)}", "compare it instead")
    if source.kind == "angle":
        return convert(bits_of_angle(value), to)
    if source.width != to.width:
        hint = "both must have the same number of bits; take a slice or cast to that width first"
        raise refuse(node, f"{describe(source)} cannot become {describe(to)}", hint)
    return convert(value, to)


def bits_of_angle(value: Typed) -> Typed:
    """The bit pattern of a sized angle, as an unsigned integer of its width."""
    width = value.type.width
    steps = circuit.Binary("*", value.expression, Constant((1 << width) / circuit_values.TURN))
    nearest = circuit.Binary("+", folded(steps), Constant(0.5))
    to = ClassicalType("uint", width)
    return Typed(folded(circuit.Convert(to, folded(nearest))), to)


def angle_of_bits(value: Typed, to: ClassicalType) -> Typed:
    """The sized angle with a bit pattern."""
    step = Constant(circuit_values.TURN / (1 << to.width))
    radians = folded(circuit.Binary("*", step, value.expression))
    return Typed(folded(circuit.Convert(to, radians)), to)


def extent(expression: Expression) -> tuple[int, int]:
    """How deeply an expression is nested (1 for a leaf), and its number of nodes."""
    match expression:
        case circuit.Unary(operand=inner) | circuit.Convert(operand=inner) | circuit.BitOf(index=inner):
            depth, size = extent(inner)
            return depth + 1, size + 1
        case circuit.Binary(left=left, right=right):
            first, second = extent(left), extent(right)
            return 1 + max(first[0], second[0]), 1 + first[1] + second[1]
        case _:
            return 1, 1
