"""A program's interface: included libraries, inputs and outputs."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from openqasm import ast

from qfleet_controlplane.compile import expressions, library, typed
from qfleet_controlplane.compile.context import Context, Flow
from qfleet_controlplane.compile.errors import ProgramRefused, refuse
from qfleet_controlplane.compile.scopes import Known, Scope
from qfleet_controlplane.compile.typed import ANGLE, FLOAT, Typed
from qfleet_wire import circuit
from qfleet_wire.circuit import ClassicalType

_INPUTS = frozenset({"bit", "bool", "int", "uint", "float", "angle"})


@dataclass(frozen=True, slots=True)
class Input:
    """A declared input. ``node`` is where it is declared."""

    name: str
    type: ClassicalType
    node: ast.IODeclaration

    @property
    def sweepable(self) -> bool:
        """Whether its value may differ from one parameter point to the next."""
        return self.type.kind in ("float", "angle")


def include(context: Context, node: ast.Include) -> None:
    """Make a library's gates known."""
    for name, gate in library.gates(node.filename).items():
        context.scope.names.setdefault(name, gate)


def declare(context: Context, node: ast.IODeclaration) -> None:
    """Bind an input, or declare an output.

    Raises:
        ProgramRefused: its type is not supported, or the input has no value.
    """
    to = expressions.scalar(context, node.type)
    name = node.name.name
    if node.io is ast.IOKeyword.OUTPUT:
        if to.kind not in ("bit", "bool", "uint"):
            message = f"output of type {typed.describe(to)} is not supported"
            raise refuse(node, message, "declare output bit[n] and assign the value cast to bit[n]")
        context.returned.append(context.declare(node, name, to, None).slot)
        return
    value = context.inputs.get(name)
    if value is None:
        raise refuse(node, f"input '{name}' has no value", "give it in the job's parameters")
    context.scope.names[name] = Known(value)


def inputs(tree: ast.Program) -> tuple[Input, ...]:
    """The inputs that a program declares, in order.

    Raises:
        ProgramRefused: one has a type that is not supported.
    """

    def nothing(_: Context, __: object) -> Flow:
        return Flow.NEXT

    context = Context(legacy=False, scope=Scope(), run=nothing, call=lambda *_: None)
    found = []
    for statement in tree.statements:
        if isinstance(statement, ast.ConstDeclaration):
            _constant(context, statement)
        elif isinstance(statement, ast.IODeclaration) and statement.io is ast.IOKeyword.INPUT:
            found.append(Input(statement.name.name, expressions.scalar(context, statement.type), statement))
    return tuple(found)


def _constant(context: Context, node: ast.ConstDeclaration) -> None:
    """A constant that a type's size may use; one that needs more than constants cannot be."""
    if not typed.is_scalar(node.type):
        return
    with suppress(ProgramRefused):
        value = expressions.value(context, node.init)
        context.scope.names[node.name.name] = Known(
            typed.assigned(node, value, expressions.scalar(context, node.type))
        )


def bound(declared: Sequence[Input], bindings: Mapping[str, float], swept: Sequence[str]) -> dict[str, Typed]:
    """The values of inputs: constants, or entries of the parameter vector.

    Raises:
        ProgramRefused: a value does not fit its input's type, or an integer is to be swept.
    """
    places = {name: place for place, name in enumerate(swept)}
    values = {}
    for each in declared:
        if each.name in places:
            values[each.name] = _swept(each, places[each.name])
        elif each.name in bindings:
            values[each.name] = _constant_input(each, bindings[each.name])
    return values


def _swept(declared: Input, place: int) -> Typed:
    if not declared.sweepable:
        hint = "submit one job for each value, or declare it as float or angle"
        kind = typed.describe(declared.type)
        raise refuse(declared.node, f"{kind} input '{declared.name}' differs between parameter points", hint)
    parameter = Typed(circuit.Parameter(place), FLOAT)
    return typed.convert(parameter, declared.type) if declared.type.width else _plain(parameter, declared)


def _plain(value: Typed, declared: Input) -> Typed:
    """A float, or an angle without a size: a double as it was given."""
    return Typed(value.expression, ANGLE if declared.type.kind == "angle" else FLOAT)


def _constant_input(declared: Input, value: float) -> Typed:
    name, to = declared.name, declared.type
    if not math.isfinite(value):
        raise refuse(declared.node, f"input '{name}' is {value}", "give a finite number")
    if to.kind == "float" or to == ANGLE:
        return _plain(typed.literal(float(value), FLOAT), declared)
    if to.kind == "angle":
        return typed.convert(typed.literal(float(value), FLOAT), to)
    exact = Typed(circuit.Constant(int(value)), typed.INT, weak=True)
    fitted = typed.convert(exact, to)
    if value != int(value) or fitted.constant != int(value):
        message = f"{value:g} is no value of {typed.describe(to)} input '{name}'"
        raise refuse(declared.node, message, _range(to))
    return fitted


def _range(to: ClassicalType) -> str:
    if to.kind == "int":
        return f"give an integer from {-(1 << (to.width - 1))} to {(1 << (to.width - 1)) - 1}"
    return f"give an integer from 0 to {(1 << to.width) - 1}"
