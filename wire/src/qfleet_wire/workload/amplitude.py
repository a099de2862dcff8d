"""``amplitude.estimate``: estimate the amplitude of a marked outcome.

An item is a problem. Round r of an item draws its shots from ``block_seed(seed, item, r)``.
"""

import math
from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.circuit import Program

Confidence: TypeAlias = Literal["clopper-pearson", "chernoff"]


_APPLIED = 1 << 27
_STEP = 4096


def applies(qubits: int, epsilon: float) -> bool:
    """Whether an engine applies the Grover operator itself, at most π/4ε times for all powers.

    Each time costs as much as 2^n + 4096 amplitudes do. Beyond 2^27 of these, about a second, an engine takes
    chances from the angle of the prepared state. Told by the problem, so that all devices do the same.
    """
    return ((1 << qubits) + _STEP) * math.pi / (4.0 * epsilon) <= _APPLIED


class AmplitudeItem(msgspec.Struct, frozen=True):
    """A problem: the probability that the ``objective`` qubits of a prepared state have a ``good`` outcome.

    In an outcome's integer the objective that is named first is the lowest bit. ``program`` is gates alone.
    """

    index: int
    program: Program
    objective: tuple[int, ...]
    good: tuple[int, ...]


class AmplitudeEstimate(msgspec.Struct, frozen=True, tag="amplitude.estimate"):
    """Estimate amplitudes to ± ``epsilon`` with confidence 1 - ``alpha``, ``round_shots`` shots a round.

    ``qubits`` is the width of the widest program.
    """

    qubits: int
    seed: int
    items: tuple[AmplitudeItem, ...]
    epsilon: float
    alpha: float
    round_shots: int
    confidence: Confidence = "clopper-pearson"


class AmplitudeRound(msgspec.Struct, frozen=True, array_like=True):
    """One round: how often the Grover operator was applied, and how many of its shots were good."""

    power: int
    shots: int
    hits: int


class AmplitudeValue(msgspec.Struct, frozen=True):
    """The interval of one item's amplitude, its middle, and the rounds that led to it."""

    index: int
    estimate: float
    lower: float
    upper: float
    rounds: tuple[AmplitudeRound, ...]


class AmplitudeResult(msgspec.Struct, frozen=True, tag="amplitude.estimate"):
    """Answer to ``AmplitudeEstimate``."""

    items: tuple[AmplitudeValue, ...]
