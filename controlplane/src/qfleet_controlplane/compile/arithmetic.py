"""Operators on typed values, by the specification's rules.

Integers follow C: the wider type wins, ``uint`` wins over ``int`` of its width, results wrap at
that width, division cuts towards zero. Bits and booleans count as ``int`` in arithmetic. A weak
constant takes the type of the other operand. Comparisons compare values, whatever the types.
Sized angles compute on their bit patterns (OpenQASM 3.1, "Angles"), angles without a size in
radians.
"""

from qfleet_controlplane.compile import typed
from qfleet_controlplane.compile.errors import Placed, refuse
from qfleet_controlplane.compile.typed import ANGLE, BOOL, FLOAT, INT, UINT, WORD, Typed
from qfleet_wire import circuit
from qfleet_wire.circuit import BinaryOperator, ClassicalType, UnaryOperator

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_BITWISE = frozenset({"&", "|", "^"})
_SHIFTS = frozenset({"<<", ">>"})


def binary(  # noqa: PLR0911 - one return for each family of operators
    node: Placed, operator: BinaryOperator, left: Typed, right: Typed
) -> Typed:
    """The value of a binary operator.

    Raises:
        ProgramRefused: the operator is not defined for these operands.
    """
    if operator in ("&&", "||"):
        return _apply(operator, left, right, BOOL)
    if operator in _COMPARISONS:
        return _compare(operator, left, right)
    if operator in _SHIFTS:
        return _shift(node, operator, left, right)
    if operator in _BITWISE:
        return _bitwise(node, operator, left, right)
    if operator in ("/", "%") and right.constant == 0:
        raise refuse(node, "division by zero", "the divisor is 0 here whatever the outcome of the shots")
    if "angle" in (left.type.kind, right.type.kind):
        return _angles(node, operator, left, right)
    if "float" in (left.type.kind, right.type.kind):
        return _apply(operator, real(left), real(right), FLOAT)
    return _integers(node, operator, left, right)


def real(value: Typed) -> Typed:
    """The value as a float."""
    return typed.convert(value, FLOAT)


def truth(value: Typed) -> Typed:
    """The value as a condition: whether it is not 0."""
    return typed.convert(value, BOOL)


def _apply(operator: BinaryOperator, left: Typed, right: Typed, to: ClassicalType, width: int = 0) -> Typed:
    return Typed(typed.folded(circuit.Binary(operator, left.expression, right.expression, width)), to)


def _compare(operator: BinaryOperator, left: Typed, right: Typed) -> Typed:
    kinds = (left.type, right.type)
    if any(kind.kind == "angle" for kind in kinds):
        common = ClassicalType("angle", max(kind.width for kind in kinds if kind.kind == "angle"))
        left, right = _reduced(left, common), _reduced(right, common)
    return _apply(operator, left, right, BOOL)


def _reduced(value: Typed, to: ClassicalType) -> Typed:
    """A value as an angle in [0, 2π), rounded where the type has a size."""
    if value.type == to and isinstance(value.expression, circuit.Variable | circuit.Convert):
        return value
    return Typed(typed.folded(circuit.Convert(to, value.expression)), to)


def _integers(node: Placed, operator: BinaryOperator, left: Typed, right: Typed) -> Typed:
    if operator == "**" and right.constant is not None and right.constant < 0:
        return _apply(operator, real(left), real(right), FLOAT)
    if left.weak and right.weak:
        exact = _apply(operator, left, right, INT).constant
        assert isinstance(exact, int)
        return typed.weak(node, exact)
    for side in (left, right):
        if side.type.kind == "bit" and side.type.width > WORD:
            raise refuse(node, f"no arithmetic on {typed.describe(side.type)}", "take a slice of 64 bits")
    common = left.type if operator == "**" and not left.weak else _common(left, right)
    common = common if common.kind in ("int", "uint") else INT
    if operator in ("/", "%"):
        left, right = typed.convert(left, common), typed.convert(right, common)
    result = _apply(operator, left, right, INT, common.width if operator == "**" else 0)
    return Typed(typed.folded(circuit.Convert(common, result.expression)), common)


def _common(left: Typed, right: Typed) -> ClassicalType:
    """The type that two integers are promoted to."""
    declared = [side for side in (left, right) if not side.weak]
    sides = [side.type for side in declared if side.type.kind in ("int", "uint")]
    if len(sides) < 2:
        other = right if left.weak else left
        if not sides or len(declared) == 2:
            return max(*sides, INT, key=_width) if sides else INT
        return sides[0] if _holds(sides[0], other) else INT
    unsigned = [side for side in sides if side.kind == "uint"]
    widest = max(side.width for side in sides)
    wins = len(unsigned) == 2 or (unsigned and unsigned[0].width == widest)
    return ClassicalType("uint" if wins else "int", widest)


def _holds(type_: ClassicalType, constant: Typed) -> bool:
    """Whether a weak constant is a value of a type."""
    return typed.convert(constant, type_).constant == constant.constant


def _width(type_: ClassicalType) -> int:
    return type_.width


def _bitwise(node: Placed, operator: BinaryOperator, left: Typed, right: Typed) -> Typed:
    if left.type.kind == "angle" and left.type == right.type and left.type.width:
        bits = _bitwise(node, operator, typed.bits_of_angle(left), typed.bits_of_angle(right))
        return typed.angle_of_bits(bits, left.type)
    if not (left.integral and right.integral):
        raise _undefined(node, operator, left, right)
    if left.weak and right.weak:
        exact = _apply(operator, left, right, INT).constant
        assert isinstance(exact, int)
        return typed.weak(node, exact)
    common = _register(node, operator, left, right)
    left, right = typed.convert(left, common), typed.convert(right, common)
    return _apply(operator, left, right, common)


