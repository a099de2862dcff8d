"""What statements may change, read from the tree before they are compiled.

A loop of the compiled program may come to its start again, so what its body assigns is not
known there.
"""

from collections.abc import Iterable

import openqasm
from openqasm import ast

from qfleet_controlplane.compile.context import Context
from qfleet_controlplane.compile.scopes import Array, Bits, Scope, Variable


def changed(context: Context, statements: Iterable[ast.Node]) -> set[int]:
    """Slots of the present scope that statements may assign; a few more do no harm."""
    slots: set[int] = set()
    for root in statements:
        for node in openqasm.walk(root):
            if isinstance(node, ast.Assignment | ast.MeasureStatement) and node.target is not None:
                name = node.target.name
                slots |= _slots(context.scope, name if isinstance(name, str) else name.name)
            elif isinstance(node, ast.FunctionCall | ast.GateCall):
                names = [each.name for each in node.arguments if isinstance(each, ast.Identifier)]
                slots = slots.union(*(_arrays(context.scope, name) for name in names))
            elif isinstance(node, ast.AliasDeclaration):
                inner = [each for each in openqasm.walk(node.value) if isinstance(each, ast.Identifier)]
                slots = slots.union(*(_slots(context.scope, each.name) for each in inner))
    return slots


def _slots(scope: Scope, name: str) -> set[int]:
    entry = scope.find(name)
    if isinstance(entry, Variable):
        return {entry.slot}
    if isinstance(entry, Bits):
        return {slot for slot, _ in entry.places}
    return _arrays(scope, name)


def _arrays(scope: Scope, name: str) -> set[int]:
    entry = scope.find(name)
    return set(entry.slots) if isinstance(entry, Array) else set()
