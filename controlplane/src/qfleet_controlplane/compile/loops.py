"""Loops: unrolled, or kept for the device.

A loop over known values is unrolled, for only so can qubit indices depend on its variable; a
longer one, or one whose bounds are known only at run time, is kept. Jumps out of an unrolled
loop from under a run-time condition set a flag that guards the passes that follow.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from openqasm import ast

from qfleet_controlplane.compile import (
    arithmetic,
    bits,
    branches,
    calls,
    effects,
    expressions,
    operands,
    typed,
)
from qfleet_controlplane.compile.context import Context, Escape, Flow
from qfleet_controlplane.compile.errors import refuse
from qfleet_controlplane.compile.scopes import Array, Bits, Qubits, Variable
from qfleet_controlplane.compile.typed import BIT, Typed
from qfleet_wire import circuit, circuit_facts
from qfleet_wire.circuit import Constant

PASSES = 4096
"""Most passes of a loop that is unrolled."""


def repeat(context: Context, node: ast.While) -> Flow:
    """A ``while``: unrolled as long as its condition is known, then kept for the device.

    Raises:
        ProgramRefused: the condition is none, or always true and nothing ends the loop.
    """
    if isinstance(node.condition, ast.BooleanLiteral) or expressions.has_call(context, node.condition):
        return _kept_while(context, node)
    around = Escape("unrolled", context.level)
    context.escapes.append(around)
    begin, before = len(context.block), set(context.pending)
    flow = _peeled(context, node, before)
    context.escapes.pop()
    calls.lower(context, around, begin)
    return flow if flow in (Flow.RETURN, Flow.END) else Flow.NEXT


def _peeled(context: Context, node: ast.While, before: set[int]) -> Flow:
    for _ in range(PASSES):
        if context.pending != before:
            context.guard(node, before, lambda: _kept_while(context, node))
            return Flow.NEXT
        condition = branches.condition(context, node.condition)
        if condition.constant is None:
            return _kept_while(context, node)
        if not condition.constant:
            return Flow.NEXT
        flow = _pass(context, node, lambda: context.run(context, node.body))
        if flow in (Flow.BREAK, Flow.RETURN, Flow.END):
            return flow
    return _kept_while(context, node)


def _kept_while(context: Context, node: ast.While) -> Flow:
    affected = effects.changed(context, [node.condition, *node.body])
    context.forget(affected)
    if expressions.has_call(context, node.condition):
        test: circuit.Expression = Constant(value=True)
    else:
        test = context.checked(node, branches.condition(context, node.condition))

    def body() -> None:
        if expressions.has_call(context, node.condition):
            _stop_unless(context, node, branches.condition(context, node.condition))
        branches.block(context, node.body)

    statements = _passes(context, node, body)
    if isinstance(test, Constant) and test.value and not _may_end(statements):
        hint = "change a variable of the condition in the loop, or leave it with break"
        raise refuse(node, "this loop never ends", hint)
    context.emit(node, circuit.While(test, statements))
    context.forget(affected)
    _leave_outer(context, node)
    return Flow.NEXT


def _stop_unless(context: Context, node: ast.While, condition: Typed) -> None:
    stop = arithmetic.unary(node, "!", condition)
    if stop.constant is None:
        context.emit(node, circuit.If(context.checked(node, stop), (circuit.Break(),)))
    elif stop.constant:
        context.emit(node, circuit.Break())


def _may_end(statements: Iterable[circuit.Statement]) -> bool:
    """Whether a loop's body can leave the loop."""
    for statement in statements:
        if isinstance(statement, circuit.Break | circuit.End):
            return True
        if isinstance(statement, circuit.While | circuit.For):
            if any(isinstance(each, circuit.End) for each in circuit_facts.walk(statement.body)):
                return True
        elif any(_may_end(block) for block in circuit_facts.blocks_of(statement)):
            return True
    return False


def _passes(context: Context, node: ast.Node, body: Callable[[], object]) -> tuple[circuit.Statement, ...]:
    """The body of a loop of the compiled program."""
    context.escapes.append(Escape("loop", context.level + 1))
    with context.nested(node, loop=True) as statements:
        body()
    context.escapes.pop()
    return tuple(statements)


def _leave_outer(context: Context, node: ast.Node) -> None:
    """After a loop that a ``return`` may have left: leave the loop around it as well."""
    for escape in reversed(context.escapes):
        if escape.kind == "function":
            return
        if escape.kind == "loop":
            break
    else:
        return
    function = next((each for each in reversed(context.escapes) if each.kind == "function"), None)
    if function is not None and function.flag is not None and function.flag in context.pending:
        context.emit(node, circuit.If(circuit.Variable(function.flag), (circuit.Break(),)))


def iterate(context: Context, node: ast.For) -> Flow:
    """A ``for`` over a range, a set, an array or a register.

    Raises:
        ProgramRefused: the values are none to loop over.
    """
    to = expressions.scalar(context, node.type)
    if isinstance(node.iterable, ast.Range):
        return _range(context, node, node.iterable, to)
    if isinstance(node.iterable, ast.DiscreteSet):
        values = [expressions.value(context, each) for each in node.iterable.values]
    else:
        values = _elements(context, node.iterable)
    return _unrolled(context, node, [typed.assigned(node, value, to) for value in values])


