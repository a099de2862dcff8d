"""Single bits of values and registers, taken apart and put together."""

from collections.abc import Sequence

from openqasm import ast

from qfleet_controlplane.compile import arithmetic, typed
from qfleet_controlplane.compile.context import Context
from qfleet_controlplane.compile.scopes import Bits
from qfleet_controlplane.compile.typed import BIT, Typed
from qfleet_wire import circuit
from qfleet_wire.circuit import ClassicalType, Constant


def wrapped(node: ast.Node, position: Typed, size: int) -> Typed:
    """An index that is known only when the program runs, a negative one counted from the end."""
    if position.type.kind != "int":
        return position
    negative = arithmetic.binary(node, "<", position, typed.weak(node, 0))
    offset = arithmetic.binary(node, "*", negative, typed.weak(node, size))
    return arithmetic.binary(node, "+", position, offset)


def bit_at(whole: Typed, position: Typed) -> Typed:
    """One bit of a value, by its position from the least significant."""
    if isinstance(whole.expression, circuit.Variable):
        return Typed(circuit.BitOf(whole.expression.slot, position.expression), BIT)
    width = whole.type.width
    shifted = typed.folded(circuit.Binary(">>", whole.expression, position.expression, width))
    return Typed(typed.folded(circuit.Binary("&", shifted, Constant(1), width)), BIT)


def selected(whole: Typed, places: Sequence[int]) -> Typed:
    """The bits at these places as a register; neighbours are cut out by one shift and one mask."""
    count = len(places)
    to = ClassicalType("bit", count)
    if count < typed.WORD and list(places) == list(range(places[0], places[0] + count)):
        width = whole.type.width
        shifted = typed.folded(circuit.Binary(">>", whole.expression, Constant(places[0]), width))
        return Typed(typed.folded(circuit.Binary("&", shifted, Constant((1 << count) - 1), width)), to)
    picked = [bit_at(whole, typed.literal(place, typed.INT)) for place in places]
    return Typed(joined([bit.expression for bit in picked]), to)


def joined(bits: Sequence[circuit.Expression]) -> circuit.Expression:
    """An unsigned integer of single bits, the first one least significant."""
    total: list[circuit.Expression] = []
    constant = 0
    for place, bit in enumerate(bits):
        if isinstance(bit, Constant):
            constant |= int(bit.value) << place
        else:
            shift = circuit.Binary("<<", bit, Constant(place), len(bits))
            total.append(shift if place else bit)
    if constant or not total:
        total.append(Constant(constant))
    return _sum(total)


def _sum(terms: Sequence[circuit.Expression]) -> circuit.Expression:
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return circuit.Binary("|", _sum(terms[:middle]), _sum(terms[middle:]))


def gathered(context: Context, alias: Bits) -> Typed:
    """The value of bits wherever they lie, as a register."""
    bits = []
    for slot, place in alias.places:
        held = context.known.get(slot)
        known = None if held is None else Constant(int(held) >> place & 1)
        bits.append(known or circuit.BitOf(slot, Constant(place)))
    return Typed(joined(bits), ClassicalType("bit", len(bits)))
