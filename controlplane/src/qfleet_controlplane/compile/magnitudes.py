"""Bounds on constant integers, so that no program makes the compiler compute a giant number.

Semantic analysis evaluates constant expressions exactly. ``9**9**9`` would keep it busy for
hours; here such an expression is found by its size alone. Nothing here computes a value.
"""

from collections.abc import Iterator

import openqasm
from openqasm import ast

from qfleet_controlplane.compile.errors import refuse

BITS = 1000
"""Largest constant integer in bits; a double still holds it."""

_HINT = "no type holds more than 64 bits; use a float constant such as 1e30"
_SUSPECTS = ("**", "<<", "^", "pow", "const")


def check(program: ast.Program, text: str) -> None:
    """Refuse a program with a constant integer expression that may exceed ``BITS`` bits.

    Raises:
        ProgramRefused: at the expression.
    """
    if any(suspect in text for suspect in _SUSPECTS):
        _Magnitudes().run(program)


class _Magnitudes:
    """Upper bounds on the bits of constants; None stands for "not a constant integer"."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.seen: dict[int, int | None] = {}

    def run(self, program: ast.Program) -> None:
        for node in _postorder(program):
            if isinstance(node, ast.ConstDeclaration):
                bits = self.seen.get(id(node.init))
                if bits is not None:
                    self.names[node.name.name] = max(bits, self.names.get(node.name.name, 0))
            elif isinstance(node, ast.Expression):
                bits = self.seen[id(node)] = self.bits(node)
                if bits is not None and bits > BITS:
                    raise refuse(node, f"constant integer of more than {BITS} bits", _HINT)

    def bits(self, node: ast.Expression) -> int | None:  # noqa: PLR0911 - one return for each kind of node
        match node:
            case ast.IntegerLiteral(value=value):
                return value.bit_length()
            case ast.BitstringLiteral(width=width):
                return min(width, BITS)
            case ast.BooleanLiteral():
                return 1
            case ast.Identifier(name=name):
                return self.names.get(name)
            case ast.UnaryExpression(operand=operand) | ast.Cast(operand=operand):
                return self.seen.get(id(operand))
            case ast.BinaryExpression(op=operator, lhs=left, rhs=right):
                return self.binary(operator, left, right)
            case ast.FunctionCall(name=ast.Identifier(name="pow"), arguments=[left, right]):
                return self.binary(ast.BinaryOperator.POWER, left, right)
            case _:
                return None

    def binary(self, operator: ast.BinaryOperator, left: ast.Node, right: ast.Node) -> int | None:
        first, second = self.seen.get(id(left)), self.seen.get(id(right))
        if first is None or second is None:
            return None
        match operator:
            case ast.BinaryOperator.POWER:
                return first * (1 << min(second, 12))
            case ast.BinaryOperator.SHIFT_LEFT:
                return first + (1 << min(second, 12))
            case ast.BinaryOperator.MULTIPLY:
                return first + second
            case _:
                return max(first, second) + 1


def _postorder(root: ast.Node) -> Iterator[ast.Node]:
    """Every node after its children and in order of the text; without recursion."""
    stack: list[tuple[ast.Node, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            yield node
            continue
        stack.append((node, True))
        children = list(openqasm.visitor.iter_children(node))
        stack.extend((child, False) for child in reversed(children))
