"""The compiled form of a quantum program: small, typed, without text.

A program is compiled once, when a job is submitted; devices execute this form and never parse
a language. Qubits are numbered from 0 in order of declaration. Bit ``0`` of a register is its
least significant bit, as in Qiskit: the outcome of ``bit[3] c`` is written ``c[2]c[1]c[0]``,
and of several registers the one declared last stands leftmost.

Classical state lives in *slots* (one per declared variable, registers included). Angles are in
radians. Global phases are kept, because a control makes them matter.
"""

from typing import Literal, TypeAlias

import msgspec

Kind = Literal["bit", "bool", "int", "uint", "float", "angle"]

GateName = Literal[
    "id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg",
    "p", "rx", "ry", "rz", "u", "swap", "gphase",
]  # fmt: skip
"""The base gates, with the matrices of Qiskit's gates of these names.

``u(θ, φ, λ)`` is [[cos θ/2, -e^{iλ} sin θ/2], [e^{iφ} sin θ/2, e^{i(φ+λ)} cos θ/2]]; a compiler
adds ``gphase`` where its language defines another phase. All other gates are base gates with
controls."""

GATE_ARGUMENTS: dict[str, int] = {"p": 1, "rx": 1, "ry": 1, "rz": 1, "u": 3, "gphase": 1}
"""Number of angles a base gate takes; 0 where absent."""

GATE_QUBITS: dict[str, int] = {"swap": 2, "gphase": 0}
"""Number of target qubits of a base gate; 1 where absent."""

UnaryOperator = Literal[
    "-", "!", "~", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log", "sqrt",
    "floor", "ceiling", "popcount",
]  # fmt: skip
BinaryOperator = Literal[
    "+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "&&", "||",
    "==", "!=", "<", "<=", ">", ">=", "rotl", "rotr",
]  # fmt: skip


class _Node(msgspec.Struct, frozen=True, array_like=True):
    """Base of all nodes: immutable, encoded as a short array."""


class _Tagged(_Node, frozen=True, tag_field="node"):
    """Base of the members of a union; in an array the tag stands first, its name nowhere."""


class ClassicalType(_Node, frozen=True):
    """Type of a classical value; ``width`` in bits (1 for ``bool``, ignored for ``float``)."""

    kind: Kind
    width: int


class Constant(_Tagged, frozen=True, tag="k"):
    """A literal value."""

    value: bool | int | float


class Parameter(_Tagged, frozen=True, tag="p"):
    """Entry ``index`` of the parameter vector that a work item supplies."""

    index: int


class Variable(_Tagged, frozen=True, tag="v"):
    """The whole value of a slot; a bit register read as an unsigned integer."""

    slot: int


class BitOf(_Tagged, frozen=True, tag="b"):
    """One bit of a slot, 0 or 1."""

    slot: int
    index: "Expression"


class Unary(_Tagged, frozen=True, tag="1"):
    """An operator or function of one value; ``~`` and ``popcount`` act on ``width`` bits."""

    operator: UnaryOperator
    operand: "Expression"
    width: int = 0


class Binary(_Tagged, frozen=True, tag="2"):
    """An operator of two values; ``width`` bits bound shifts and rotations (0: unbounded)."""

    operator: BinaryOperator
    left: "Expression"
    right: "Expression"
    width: int = 0


class Convert(_Tagged, frozen=True, tag="c"):
    """A value converted (wrapped, rounded) to another classical type."""

    type: ClassicalType
    operand: "Expression"


Expression: TypeAlias = Constant | Parameter | Variable | BitOf | Unary | Binary | Convert


class Control(_Node, frozen=True):
    """A control qubit and the value (0 or 1) on which the gate acts."""

    qubit: int
    value: int = 1


class Gate(_Tagged, frozen=True, tag="g"):
    """A base gate raised to ``power`` and controlled; ``power`` is 1 for all but odd roots."""

    name: GateName
    qubits: tuple[int, ...]
    arguments: tuple[Expression, ...] = ()
    controls: tuple[Control, ...] = ()
    power: float = 1.0


class Measure(_Tagged, frozen=True, tag="m"):
    """A measurement in the computational basis; the outcome goes to a bit unless ``slot`` is None."""

    qubit: int
    slot: int | None = None
    bit: int = 0


class Reset(_Tagged, frozen=True, tag="r"):
    """A qubit brought back to |0>."""

    qubit: int


class Assign(_Tagged, frozen=True, tag="="):
    """A classical assignment to a slot, or to one bit of it."""

    slot: int
    value: Expression
    index: Expression | None = None


class If(_Tagged, frozen=True, tag="?"):
    """A branch on a classical condition."""

    condition: Expression
    then: tuple["Statement", ...]
    otherwise: tuple["Statement", ...] = ()


class While(_Tagged, frozen=True, tag="w"):
    """A loop while a classical condition holds."""

    condition: Expression
    body: tuple["Statement", ...]


class For(_Tagged, frozen=True, tag="f"):
    """A loop over ``start, start+step, … ≤ stop`` (≥ for a negative step), the value in ``slot``."""

    slot: int
    start: Expression
    step: Expression
    stop: Expression
    body: tuple["Statement", ...]


class Break(_Tagged, frozen=True, tag="b!"):
    """Leave the innermost loop."""


class Continue(_Tagged, frozen=True, tag="c!"):
    """Go on with the next pass of the innermost loop."""


class End(_Tagged, frozen=True, tag="e!"):
    """End the shot here."""


Statement: TypeAlias = Gate | Measure | Reset | Assign | If | While | For | Break | Continue | End


class Slot(_Node, frozen=True):
    """A declared classical variable. ``output`` marks what a shot returns (bit registers)."""

    name: str
    type: ClassicalType
    initial: bool | int | float = 0
    output: bool = False


class Program(msgspec.Struct, frozen=True):
    """A compiled program.

    ``parameters`` names the entries of the vector that each work item binds, in order.
    """

    qubits: int
    slots: tuple[Slot, ...]
    parameters: tuple[str, ...]
    body: tuple[Statement, ...]

    @property
    def outputs(self) -> tuple[int, ...]:
        """Slots that a shot returns, in order of declaration."""
        return tuple(index for index, slot in enumerate(self.slots) if slot.output)

    @property
    def output_bits(self) -> int:
        """Number of bits in an outcome."""
        return sum(self.slots[index].type.width for index in self.outputs)
