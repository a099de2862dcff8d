"""What names stand for while a program is compiled.

Visibility and redeclaration were checked by semantic analysis; here a name only finds its entry.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from openqasm import ast

from qfleet_controlplane.compile.library import Standard
from qfleet_controlplane.compile.typed import Typed
from qfleet_wire.circuit import ClassicalType


@dataclass(frozen=True, slots=True)
class Variable:
    """A classical variable with a slot of its own."""

    slot: int
    type: ClassicalType


@dataclass(frozen=True, slots=True)
class Known:
    """A constant, an input or a gate's parameter: a value that cannot be assigned."""

    value: Typed


@dataclass(frozen=True, slots=True)
class Qubits:
    """Qubits by number. ``register`` tells a register of one qubit from a qubit."""

    numbers: tuple[int, ...]
    register: bool


@dataclass(frozen=True, slots=True)
class Bits:
    """An alias of classical bits, each a slot and a bit of it; bit 0 first."""

    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Array:
    """An array of values, one slot for each element, the last dimension running fastest."""

    type: ClassicalType
    dimensions: tuple[int, ...]
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A name that may be declared but not used, and why."""

    message: str
    hint: str


Entry: TypeAlias = (
    Variable
    | Known
    | Qubits
    | Bits
    | Array
    | Standard
    | ast.GateDefinition
    | ast.SubroutineDefinition
    | Refused
)


@dataclass(slots=True)
class Scope:
    """Names of one block, and the block around it."""

    parent: "Scope | None" = None
    names: dict[str, Entry] = field(default_factory=dict)

    def find(self, name: str) -> Entry | None:
        """The innermost entry of a name, or None."""
        scope: Scope | None = self
        while scope is not None:
            entry = scope.names.get(name)
            if entry is not None:
                return entry
            scope = scope.parent
        return None

    def outermost(self) -> "Scope":
        """The program's global scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope
