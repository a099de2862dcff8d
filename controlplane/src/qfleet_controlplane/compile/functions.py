"""The built-in functions of OpenQASM 2 and 3 on typed values, ``sizeof`` excepted."""

from collections.abc import Callable, Sequence

from qfleet_controlplane.compile import arithmetic, typed
from qfleet_controlplane.compile.errors import Placed, refuse
from qfleet_controlplane.compile.typed import FLOAT, UINT, Typed
from qfleet_wire import circuit
from qfleet_wire.circuit import BinaryOperator, UnaryOperator


def call(node: Placed, name: str, arguments: Sequence[Typed]) -> Typed:
    """The value of a built-in function of OpenQASM 2 or 3, ``sizeof`` excepted.

    Raises:
        ProgramRefused: the function is not one of real numbers and integers.
    """
    if name in _REAL:
        return Typed(
            typed.folded(circuit.Unary(_REAL[name], arithmetic.real(arguments[0]).expression)), FLOAT
        )
    function = _FUNCTIONS.get(name)
    if function is None:
        raise refuse(node, f"'{name}' is not supported", "complex numbers are not supported")
    return function(node, arguments)


def _popcount(node: Placed, arguments: Sequence[Typed]) -> Typed:
    value = arguments[0]
    if value.type.kind == "angle" and value.type.width:
        value = typed.bits_of_angle(value)
    if not value.integral or (value.constant is not None and value.constant < 0):
        raise refuse(node, f"no popcount of {typed.describe(value.type)}", "give a bit register or a uint")
    return Typed(typed.folded(circuit.Unary("popcount", value.expression, value.type.width)), UINT)


def _rotate(operator: BinaryOperator) -> Callable[[Placed, Sequence[Typed]], Typed]:
    def rotate(node: Placed, arguments: Sequence[Typed]) -> Typed:
        value, distance = arguments
        if value.type.kind == "angle" and value.type.width and distance.integral:
            return typed.angle_of_bits(rotate(node, (typed.bits_of_angle(value), distance)), value.type)
        if value.type.kind not in ("bit", "uint") or not distance.integral:
            raise refuse(
                node, f"no {operator} of {typed.describe(value.type)}", "give a bit register or a uint"
            )
        return Typed(
            typed.folded(circuit.Binary(operator, value.expression, distance.expression, value.type.width)),
            value.type,
        )

    return rotate


_REAL: dict[str, UnaryOperator] = {
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "arcsin": "arcsin",
    "arccos": "arccos",
    "arctan": "arctan",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "exp": "exp",
    "log": "log",
    "ln": "log",
    "sqrt": "sqrt",
    "floor": "floor",
    "ceiling": "ceiling",
}

_FUNCTIONS: dict[str, Callable[[Placed, Sequence[Typed]], Typed]] = {
    "mod": lambda node, arguments: arithmetic.binary(node, "%", *arguments),
    "pow": lambda node, arguments: arithmetic.binary(node, "**", *arguments),
    "popcount": _popcount,
    "rotl": _rotate("rotl"),
    "rotr": _rotate("rotr"),
}
