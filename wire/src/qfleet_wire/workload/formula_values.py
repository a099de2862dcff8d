"""Values of formulas: one meaning for the control plane, which checks, and devices, which compute.

Real formulas are evaluated in real numbers, the others in complex ones. Whatever has no finite value
raises ``ValueError``: a root or logarithm of a negative number, a division by zero, an overflow.
"""

import cmath
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from qfleet_wire.workload.formula import (
    Call,
    Combination,
    Formula,
    Function,
    Number,
    Operation,
    Parameter,
    Time,
    is_real,
)

Value: TypeAlias = float | complex
Evaluator: TypeAlias = Callable[[float], Value]
"""A formula at one parameter point, as a function of time."""

_REAL: dict[Function, Callable[[Any], Value]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "atan": math.atan,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "abs": abs,
    "step": lambda x: 0.0 if x < 0.0 else 1.0,
}
_COMPLEX: dict[Function, Callable[[Any], Value]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "exp": cmath.exp,
}


def evaluator(formula: Formula, parameters: Sequence[float]) -> Evaluator:
    """Bind a formula to a parameter point.

    The function returned raises ``ValueError`` where the formula has no finite value.
    """
    inner = _bind(formula, parameters)

    def value(t: float) -> Value:
        try:
            found = inner(t)
        except (ArithmeticError, ValueError) as error:
            raise ValueError(f"has no finite value at t = {t:g}") from error
        if not cmath.isfinite(found):
            raise ValueError(f"has no finite value at t = {t:g}")
        return found

    return value


def _bind(formula: Formula, parameters: Sequence[float]) -> Evaluator:
    match formula:
        case Number(real=real, imaginary=imaginary):
            constant: Value = complex(real, imaginary) if imaginary else real
            return lambda _: constant
        case Parameter(index=index):
            given = parameters[index]
            return lambda _: given
        case Time():
            return lambda t: t
        case Call(function=function, argument=argument):
            table = _REAL if is_real(argument) else _COMPLEX
            return _applied(table[function], _bind(argument, parameters))
        case Combination(operation=operation, left=left, right=right):
            return _combined(operation, _bind(left, parameters), _bind(right, parameters))


def _applied(function: Callable[[Any], Value], argument: Evaluator) -> Evaluator:
    return lambda t: function(argument(t))


def _combined(operation: Operation, left: Evaluator, right: Evaluator) -> Evaluator:
    match operation:
        case "+":
            return lambda t: left(t) + right(t)
        case "-":
            return lambda t: left(t) - right(t)
        case "*":
            return lambda t: left(t) * right(t)
        case "/":
            return lambda t: left(t) / right(t)
        case "**":
            return _powered(left, right)


def _powered(base: Evaluator, exponent: Evaluator) -> Evaluator:
    def power(t: float) -> Value:
        below, above = base(t), exponent(t)
        if isinstance(below, float) and isinstance(above, float):
            return math.pow(below, above)  # refuses a negative base where ** would turn complex
        return complex(below) ** above

    return power
