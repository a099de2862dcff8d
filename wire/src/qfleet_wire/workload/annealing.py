"""``anneal.sample``: sample low-energy states of a binary quadratic model.

A model of n variables has the energy ``offset + Σ linear[i] x[i] + Σ biases[k] x[heads[k]] x[tails[k]]``
with x in {-1, +1} (``SPIN``) or {0, 1} (``BINARY``). It is summed with exact rounding (``math.fsum``), so
that every device and the control plane find the same number, to the last bit.
"""

import math
from collections.abc import Sequence
from itertools import compress
from operator import mul
from typing import Literal, TypeAlias

import msgspec

READS_PER_BLOCK = 16
"""Reads that share a seed; a job splits between blocks only."""

VariableType: TypeAlias = Literal["SPIN", "BINARY"]
Sampler: TypeAlias = Literal["simulated", "path-integral", "tabu"]


class QuadraticModel(msgspec.Struct, frozen=True):
    """A binary quadratic model over variables 0 to n - 1; ``heads[k] < tails[k]``, no pair twice."""

    variable_type: VariableType
    linear: tuple[float, ...]
    heads: tuple[int, ...]
    tails: tuple[int, ...]
    biases: tuple[float, ...]
    offset: float = 0.0


class AnnealItem(msgspec.Struct, frozen=True):
    """Reads from block ``first_block`` on; ``shots`` of them, all blocks full but the last of the job."""

    first_block: int
    shots: int


class AnnealSample(msgspec.Struct, frozen=True, tag="anneal.sample"):
    """Sample a model ``sweeps`` long per read and return the ``keep`` lowest states.

    ``beta`` are the inverse temperatures at the beginning and the end, ``transverse_field`` the
    strength of the field at the beginning, in the units of the spin form of the model.
    """

    model: QuadraticModel
    seed: int
    items: tuple[AnnealItem, ...]
    sampler: Sampler
    sweeps: int
    keep: int
    beta: tuple[float, float] = (0.1, 1.0)
    transverse_field: float = 0.0


class EnergyLevel(msgspec.Struct, frozen=True, array_like=True):
    """How many reads ended with exactly this energy."""

    energy: float
    reads: int


class LowState(msgspec.Struct, frozen=True, array_like=True):
    """A state, how many reads ended in it, and its energy.

    ``state`` has a bit per variable, variable 0 in the lowest bit of the first byte; 1 is +1 of a spin.
    """

    energy: float
    state: bytes
    reads: int


class AnnealResult(msgspec.Struct, frozen=True, tag="anneal.sample"):
    """Answer to ``AnnealSample``: all energies, ascending, and the lowest states by energy and bits."""

    first_block: int
    reads: int
    levels: tuple[EnergyLevel, ...]
    states: tuple[LowState, ...]


def bits_of(state: bytes, variables: int) -> list[int]:
    """Bits of a packed state, 0 or 1, one for each variable."""
    whole = format(int.from_bytes(state, "little"), f"0{variables}b")
    return [int(bit) for bit in reversed(whole)]


def energy_of(model: QuadraticModel, values: Sequence[int]) -> float:
    """Energy of a state, correctly rounded; ``values`` are -1 and +1, or 0 and 1, as the model's type is."""
    heads, tails = map(values.__getitem__, model.heads), map(values.__getitem__, model.tails)
    products = map(mul, heads, tails)
    if model.variable_type == "BINARY":
        return math.fsum((model.offset, *compress(model.linear, values), *compress(model.biases, products)))
    return math.fsum(
        (model.offset, *map(mul, model.linear, values), *map(mul, model.biases, products)),
    )


def values_of(model: QuadraticModel, bits: Sequence[int]) -> list[int]:
    """Values of the variables: bits as they are, or as spins."""
    return list(bits) if model.variable_type == "BINARY" else [2 * bit - 1 for bit in bits]
