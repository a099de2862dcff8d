"""Values of gate arguments with their derivatives by the parameters, in forward mode.

What operators mean stands in ``qfleet_wire.circuit_values``; here is only how their values change.
Which arguments have a derivative stands in ``circuit_facts.is_smooth``.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from qfleet_agent.engines.errors import ProgramFailed
from qfleet_wire import circuit, circuit_values
from qfleet_wire.circuit_values import Value


class Slope(NamedTuple):
    """A value, and its derivative by each parameter that it depends on."""

    value: Value
    by: dict[int, float]


def slope(argument: circuit.Expression, parameters: Sequence[float]) -> Slope:
    """Return the value and the derivatives of a gate's argument that is smooth.

    Raises:
        ProgramFailed: it is infinite or not a number here.
    """
    try:
        found = _slope(argument, parameters)
    except (ArithmeticError, ValueError) as error:
        raise ProgramFailed(f"a gate's argument has no derivative here: {error}") from error
    if not all(map(math.isfinite, (found.value, *found.by.values()))):
        raise ProgramFailed("a gate's argument or its derivative is not finite")
    return found


def _slope(expression: circuit.Expression, parameters: Sequence[float]) -> Slope:
    match expression:
        case circuit.Parameter(index=index):
            return Slope(parameters[index], {index: 1.0})
        case circuit.Unary(operator=operator, operand=operand, width=width):
            inner = _slope(operand, parameters)
            value = circuit_values.unary(operator, inner.value, width)
            return Slope(value, _scaled(inner.by, lambda: _UNARY[operator](float(inner.value))))
        case circuit.Convert(type=to, operand=operand):
            inner = _slope(operand, parameters)
            return Slope(circuit_values.convert(to, inner.value), inner.by)
        case circuit.Binary(left=left, right=right):
            return _binary(expression, _slope(left, parameters), _slope(right, parameters))
        case _:
            return Slope(circuit_values.evaluate(expression, parameters, ()), {})


def _binary(expression: circuit.Binary, left: Slope, right: Slope) -> Slope:
    value = circuit_values.binary(expression.operator, left.value, right.value, expression.width)
    a, b = float(left.value), float(right.value)
    first, second = _BINARY.get(expression.operator, _NOTHING)
    by = _scaled(left.by, lambda: first(a, b))
    for index, change in _scaled(right.by, lambda: second(a, b)).items():
        by[index] = by.get(index, 0.0) + change
    return Slope(value, by)


def _scaled(by: dict[int, float], factor: Callable[[], float]) -> dict[int, float]:
    if not by:
        return {}
    scale = factor()
    return {index: scale * change for index, change in by.items()}


_UNARY: dict[str, Callable[[float], float]] = {
    "-": lambda _: -1.0,
    "sin": math.cos,
    "cos": lambda x: -math.sin(x),
    "tan": lambda x: 1.0 / math.cos(x) ** 2,
    "arcsin": lambda x: 1.0 / math.sqrt(1.0 - x * x),
    "arccos": lambda x: -1.0 / math.sqrt(1.0 - x * x),
    "arctan": lambda x: 1.0 / (1.0 + x * x),
    "exp": math.exp,
    "log": lambda x: 1.0 / x,
    "sqrt": lambda x: 0.5 / math.sqrt(x),
}

_Partial = Callable[[float, float], float]
_NOTHING: tuple[_Partial, _Partial] = (lambda *_: 0.0, lambda *_: 0.0)
_BINARY: dict[str, tuple[_Partial, _Partial]] = {
    "+": (lambda *_: 1.0, lambda *_: 1.0),
    "-": (lambda *_: 1.0, lambda *_: -1.0),
    "*": (lambda _, b: b, lambda a, _: a),
    "/": (lambda _, b: 1.0 / b, lambda a, b: -a / (b * b)),
    "**": (lambda a, b: b * math.pow(a, b - 1.0), lambda a, b: math.pow(a, b) * math.log(a)),
}
