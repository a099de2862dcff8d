"""``if`` and ``switch``: a condition that is known picks its branch here, another on the device."""

from collections.abc import Sequence
from functools import partial

from openqasm import ast

from qfleet_controlplane.compile import arithmetic, expressions
from qfleet_controlplane.compile.context import Context, Flow, balanced
from qfleet_controlplane.compile.errors import refuse
from qfleet_controlplane.compile.typed import BOOL, Typed
from qfleet_wire import circuit
from qfleet_wire.circuit import Constant


def choose(context: Context, node: ast.If) -> Flow:
    """An ``if``.

    Raises:
        ProgramRefused: the condition is none.
    """
    decided = condition(context, node.condition)
    if decided.constant is not None:
        return block(context, node.then_body if decided.constant else node.else_body)
    context.branch(
        node,
        decided,
        lambda: block(context, node.then_body),
        lambda: block(context, node.else_body),
    )
    return Flow.NEXT


def condition(context: Context, node: ast.Expression) -> Typed:
    """A condition's value as a bool.

    Raises:
        ProgramRefused: it is no value.
    """
    return arithmetic.truth(expressions.value(context, node))


def block(context: Context, statements: Sequence[ast.Statement]) -> Flow:
    """Statements in a scope of their own."""
    with context.scoped():
        return context.run(context, statements)


def select(context: Context, node: ast.Switch) -> Flow:
    """A ``switch``: its cases are disjoint, so each becomes an ``If`` of its own.

    Raises:
        ProgramRefused: the target is no integer or a case is not constant.
    """
    target = expressions.value(context, node.target)
    if not target.integral:
        raise refuse(node.target, "switch needs an integer", "cast the value to int")
    cases = [
        ([expressions.integer(context, each, "case") for each in case.values], case.body)
        for case in node.cases
    ]
    if target.constant is not None:
        chosen = next((body for values, body in cases if target.constant in values), node.default)
        return Flow.NEXT if chosen is None else block(context, chosen)
    held = context.slot("switch", target.type)
    context.assign(node, held, target)
    for values, body in cases:
        context.branch(node, _among(held, values), partial(block, context, body))
    if node.default is not None:
        known = [value for values, _ in cases for value in values]
        other = circuit.Unary("!", _among(held, known).expression) if known else Constant(value=True)
        default = node.default
        context.branch(node, Typed(other, BOOL), lambda: block(context, default))
    return Flow.NEXT


def _among(slot: int, values: Sequence[int]) -> Typed:
    tests = [circuit.Binary("==", circuit.Variable(slot), Constant(value)) for value in values]
    return Typed(balanced("||", tests), BOOL)
