"""Quantum operands: names, indices, slices and aliases → numbers of qubits; broadcasting."""

from collections.abc import Sequence

from openqasm import ast

from qfleet_controlplane.compile import expressions, selection
from qfleet_controlplane.compile.context import Context
from qfleet_controlplane.compile.errors import refuse
from qfleet_controlplane.compile.scopes import Bits, Qubits, Variable
from qfleet_controlplane.compile.typed import Typed
from qfleet_wire.limits import LIMITS

_MIXED = "use either declared qubits or hardware qubits, not both"


def qubits(context: Context, node: ast.Node) -> Qubits:
    """The qubits that an operand names.

    Raises:
        ProgramRefused: it names none, or an index is out of range or not known.
    """
    if isinstance(node, ast.IndexedIdentifier):
        found = qubits(context, node.name)
        for index in node.indices:
            found = _indexed(context, node, found, index)
        return found
    if isinstance(node, ast.Identifier):
        entry = context.find(node)
        if isinstance(entry, Qubits):
            return entry
        raise refuse(node, f"'{node.name}' is not a qubit", "give a qubit or a register of qubits")
    if isinstance(node, ast.HardwareQubit):
        return hardware(context, node)
    if isinstance(node, ast.IndexExpression):
        return _indexed(context, node, qubits(context, node.collection), node.index)
    if isinstance(node, ast.Concatenation):
        numbers = qubits(context, node.lhs).numbers + qubits(context, node.rhs).numbers
        _check_apart(node, numbers)
        return Qubits(numbers, register=True)
    raise refuse(node, "this is not a qubit", "give a qubit or a register of qubits")


def _indexed(context: Context, node: ast.Node, found: Qubits, index: ast.Index) -> Qubits:
    def evaluate(each: ast.Expression) -> Typed:
        return expressions.value(context, each)

    numbers, register = selection.select(node, found.numbers, index, evaluate)
    return Qubits(numbers, register)


def _check_apart(node: ast.Node, parts: Sequence[object]) -> None:
    if len(set(parts)) < len(parts):
        raise refuse(node, "a register is joined with a part of itself", "join registers that do not overlap")


def declare(context: Context, node: ast.QubitDeclaration) -> None:
    """Number the qubits of a declaration.

    Raises:
        ProgramRefused: they are more than a device can be sent.
    """
    size = 1 if node.size is None else expressions.integer(context, node.size, "size")
    if context.hardware:
        raise refuse(node, "qubits declared after hardware qubits were used", _MIXED)
    first = context.qubits
    if first + size > LIMITS.tableau_qubits:
        hint = "no device can simulate so many"
        raise refuse(node, f"{first + size} qubits are more than {LIMITS.tableau_qubits}", hint)
    context.qubits += size
    numbers = tuple(range(first, first + size))
    context.scope.names[node.name.name] = Qubits(numbers, register=node.size is not None)


def hardware(context: Context, node: ast.HardwareQubit) -> Qubits:
    """A physical qubit; ``$k`` is qubit k of a program that declares none.

    Raises:
        ProgramRefused: the program declares qubits too, or the number is too large.
    """
    if context.qubits and not context.hardware:
        raise refuse(node, f"hardware qubit ${node.index} in a program that declares qubits", _MIXED)
    if node.index >= LIMITS.tableau_qubits:
        raise refuse(node, f"${node.index} is beyond ${LIMITS.tableau_qubits - 1}", "use smaller numbers")
    context.hardware = True
    context.qubits = max(context.qubits, node.index + 1)
    return Qubits((node.index,), register=False)


def broadcast(node: ast.Node, operands: Sequence[Qubits]) -> list[tuple[int, ...]]:
    """The tuples of qubits that a gate acts on, one after the other.

    Registers must have one size; single qubits are repeated.

    Raises:
        ProgramRefused: sizes differ, or a qubit stands twice.
    """
    if not any(operand.register for operand in operands):
        applications = [tuple(operand.numbers[0] for operand in operands)]
    else:
        sizes = {len(operand.numbers) for operand in operands if operand.register}
        if len(sizes) > 1:
            named = " and ".join(map(str, sorted(sizes)))
            raise refuse(node, f"registers of {named} qubits in one gate", "give registers of one size")
        size = sizes.pop()
        columns = [each.numbers if each.register else each.numbers * size for each in operands]
        applications = list(zip(*columns, strict=True))
    for application in applications:
        if len(set(application)) < len(application):
            raise refuse(node, "the same qubit is used more than once", "give distinct qubits")
    return applications


def alias(context: Context, node: ast.Expression) -> Qubits | Bits:
    """What ``let`` names: qubits or classical bits.

    Raises:
        ProgramRefused: something else, or an index that is not known.
    """
    bits = classical(context, node)
    return qubits(context, node) if bits is None else bits


def classical(  # noqa: PLR0911 - one return for each kind of operand
    context: Context, node: ast.Node
) -> Bits | None:
    """The classical bits that an operand names, or None if it names none.

    Raises:
        ProgramRefused: an index is out of range or not known.
    """
    if isinstance(node, ast.Identifier):
        entry = context.find(node)
        if isinstance(entry, Variable) and entry.type.kind == "bit":
            context.spend(node, entry.type.width)
            return Bits(tuple((entry.slot, bit) for bit in range(entry.type.width)))
        return entry if isinstance(entry, Bits) else None
    if isinstance(node, ast.Concatenation):
        left, right = classical(context, node.lhs), classical(context, node.rhs)
        if left is None or right is None:
            return None
        _check_apart(node, left.places + right.places)
        return Bits(left.places + right.places)
    if isinstance(node, ast.IndexExpression):
        whole = classical(context, node.collection)
        if whole is None:
            return None
        places, _ = selection.select(
            node, whole.places, node.index, lambda each: expressions.value(context, each)
        )
        return Bits(places)
    return None