def _elements(context: Context, node: ast.Expression) -> list[Typed]:
    if isinstance(node, ast.Identifier | ast.IndexExpression | ast.Concatenation):
        alias = operands.classical(context, node)
        if alias is not None:
            return [bits.gathered(context, Bits((place,))) for place in alias.places]
    if isinstance(node, ast.Identifier):
        entry = context.find(node)
        if isinstance(entry, Array) and len(entry.dimensions) == 1:
            return [context.read(Variable(slot, entry.type)) for slot in entry.slots]
        if isinstance(entry, Qubits):
            raise refuse(node, "cannot loop over qubits", "loop over their indices")
    value = expressions.value(context, node)
    if value.type.kind != "bit" or value.constant is None:
        raise refuse(node, "cannot loop over this", "loop over a range, a set, an array or a register")
    return [typed.literal(int(value.constant) >> bit & 1, BIT) for bit in range(value.type.width)]


def _range(context: Context, node: ast.For, bounds: ast.Range, to: circuit.ClassicalType) -> Flow:
    if bounds.start is None or bounds.end is None:
        raise refuse(bounds, "a loop range needs a start and an end", "write [start:end]")
    start, stop = expressions.value(context, bounds.start), expressions.value(context, bounds.end)
    step = typed.weak(bounds, 1) if bounds.step is None else expressions.value(context, bounds.step)
    for part in (start, step, stop):
        if not part.integral:
            raise refuse(bounds, "a loop range needs integers", "cast its parts to int")
    if step.constant == 0:
        raise refuse(bounds, "the step of a range is 0", "use a step other than 0")
    if start.constant is None or stop.constant is None or step.constant is None:
        return _kept(context, node, (start, step, stop), to)
    first, last, stride = int(start.constant), int(stop.constant), int(step.constant)
    count = (last - first) // stride + 1
    if count > PASSES:
        return _kept(context, node, (start, step, stop), to)
    values = [typed.weak(bounds, first + stride * place) for place in range(max(count, 0))]
    return _unrolled(context, node, [typed.convert(value, to) for value in values])


def _unrolled(context: Context, node: ast.For, values: Sequence[Typed]) -> Flow:
    held = [_held(context, node, value) for value in values]
    around = Escape("unrolled", context.level)
    context.escapes.append(around)
    begin, before, flow = len(context.block), set(context.pending), Flow.NEXT
    for value in held:

        def body(value: Typed = value) -> Flow:
            context.declare(node, node.variable.name, value.type, value)
            return context.run(context, node.body)

        if context.pending != before:
            context.guard(node, before, partial(_pass, context, node, body))
            continue
        flow = _pass(context, node, body)
        if flow in (Flow.BREAK, Flow.RETURN, Flow.END):
            break
    context.escapes.pop()
    calls.lower(context, around, begin)
    return flow if flow in (Flow.RETURN, Flow.END) else Flow.NEXT


def _held(context: Context, node: ast.For, value: Typed) -> Typed:
    """A value that the passes before cannot change."""
    if value.constant is not None:
        return value
    slot = context.slot(node.variable.name, value.type)
    context.assign(node, slot, value)
    return Typed(circuit.Variable(slot), value.type)


def _pass(context: Context, node: ast.Node, body: Callable[[], Flow]) -> Flow:
    """One pass of an unrolled loop."""
    context.spend(node)
    escape = Escape("pass", context.level)
    context.escapes.append(escape)
    begin = len(context.block)
    with context.scoped():
        flow = body()
    context.escapes.pop()
    calls.lower(context, escape, begin)
    return flow


def _kept(
    context: Context, node: ast.For, bounds: tuple[Typed, Typed, Typed], to: circuit.ClassicalType
) -> Flow:
    start, step, stop = (context.checked(node, typed.convert(each, typed.INT)) for each in bounds)
    slot = context.slot(node.variable.name, typed.INT)
    context.forget(effects.changed(context, node.body))

    def body() -> None:
        with context.scoped():
            value = typed.convert(Typed(circuit.Variable(slot), typed.INT), to)
            context.declare(node, node.variable.name, to, value)
            context.run(context, node.body)

    statements = _passes(context, node, body)
    context.emit(node, circuit.For(slot, start, step, stop, statements))
    context.forget(effects.changed(context, node.body))
    _leave_outer(context, node)
    return Flow.NEXT


def leave(context: Context, node: ast.Break | ast.Continue) -> Flow:
    """A ``break`` or ``continue``."""
    flow = Flow.BREAK if isinstance(node, ast.Break) else Flow.CONTINUE
    kinds = ("unrolled", "loop") if flow is Flow.BREAK else ("pass", "loop")
    escape = next(each for each in reversed(context.escapes) if each.kind in kinds)
    if escape.kind == "loop":
        context.emit(node, circuit.Break() if flow is Flow.BREAK else circuit.Continue())
    elif context.level != escape.level:
        calls.raise_flag(context, node, escape)
    return flow
