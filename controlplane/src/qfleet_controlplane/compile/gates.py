"""Gate calls: arguments, modifiers, definitions expanded to base gates, broadcasting.

The definition of a gate is expanded once for each set of arguments, on qubits 0, 1, …, and then
placed on the qubits of each call.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from openqasm import ast

from qfleet_controlplane.compile import arithmetic, expressions, operands, selection, single, unitary
from qfleet_controlplane.compile.context import Context
from qfleet_controlplane.compile.errors import refuse
from qfleet_controlplane.compile.library import Standard
from qfleet_controlplane.compile.scopes import Known, Qubits, Refused
from qfleet_controlplane.compile.typed import FLOAT, INT, Typed, convert, literal
from qfleet_wire.circuit import Control, Expression, Gate

_DEPTH = 32
"""Deepest nesting of gate definitions."""


@dataclass(frozen=True, slots=True)
class _Modifiers:
    """``controls`` holds a value for each control qubit; ``powers`` are applied in order."""

    controls: tuple[int, ...] = ()
    powers: tuple[float, ...] = ()


_PLAIN = _Modifiers()


@dataclass(frozen=True, slots=True)
class _Call:
    node: ast.GateCall
    gate: Standard | ast.GateDefinition
    arguments: tuple[Expression, ...]
    modifiers: _Modifiers


def call(context: Context, node: ast.GateCall) -> None:
    """Emit a gate on all qubits that it is broadcast over.

    Raises:
        ProgramRefused: the gate, its arguments or its qubits are not as they must be.
    """
    prepared = _prepared(context, node)
    targets = [operands.qubits(context, each) for each in node.qubits]
    for numbers in operands.broadcast(node, targets):
        _emit(context, node, _expanded(context, prepared, numbers))


def phase(context: Context, node: ast.GlobalPhase) -> None:
    """Emit a global phase, controlled or not.

    Raises:
        ProgramRefused: its argument or its controls are not as they must be.
    """
    for gates in _phases(context, node):
        _emit(context, node, gates)


def argument(context: Context, node: ast.Expression) -> Expression:
    """The value of a gate's argument in radians.

    Raises:
        ProgramRefused: it is not a finite real number.
    """
    value = arithmetic.real(expressions.value(context, node))
    if value.constant is not None and not math.isfinite(value.constant):
        raise refuse(node, f"gate argument is {value.constant}", "give a finite angle in radians")
    return context.checked(node, value)


def _emit(context: Context, node: ast.Node, gates: Sequence[Gate]) -> None:
    context.spend(node, len(gates))
    for gate in gates:
        context.emit(node, gate)


def _entry(context: Context, node: ast.GateCall) -> Standard | ast.GateDefinition:
    entry = context.scope.find(node.name.name)
    if isinstance(entry, Standard | ast.GateDefinition):
        return entry
    if isinstance(entry, Refused):
        raise refuse(node, entry.message, entry.hint)
    raise refuse(node, f"'{node.name.name}' is not a gate here", "calibrations are not supported")


def _prepared(context: Context, node: ast.GateCall) -> _Call:
    arguments = tuple(argument(context, each) for each in node.arguments)
    modifiers = _modifiers(context, node.modifiers) if node.modifiers else _PLAIN
    return _Call(node, _entry(context, node), arguments, modifiers)


def _expanded(context: Context, call: _Call, numbers: tuple[int, ...]) -> Sequence[Gate]:
    count = len(call.modifiers.controls)
    inner = numbers[count:]
    if isinstance(call.gate, Standard):
        gates: Sequence[Gate] = call.gate.expand(call.arguments, inner)
    else:
        body = _definition(context, call.node, call.gate, call.arguments)
        gates = [_placed(gate, inner) for gate in body]
    for power in call.modifiers.powers:
        gates = _powered(context, call.node, gates, power)
    return unitary.controlled(gates, _controls(call.modifiers, numbers[:count])) if count else gates


def _controls(modifiers: _Modifiers, numbers: Sequence[int]) -> list[Control]:
    return [Control(qubit, value) for qubit, value in zip(numbers, modifiers.controls, strict=True)]


def _placed(gate: Gate, numbers: Sequence[int]) -> Gate:
    qubits = tuple(numbers[qubit] for qubit in gate.qubits)
    controls = tuple(Control(numbers[control.qubit], control.value) for control in gate.controls)
    return Gate(gate.name, qubits, gate.arguments, controls, gate.power)


def _powered(context: Context, node: ast.Node, gates: Sequence[Gate], power: float) -> Sequence[Gate]:
    whole = isinstance(power, int) or power.is_integer()
    if whole and len(gates) > 1 and abs(power) > 16:
        product = single.rooted(gates, power)
        if product is not None:
            return product
    if whole:
        context.spend(node, len(gates) * min(abs(int(power)), 1 << 30) if len(gates) > 1 else 1)
        return unitary.repeated(gates, int(power))
    if not gates:
        return gates
    if len(gates) == 1:
        root = unitary.rooted(gates[0], power)
        if root is None:
            raise refuse(node, "a real power of a power", "multiply the two exponents in one pow")
        return [root]
    product = single.rooted(gates, power)
    if product is None:
        hint = "only base gates and one-qubit gates with constant angles have real powers"
        raise refuse(node, f"power {power:g} of a gate made of {len(gates)} gates", hint)
    return product


def _modifiers(context: Context, nodes: Sequence[ast.GateModifier]) -> _Modifiers:
    """Powers commute with controls: (C-U)^k = C-(U^k), also for the principal real power."""
    controls: list[int] = []
    powers: list[float] = []
    for node in nodes:
        if node.kind is ast.GateModifierKind.INV:
            powers.insert(0, -1)
        elif node.kind is ast.GateModifierKind.POW:
            powers.insert(0, _exponent(context, node))
        else:
            count = 1 if node.argument is None else expressions.integer(context, node.argument, "count")
            if not 1 <= count <= 64:
                raise refuse(node, f"{count} controls", "give a number from 1 to 64")
            controls += [int(node.kind is ast.GateModifierKind.CTRL)] * count
    return _Modifiers(tuple(controls), tuple(powers))


def _exponent(context: Context, node: ast.GateModifier) -> float:
    assert node.argument is not None
    value = expressions.value(context, node.argument).constant
    if value is None:
        hint = "for rotations, scale the angle: rx(k * theta) instead of pow(k) @ rx(theta)"
        raise refuse(node.argument, "the exponent is not known at compile time", hint)
    if not math.isfinite(value):
        raise refuse(node.argument, f"exponent {value}", "give a finite exponent")
    return value


def _definition(
    context: Context, node: ast.Node, entry: ast.GateDefinition, arguments: tuple[Expression, ...]
) -> tuple[Gate, ...]:
    """The base gates of a definition on qubits numbered from 0."""
    key = (id(entry), arguments)
    known = context.expansions.get(key)
    if known is not None:
        return known
    if context.calls >= _DEPTH:
        raise refuse(node, f"gate definitions nested more than {_DEPTH} deep", "define the gate directly")
    context.calls += 1
    with context.scoped(context.scope.outermost()):
        names = context.scope.names
        for parameter, value in zip(entry.parameters, arguments, strict=True):
            names[parameter.name] = Known(Typed(value, FLOAT))
        for number, qubit in enumerate(entry.qubits):
            names[qubit.name] = Qubits((number,), register=False)
        gates = tuple(_body(context, entry.body))
    context.calls -= 1
    context.expansions[key] = gates
    return gates


def _body(context: Context, statements: Sequence[ast.Statement]) -> list[Gate]:
    gates: list[Gate] = []
    for statement in statements:
        match statement:
            case ast.GateCall():
                gates += _inner_call(context, statement)
            case ast.GlobalPhase():
                gates += [gate for each in _phases(context, statement) for gate in each]
            case ast.Barrier() | ast.Nop() | ast.Delay():
                continue
            case ast.For():
                gates += _loop(context, statement)
            case ast.Box(body=body) | ast.Block(statements=body):
                with context.scoped():
                    gates += _body(context, body)
            case _:
                hint = "a gate is made of gate calls, gphase and loops over constants"
                raise refuse(statement, "this statement is not supported in a gate", hint)
        context.spend(statement, 1 + len(gates) // 64)
    return gates


def _inner_call(context: Context, node: ast.GateCall) -> Sequence[Gate]:
    numbers = tuple(operands.qubits(context, each).numbers[0] for each in node.qubits)
    gates = _expanded(context, _prepared(context, node), numbers)
    context.spend(node, len(gates))
    return gates


def _loop(context: Context, node: ast.For) -> list[Gate]:
    if not isinstance(node.iterable, ast.Range | ast.DiscreteSet):
        raise refuse(node, "a loop in a gate needs a range or a set", "write the values out")
    gates: list[Gate] = []
    to = expressions.scalar(context, node.type)
    for value in _values(context, node.iterable):
        with context.scoped():
            context.scope.names[node.variable.name] = Known(convert(value, to))
            gates += _body(context, node.body)
        context.spend(node)
    return gates


def _values(context: Context, node: ast.Range | ast.DiscreteSet) -> list[Typed]:
    def evaluate(each: ast.Expression) -> Typed:
        return expressions.value(context, each)

    if isinstance(node, ast.DiscreteSet):
        return [expressions.value(context, each) for each in node.values]
    start, stop = (selection.number(each, evaluate, "bound") for each in (node.start, node.end) if each)
    step = 1 if node.step is None else selection.number(node.step, evaluate, "step")
    if step == 0:
        raise refuse(node, "the step of a range is 0", "use a step other than 0")
    count = max(0, (stop - start) // step + 1)
    context.spend(node, count)
    return [literal(start + step * place, INT) for place in range(count)]


def _phases(context: Context, node: ast.GlobalPhase) -> list[Sequence[Gate]]:
    modifiers = _modifiers(context, node.modifiers) if node.modifiers else _PLAIN
    gates: Sequence[Gate] = [Gate("gphase", (), (argument(context, node.argument),))]
    for power in modifiers.powers:
        gates = _powered(context, node, gates, power)
    targets = [operands.qubits(context, each) for each in node.qubits]
    return [
        unitary.controlled(gates, _controls(modifiers, numbers)) if numbers else gates
        for numbers in operands.broadcast(node, targets)
    ]
