"""What the operators of compiled expressions mean: the reference that both sides agree on.

The compiler folds constants with these functions and an engine must give the same values, else
a program would mean one thing where it is compiled and another where it runs. Nothing here
raises on a value: integers wrap, and floats follow IEEE 754 (a division by zero is an infinity
or NaN). It reads no text and knows no language.

Integers and bits are Python integers, ``bool`` counts as 0 or 1, floats and angles are Python
floats. Whether a division is one of integers is told by the values: both are integers.
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from qfleet_wire import circuit

Value: TypeAlias = bool | int | float

TURN = 2.0 * math.pi


def convert(to: circuit.ClassicalType, value: Value) -> Value:
    """Convert a value as in C: integers wrap at their width, floats are cut to integers.

    A ``bool`` is ``value != 0``. An ``angle`` is reduced to [0, 2π) and, where its width is not
    0, rounded to the nearest multiple of 2π/2^width, ties to even. What no integer can hold
    (an infinity, NaN) becomes 0.
    """
    match to.kind:
        case "bool":
            return value != 0
        case "float":
            return _float(value)
        case "angle":
            return _angle(_float(value), to.width)
        case "int":
            half = 1 << (to.width - 1)
            return ((_integer(value) + half) & ((1 << to.width) - 1)) - half
        case _:
            return _integer(value) & ((1 << to.width) - 1)


def unary(operator: circuit.UnaryOperator, value: Value, width: int = 0) -> Value:
    """Value of an operator of one operand; ``~`` and ``popcount`` act on ``width`` bits."""
    match operator:
        case "-":
            return -value
        case "!":
            return value == 0
        case "~":
            return ~_integer(value) & ((1 << width) - 1) if width else ~_integer(value)
        case "popcount":
            return (_integer(value) & ((1 << width) - 1) if width else _integer(value)).bit_count()
        case _:
            return _real(_REAL[operator], _float(value))


def binary(operator: circuit.BinaryOperator, left: Value, right: Value, width: int = 0) -> Value:
    """Value of an operator of two operands; ``width`` as in ``circuit.Binary``.

    Integer division cuts towards zero and the remainder has the sign of the dividend; dividing
    an integer by 0 gives 0, with the dividend as remainder. A power of integers is taken modulo
    2^width where the width is not 0.
    """
    exact = _EXACT.get(operator)
    if exact is not None:
        return exact(left, right)
    if operator in _BITWISE:
        return _BITWISE[operator](_integer(left), _integer(right), width)
    whole = not isinstance(left, float) and not isinstance(right, float)
    if operator == "**":
        return _power(left, right, width) if whole else _real(math.pow, _float(left), _float(right))
    if whole:
        return _quotient(int(left), int(right)) if operator == "/" else _remainder(int(left), int(right))
    return (_divide if operator == "/" else _modulo)(_float(left), _float(right))


def evaluate(  # noqa: PLR0911 - one return for each kind of node
    expression: circuit.Expression, parameters: Sequence[float], slots: Sequence[Value]
) -> Value:
    """Value of an expression; an index outside ``BitOf``'s slot reads 0."""
    match expression:
        case circuit.Constant(value=value):
            return value
        case circuit.Parameter(index=index):
            return parameters[index]
        case circuit.Variable(slot=slot):
            return slots[slot]
        case circuit.BitOf(slot=slot, index=index):
            position = _integer(evaluate(index, parameters, slots))
            return _integer(slots[slot]) >> position & 1 if position >= 0 else 0
        case circuit.Unary(operator=operator, operand=operand, width=width):
            return unary(operator, evaluate(operand, parameters, slots), width)
        case circuit.Convert(type=to, operand=operand):
            return convert(to, evaluate(operand, parameters, slots))
        case circuit.Binary(operator=operator, left=left, right=right, width=width):
            first = evaluate(left, parameters, slots)
            return binary(operator, first, evaluate(right, parameters, slots), width)


def _integer(value: Value) -> int:
    return int(value) if math.isfinite(value) else 0


def _float(value: Value) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _angle(value: float, width: int) -> float:
    if not math.isfinite(value):
        return 0.0
    if width:
        steps = 1 << width
        return float(round(math.fmod(value, TURN) / TURN * steps) % steps) * (TURN / steps)
    reduced = value % TURN
    return reduced if reduced < TURN else 0.0


def _real(function: Callable[..., float], *arguments: float) -> float:
    try:
        return function(*arguments)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def _power(left: Value, right: Value, width: int) -> Value:
    base, exponent = int(left), int(right)
    if exponent < 0:
        return _real(math.pow, _float(base), _float(exponent)) if base else math.inf
    return pow(base, exponent, 1 << width) if width else pow(base, exponent)


def _quotient(left: int, right: int) -> int:
    if right == 0:
        return 0
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: int, right: int) -> int:
    return left - right * _quotient(left, right)


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    return (
        math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    )


def _modulo(left: float, right: float) -> float:
    return _real(math.fmod, left, right)


def _shift_left(left: int, right: int, width: int) -> int:
    if right < 0 or (width and right >= width):
        return 0
    return left << right & ((1 << width) - 1) if width else left << right


def _shift_right(left: int, right: int, _: int) -> int:
    return left >> right if right >= 0 else 0


def _rotate_left(left: int, right: int, width: int) -> int:
    if not width:
        return left
    distance, mask = right % width, (1 << width) - 1
    bits = left & mask
    return (bits << distance | bits >> (width - distance)) & mask


_REAL: dict[str, Callable[[float], float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "exp": math.exp,
    "log": lambda value: -math.inf if value == 0 else math.log(value),
    "sqrt": math.sqrt,
    "floor": lambda value: float(math.floor(value)) if math.isfinite(value) else value,
    "ceiling": lambda value: float(math.ceil(value)) if math.isfinite(value) else value,
}

_EXACT: dict[str, Callable[[Value, Value], Value]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "&&": lambda left, right: bool(left) and bool(right),
    "||": lambda left, right: bool(left) or bool(right),
}

_BITWISE: dict[str, Callable[[int, int, int], int]] = {
    "&": lambda left, right, _: left & right,
    "|": lambda left, right, _: left | right,
    "^": lambda left, right, _: left ^ right,
    "<<": _shift_left,
    ">>": _shift_right,
    "rotl": _rotate_left,
    "rotr": lambda left, right, width: _rotate_left(left, -right, width),
}
