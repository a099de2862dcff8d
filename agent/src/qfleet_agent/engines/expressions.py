"""Expressions compiled to closures over the list of classical slots.

A compiled expression is either a plain value (nothing in it varies within a work item) or a
function of the slots. Parameters are bound when it is compiled. What operators mean stands in
``qfleet_wire.circuit_values``; here is only what is evaluated when.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from qfleet_agent.engines.errors import WorkInvalid
from qfleet_wire import circuit, circuit_values
from qfleet_wire.circuit_values import Value

Slots: TypeAlias = list[Value]
Reader: TypeAlias = Callable[[Slots], Value]


class Scope:
    """What expressions may name: the program's slots and one vector of parameters."""

    def __init__(self, slots: Sequence[circuit.Slot], parameters: Sequence[float]) -> None:
        self.slots = slots
        self.parameters = parameters

    def slot(self, index: int) -> circuit.Slot:
        """Return a declared slot.

        Raises:
            WorkInvalid: there is none of this number.
        """
        if not 0 <= index < len(self.slots):
            raise WorkInvalid(f"program names slot {index} and declares {len(self.slots)}")
        return self.slots[index]

    def compile(self, expression: circuit.Expression) -> Value | Reader:
        """Compile an expression; a value that is the same for the whole item is folded."""
        match expression:
            case circuit.Unary(name, operand, width):
                inner = self.compile(operand)
                return _folded(lambda slots: circuit_values.unary(name, _read(inner, slots), width), inner)
            case circuit.Convert(kind, operand):
                inner = self.compile(operand)
                return _folded(lambda slots: circuit_values.convert(kind, _read(inner, slots)), inner)
            case circuit.Binary(operator, left, right, width):
                first, second = self.compile(left), self.compile(right)
                return _folded(
                    lambda slots: circuit_values.binary(
                        operator, _read(first, slots), _read(second, slots), width
                    ),
                    first,
                    second,
                )
            case _:
                return self._leaf(expression)

    def reader(self, expression: circuit.Expression) -> Reader:
        """Compile an expression to a function even where it is constant."""
        compiled = self.compile(expression)
        return compiled if callable(compiled) else lambda _: compiled

    def integer_reader(self, expression: circuit.Expression) -> Callable[[Slots], int]:
        """Compile an expression that indexes bits: cut to an integer."""
        read = self.reader(expression)
        return lambda slots: int(circuit_values.convert(_INDEX, read(slots)))

    def _leaf(
        self, expression: circuit.Constant | circuit.Parameter | circuit.Variable | circuit.BitOf
    ) -> Value | Reader:
        match expression:
            case circuit.Constant(value):
                return value
            case circuit.Parameter(index):
                return self._parameter(index)
            case circuit.Variable(number):
                self.slot(number)
                return lambda slots: slots[number]
            case circuit.BitOf(number):
                self.slot(number)
                place = self.compile(expression.index)
                if isinstance(place, int) and place >= 0:
                    shift = int(place)
                    return lambda slots: int(slots[number]) >> shift & 1
                return lambda slots: circuit_values.evaluate(expression, self.parameters, slots)

    def _parameter(self, index: int) -> float:
        if not 0 <= index < len(self.parameters):
            raise WorkInvalid(f"program reads parameter {index}; the work item gives {len(self.parameters)}")
        return self.parameters[index]


_INDEX = circuit.ClassicalType("int", 64)


def _read(compiled: Value | Reader, slots: Slots) -> Value:
    return compiled(slots) if callable(compiled) else compiled


def _folded(reader: Reader, *operands: Value | Reader) -> Value | Reader:
    return reader if any(map(callable, operands)) else reader([])
