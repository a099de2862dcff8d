"""``iit.phi``: integrated information of a quantum mechanism."""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.circuit import Gate

Direction: TypeAlias = Literal["cause", "effect"]
CauseOf: TypeAlias = Literal["output", "input"]


class Operator(msgspec.Struct, frozen=True):
    """A unitary as gates, or a square matrix: rows one after the other, real and imaginary parts in turn.

    Qubit 0 is the most significant bit of an index, as kets are written. ``gates`` count only where
    ``matrix`` is empty.
    """

    gates: tuple[Gate, ...] = ()
    matrix: tuple[float, ...] = ()


class PhiItem(msgspec.Struct, frozen=True):
    """What a mechanism says about a purview; both are qubits in ascending order."""

    index: int
    direction: Direction
    mechanism: tuple[int, ...]
    purview: tuple[int, ...]


class PhiEvaluate(msgspec.Struct, frozen=True, tag="iit.phi"):
    """Integrated information of mechanisms of ``qubits`` qubits that ``unitary`` takes on by a step.

    ``state`` is a density matrix, or gates that prepare one from |0…0⟩. Effects are those of this state,
    causes those of the state after the step (``output``) or of this one (``input``).
    """

    qubits: int
    seed: int
    items: tuple[PhiItem, ...]
    unitary: Operator
    state: Operator
    cause_of: CauseOf = "output"


Part: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""A part of a mechanism and a part of a purview; either may be empty."""


class PhiValue(msgspec.Struct, frozen=True, array_like=True):
    """φ of one item, the partition that makes the least difference, and the whole's intrinsic information."""

    index: int
    phi: float
    partition: tuple[Part, ...]
    information: float


class PhiResult(msgspec.Struct, frozen=True, tag="iit.phi"):
    """Answer to ``PhiEvaluate``."""

    items: tuple[PhiValue, ...]
