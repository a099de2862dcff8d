"""Subroutines, inlined where they are called.

Classical arguments are copied, qubits and arrays are passed by reference. A ``return`` that is
certain to run ends the inlining; one under a run-time condition sets a flag that guards what
follows it.
"""

from collections.abc import Sequence

from openqasm import ast

from qfleet_controlplane.compile import assignments, expressions, operands, typed
from qfleet_controlplane.compile.context import Context, Escape, Flow
from qfleet_controlplane.compile.errors import refuse
from qfleet_controlplane.compile.scopes import Array, Entry, Qubits, Variable
from qfleet_controlplane.compile.typed import BOOL, Typed
from qfleet_wire import circuit

_DEPTH = 32
"""Deepest nesting of calls; recursion ends here."""


def call(
    context: Context,
    node: ast.Node,
    entry: ast.SubroutineDefinition,
    arguments: Sequence[ast.Node],
) -> Typed | None:
    """Inline a subroutine; its value, or None if it returns none.

    Raises:
        ProgramRefused: the arguments do not fit, or calls are nested too deeply.
    """
    if context.calls >= _DEPTH:
        hint = "recursion is not supported; use a loop"
        raise refuse(node, f"subroutine calls nested more than {_DEPTH} deep", hint)
    context.spend(node)
    begin = len(context.block)
    given = [
        _argument(context, parameter, each)
        for parameter, each in zip(entry.arguments, arguments, strict=True)
    ]
    escape = Escape("function", context.level)
    context.calls += 1
    context.escapes.append(escape)
    with context.scoped(context.scope.outermost()):
        for parameter, value in zip(entry.arguments, given, strict=True):
            _bind(context, node, parameter, value)
        if entry.return_type is not None:
            to = expressions.scalar(context, entry.return_type)
            escape.result = Variable(context.slot(f"{entry.name.name}()", to), to)
        flow = context.run(context, entry.body)
    context.escapes.pop()
    context.calls -= 1
    lower(context, escape, begin)
    if escape.result is None:
        return None
    if flow is Flow.NEXT and escape.flag is None:
        raise refuse(entry, f"'{entry.name.name}' may end without a return", "return a value on every path")
    return context.read(escape.result)


def _argument(context: Context, parameter: ast.Node, node: ast.Node) -> Entry | Typed:
    """An argument's value in the scope of the call."""
    if isinstance(parameter, ast.QuantumArgument):
        return _qubits(context, parameter, node)
    assert isinstance(parameter, ast.ClassicalArgument)
    if not isinstance(parameter.type, ast.ArrayReferenceType):
        return assignments.value_of(context, node, expressions.scalar(context, parameter.type))
    entry = context.scope.find(node.name) if isinstance(node, ast.Identifier) else None
    if not isinstance(entry, Array):
        raise refuse(node, f"'{parameter.name.name}' needs an array", "give the name of an array")
    if entry.type != expressions.scalar(context, parameter.type.base):
        hint = "elements must have the parameter's type"
        raise refuse(node, f"array of {typed.describe(entry.type)} elements", hint)
    return entry


def _qubits(context: Context, parameter: ast.QuantumArgument, node: ast.Node) -> Qubits:
    found = operands.qubits(context, node)
    size = 1 if parameter.size is None else expressions.integer(context, parameter.size, "size")
    if len(found.numbers) != size:
        message = f"'{parameter.name.name}' needs {size} qubits, not {len(found.numbers)}"
        raise refuse(node, message, "give a register of that size")
    return Qubits(found.numbers, register=parameter.size is not None)


def _bind(
    context: Context,
    node: ast.Node,
    parameter: ast.ClassicalArgument | ast.QuantumArgument,
    value: Entry | Typed,
) -> None:
    name = parameter.name.name
    if isinstance(value, Typed):
        context.declare(node, name, value.type, value)
    else:
        context.scope.names[name] = value


def leave(context: Context, node: ast.Return) -> Flow:
    """A ``return``.

    Raises:
        ProgramRefused: its value does not fit.
    """
    escape = next(each for each in reversed(context.escapes) if each.kind == "function")
    if node.value is not None and escape.result is not None:
        context.assign(node, escape.result.slot, _returned(context, node.value, escape.result))
    if context.level == escape.level:
        return Flow.RETURN
    raise_flag(context, node, escape)
    inner = context.escapes[context.escapes.index(escape) :]
    if any(each.kind == "loop" for each in inner):
        context.emit(node, circuit.Break())
    return Flow.RETURN


def _returned(context: Context, node: ast.Node, result: Variable) -> Typed:
    if isinstance(node, ast.MeasureExpression):
        return typed.assigned(node, assignments.measured_value(context, node, "return"), result.type)
    return assignments.value_of(context, node, result.type)


def raise_flag(context: Context, node: ast.Node, escape: Escape) -> None:
    """Note at run time that control has left for an escape."""
    if escape.flag is None:
        escape.flag = context.slot(f"{escape.kind}?", BOOL)
    context.emit(node, circuit.Assign(escape.flag, circuit.Constant(value=True)))
    context.pending.add(escape.flag)


def lower(context: Context, escape: Escape, begin: int) -> None:
    """End a flag's life; in a loop of the compiled program it is lowered before each use.

    ``begin`` is the place in the present block where control enters what the escape leads out of.
    """
    if escape.flag is None:
        return
    context.pending.discard(escape.flag)
    if context.loops:
        context.block.insert(begin, circuit.Assign(escape.flag, circuit.Constant(value=False)))