def _register(node: Placed, operator: BinaryOperator, left: Typed, right: Typed) -> ClassicalType:
    """The common type of bitwise operands."""
    if left.weak or right.weak:
        fixed, constant = (right, left) if left.weak else (left, right)
        if _holds(fixed.type, constant):
            return fixed.type
        if fixed.type.kind == "bit":
            message = f"{constant.constant} does not fit {typed.describe(fixed.type)}"
            raise refuse(node, message, "use a constant of as many bits")
        return INT
    if left.type == right.type:
        return left.type
    bits = [side.type for side in (left, right) if side.type.kind == "bit"]
    if len(bits) == 2 or (bits and bits[0].width > WORD):
        hint = "both must have the same number of bits; take a slice of the longer one"
        raise refuse(
            node, f"'{operator}' of {typed.describe(left.type)} and {typed.describe(right.type)}", hint
        )
    return _common(left, right)


def _shift(node: Placed, operator: BinaryOperator, left: Typed, right: Typed) -> Typed:
    if not right.integral:
        raise _undefined(node, operator, left, right)
    if left.type.kind == "angle" and left.type.width:
        return typed.angle_of_bits(_shift(node, operator, typed.bits_of_angle(left), right), left.type)
    if not left.integral:
        raise _undefined(node, operator, left, right)
    if left.weak and right.weak:
        shifted = _apply(operator, left, right, INT).constant
        assert isinstance(shifted, int)
        return typed.weak(node, shifted)
    to = INT if left.weak or left.type.kind == "bool" else left.type
    value = _apply(operator, left, right, to, to.width)
    return typed.convert(Typed(value.expression, UINT), to) if to.kind == "int" else value


def _angles(node: Placed, operator: BinaryOperator, left: Typed, right: Typed) -> Typed:
    if "float" in (left.type.kind, right.type.kind):
        return _apply(operator, real(left), real(right), FLOAT)
    both = left.type.kind == right.type.kind
    if both and left.type.width != right.type.width:
        hint = "cast one of them to the size of the other"
        raise refuse(node, f"angles of different sizes in '{operator}'", hint)
    to = left.type if left.type.kind == "angle" else right.type
    if operator in ("+", "-") and (both or not to.width):
        return _stored(_apply(operator, real(left), real(right), to))
    if operator == "*" and not both:
        return _stored(_apply(operator, real(left), real(right), to))
    if operator == "/" and left.type.kind == "angle":
        return _angle_quotient(node, left, right)
    raise _undefined(node, operator, left, right)


def _angle_quotient(node: Placed, left: Typed, right: Typed) -> Typed:
    if not left.type.width:
        if right.type.kind != "angle":
            return _apply("/", real(left), real(right), ANGLE)
        ratio = _apply("/", _reduced(left, ANGLE), _reduced(right, ANGLE), FLOAT)
        return typed.convert(ratio, UINT)
    bits = typed.bits_of_angle(left)
    if right.type.kind == "angle":
        return _integers(node, "/", bits, typed.bits_of_angle(right))
    divisor = typed.convert(right, ClassicalType("uint", left.type.width))
    return typed.angle_of_bits(_integers(node, "/", bits, divisor), left.type)


def _stored(value: Typed) -> Typed:
    """A sized angle is rounded after each operation; one without a size stays as computed."""
    return typed.convert(Typed(value.expression, FLOAT), value.type) if value.type.width else value


def unary(node: Placed, operator: UnaryOperator, value: Typed) -> Typed:
    """The value of ``-``, ``!`` or ``~``.

    Raises:
        ProgramRefused: the operator is not defined for this operand.
    """
    if operator == "!":
        return Typed(typed.folded(circuit.Unary("!", truth(value).expression)), BOOL)
    if operator == "~":
        return _complement(node, value)
    if value.weak and value.constant is not None:
        return typed.weak(node, -int(value.constant))
    if not value.integral:
        negated = Typed(typed.folded(circuit.Unary("-", value.expression)), value.type)
        return _stored(negated) if value.type.kind == "angle" else negated
    to = value.type if value.type.kind in ("int", "uint") else INT
    return Typed(typed.folded(circuit.Convert(to, typed.folded(circuit.Unary("-", value.expression)))), to)


def _complement(node: Placed, value: Typed) -> Typed:
    if value.type.kind == "angle" and value.type.width:
        return typed.angle_of_bits(_complement(node, typed.bits_of_angle(value)), value.type)
    if value.type.kind in ("bool", "float", "angle"):
        raise refuse(node, f"'~' is not defined for {typed.describe(value.type)}", "use '!' for conditions")
    if value.weak and value.constant is not None:
        return typed.weak(node, ~int(value.constant))
    flipped = typed.folded(circuit.Unary("~", value.expression, value.type.width))
    if value.type.kind == "int":
        return typed.convert(Typed(flipped, ClassicalType("uint", value.type.width)), value.type)
    return Typed(flipped, value.type)


def _undefined(node: Placed, operator: str, left: Typed, right: Typed) -> Exception:
    message = f"'{operator}' is not defined for {typed.describe(left.type)} and {typed.describe(right.type)}"
    return refuse(node, message, "cast the operands to a type that has this operator")
