"""Where randomness comes from: numbers that depend on block seed, draw and shot, and on nothing else.

This is part of the specification of answers. Draw ``d`` of shot ``s`` of a block is
``(w >> 11) / 2^53`` where ``w`` is the ``s``-th 64-bit word of Philox4x64-10 with key = the block's
seed (``workload.block_seed``) and starting counter = d · 2^64. A shot counts its draws from 0: one for
each ``Measure`` and ``Reset`` that it executes, in order, and one for its final measurements together.
So any shot of any block can be run alone, in any order, on any device.
"""

from collections import OrderedDict
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from qfleet_wire import workload

Uniforms: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]
"""Basis states: qubit q is bit q."""

_KEPT = 1024
"""Vectors that one block keeps: 8 MiB."""


def uniforms(seed: int, draw: int) -> Uniforms:
    """Draw ``draw`` of all shots of a full block: shape (1024,), in [0, 1)."""
    words = np.random.Philox(key=seed, counter=draw << 64).random_raw(workload.SHOTS_PER_BLOCK)
    drawn: Uniforms = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return drawn


class Block:
    """The draws of one block, the most recent ones kept."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._kept: OrderedDict[int, Uniforms] = OrderedDict()

    def draw(self, number: int) -> Uniforms:
        """Draw ``number`` of all shots of the block."""
        kept = self._kept.get(number)
        if kept is None:
            kept = self._kept[number] = uniforms(self._seed, number)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return kept


def sizes(shots: int) -> list[int]:
    """Return the shots of each block of an item: full ones, then the rest."""
    full, rest = divmod(shots, workload.SHOTS_PER_BLOCK)
    return [workload.SHOTS_PER_BLOCK] * full + [rest] * (rest > 0)
