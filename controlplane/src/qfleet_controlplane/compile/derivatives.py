"""Derivatives of compiled expressions with respect to a parameter, as expressions."""

from collections.abc import Callable

from qfleet_controlplane.errors import InvalidRequest
from qfleet_wire import circuit
from qfleet_wire.circuit import Binary, Constant, Expression, Unary


class NotDifferentiable(InvalidRequest):
    """An operator on the way from the parameter has no derivative; the text names it."""


def derivative(expression: Expression, parameter: int) -> Expression | None:
    """Differentiate; None where the expression does not depend on the parameter.

    Raises:
        NotDifferentiable: it depends on the parameter through a step, a remainder or a conversion.
    """
    match expression:
        case circuit.Parameter(index=index):
            return Constant(1.0) if index == parameter else None
        case Unary(operator=operator, operand=operand):
            inner = derivative(operand, parameter)
            return None if inner is None else _of_function(operator, operand, inner)
        case Binary():
            return _of_binary(expression, parameter)
        case circuit.Convert(type=to, operand=operand):
            inner = derivative(operand, parameter)
            if inner is not None and (to.kind not in ("float", "angle") or (to.kind == "angle" and to.width)):
                raise NotDifferentiable(f"a conversion to {to.kind}[{to.width}]")
            return inner
        case _:
            return None


def _of_function(operator: str, operand: Expression, inner: Expression) -> Expression:
    """The chain rule."""
    outer = _FUNCTIONS.get(operator)
    if outer is None:
        raise NotDifferentiable(f"'{operator}'")
    return _times(outer(operand), inner)


def _of_binary(expression: Binary, parameter: int) -> Expression | None:
    left, right = expression.left, expression.right
    first, second = derivative(left, parameter), derivative(right, parameter)
    if first is None and second is None:
        return None
    match expression.operator:
        case "+":
            return _sum(first, second)
        case "-":
            return _sum(first, None if second is None else Unary("-", second))
        case "*":
            return _sum(_scaled(first, right), _scaled(second, left))
        case "/":
            other = None if second is None else Unary("-", Binary("/", _times(second, left), _squared(right)))
            return _sum(None if first is None else Binary("/", first, right), other)
        case "**":
            return _sum(_scaled(first, _lowered(left, right)), _scaled(second, _grown(left, right)))
    raise NotDifferentiable(f"'{expression.operator}'")


def _sum(first: Expression | None, second: Expression | None) -> Expression | None:
    if first is None or second is None:
        return first or second
    return Binary("+", first, second)


def _scaled(inner: Expression | None, factor: Expression) -> Expression | None:
    return None if inner is None else _times(factor, inner)


def _times(factor: Expression, inner: Expression) -> Expression:
    return factor if inner == Constant(1.0) else Binary("*", inner, factor)


def _squared(operand: Expression) -> Expression:
    return Binary("*", operand, operand)


def _lowered(base: Expression, exponent: Expression) -> Expression:
    """Derivative of base**exponent with respect to the base."""
    return Binary("*", exponent, Binary("**", base, Binary("-", exponent, Constant(1.0))))


def _grown(base: Expression, exponent: Expression) -> Expression:
    """Derivative of base**exponent with respect to the exponent."""
    return Binary("*", Binary("**", base, exponent), Unary("log", base))


def _root(operand: Expression) -> Expression:
    """√(1 - x²)."""
    return Unary("sqrt", Binary("-", Constant(1.0), _squared(operand)))


_FUNCTIONS: dict[str, Callable[[Expression], Expression]] = {
    "-": lambda _: Constant(-1.0),
    "sin": lambda x: Unary("cos", x),
    "cos": lambda x: Unary("-", Unary("sin", x)),
    "tan": lambda x: Binary("+", Constant(1.0), _squared(Unary("tan", x))),
    "arcsin": lambda x: Binary("/", Constant(1.0), _root(x)),
    "arccos": lambda x: Binary("/", Constant(-1.0), _root(x)),
    "arctan": lambda x: Binary("/", Constant(1.0), Binary("+", Constant(1.0), _squared(x))),
    "exp": lambda x: Unary("exp", x),
    "log": lambda x: Binary("/", Constant(1.0), x),
    "sqrt": lambda x: Binary("/", Constant(0.5), Unary("sqrt", x)),
}
