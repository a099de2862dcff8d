"""Statements: each kind goes to the module that compiles it."""

from collections.abc import Callable, Sequence
from typing import Any

from openqasm import ast

from qfleet_controlplane.compile import (
    assignments,
    branches,
    calls,
    expressions,
    gates,
    interface,
    loops,
    operands,
)
from qfleet_controlplane.compile.context import Context, Flow
from qfleet_controlplane.compile.errors import refuse
from qfleet_controlplane.compile.scopes import Refused
from qfleet_wire import circuit


def run(context: Context, statements: Sequence[ast.Statement]) -> Flow:
    """Compile statements in the present scope, as far as control may come.

    Raises:
        ProgramRefused: one of them cannot be compiled.
    """
    for place, statement in enumerate(statements):
        context.spend(statement)
        before = set(context.pending) if context.escapes else None
        flow = _KINDS[type(statement)](context, statement)
        if flow is not None and flow is not Flow.NEXT:
            return flow
        if before is not None and context.pending != before:
            _guarded(context, statement, before, statements[place + 1 :])
            return Flow.NEXT
    return Flow.NEXT


def _guarded(context: Context, node: ast.Node, before: set[int], rest: Sequence[ast.Statement]) -> None:
    """What follows a statement that may have left the block, run only if it has not."""
    if rest:
        context.guard(node, before, lambda: run(context, rest))


def _gate(context: Context, node: ast.GateCall) -> None:
    entry = context.scope.find(node.name.name)
    if isinstance(entry, ast.SubroutineDefinition):
        calls.call(context, node, entry, [*node.arguments, *node.qubits])
    else:
        gates.call(context, node)


def _expression(context: Context, node: ast.ExpressionStatement) -> None:
    expression = node.expression
    if isinstance(expression, ast.FunctionCall):
        entry = context.scope.find(expression.name.name)
        if isinstance(entry, ast.SubroutineDefinition):
            calls.call(context, expression, entry, expression.arguments)
            return
    expressions.value(context, expression)


def _reset(context: Context, node: ast.Reset) -> None:
    for qubit in operands.qubits(context, node.operand).numbers:
        context.emit(node, circuit.Reset(qubit))


def _end(context: Context, node: ast.End) -> Flow:
    context.emit(node, circuit.End())
    return Flow.END


def _block(context: Context, node: ast.Block | ast.Box) -> Flow:
    body = node.body if isinstance(node, ast.Box) else node.statements
    with context.scoped():
        return run(context, body)


def _alias(context: Context, node: ast.AliasDeclaration) -> None:
    context.scope.names[node.name.name] = operands.alias(context, node.value)


def _gate_definition(context: Context, node: ast.GateDefinition) -> None:
    context.scope.names[node.name.name] = node


def _subroutine(context: Context, node: ast.SubroutineDefinition) -> None:
    context.scope.names[node.name.name] = node


def _opaque(context: Context, node: ast.OpaqueDefinition) -> None:
    message = f"'{node.name.name}' is opaque: nothing says what it does"
    context.scope.names[node.name.name] = Refused(message, f"define it with gate {node.name.name} …")


def _declaration(context: Context, node: ast.ClassicalDeclaration) -> None:
    if isinstance(node.type, ast.DurationType):
        hint = "durations may stand in delay and box only"
        context.scope.names[node.name.name] = Refused("durations are not supported here", hint)
        return
    assignments.declare(context, node)


def _barrier(context: Context, node: ast.Barrier | ast.Nop | ast.Delay) -> None:
    for operand in node.operands:
        operands.qubits(context, operand)


def _nothing(_: Context, __: ast.Statement) -> None:
    return


def _unsupported(what: str, hint: str) -> Callable[[Context, ast.Statement], None]:
    def refusal(_: Context, node: ast.Statement) -> None:
        raise refuse(node, f"{what} not supported", hint)

    return refusal


_NO_PULSES = "the state is simulated; there are no pulses to calibrate"

_KINDS: dict[type[ast.Statement], Callable[[Context, Any], Flow | None]] = {
    ast.GateCall: _gate,
    ast.GlobalPhase: gates.phase,
    ast.MeasureStatement: assignments.measure,
    ast.Reset: _reset,
    ast.Assignment: assignments.assign,
    ast.ClassicalDeclaration: _declaration,
    ast.ConstDeclaration: assignments.constant,
    ast.QubitDeclaration: operands.declare,
    ast.IODeclaration: interface.declare,
    ast.AliasDeclaration: _alias,
    ast.GateDefinition: _gate_definition,
    ast.OpaqueDefinition: _opaque,
    ast.SubroutineDefinition: _subroutine,
    ast.Include: interface.include,
    ast.If: branches.choose,
    ast.For: loops.iterate,
    ast.While: loops.repeat,
    ast.Switch: branches.select,
    ast.Break: loops.leave,
    ast.Continue: loops.leave,
    ast.Return: calls.leave,
    ast.End: _end,
    ast.Block: _block,
    ast.Box: _block,
    ast.ExpressionStatement: _expression,
    ast.Barrier: _barrier,
    ast.Nop: _barrier,
    ast.Delay: _barrier,
    ast.Pragma: _unsupported("pragmas are", "remove it; what it means depends on the machine"),
    ast.ExternDeclaration: _unsupported("extern functions are", "write it as a subroutine with def"),
    ast.CalibrationGrammar: _unsupported("calibration grammars are", _NO_PULSES),
    ast.CalibrationBlock: _unsupported("calibrations are", _NO_PULSES),
    ast.CalibrationDefinition: _unsupported("calibrations are", _NO_PULSES),
}
