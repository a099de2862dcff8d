"""Permutations that two ends compute alike from a seed: raw Philox numbers, sorted.

numpy promises the raw stream of a bit generator for ever, but not what ``Generator.permutation`` makes of
it (NEP 19), and the two ends may run different versions. Philox4x64-10: Salmon et al., SC '11. The pass is
part of the counter, so that each pass has 2^128 numbers of its own.
"""

import numpy as np
from numpy.typing import NDArray

SEED_BYTES = 16
_INDEX_BITS = 24
_INDEX = np.uint64((1 << _INDEX_BITS) - 1)
Positions = NDArray[np.int32]


def permutation(seed: bytes, stream: int, bits: int) -> Positions:
    """The order of a pass: element p is the bit that stands at position p; at most 2^24 bits.

    The upper 40 bits of a random number are the sorting key and the index stands in the lower 24, so no two
    are equal and every way of sorting gives the same answer.
    """
    key = np.frombuffer(seed, dtype="<u8").astype(np.uint64)
    counter = np.array([0, 0, stream, 0], dtype=np.uint64)
    raw = np.random.Philox(key=key, counter=counter).random_raw(bits)
    keyed = (raw & ~_INDEX) | np.arange(bits, dtype=np.uint64)
    keyed.sort()
    return (keyed & _INDEX).astype(np.int32)


def inverse(order: Positions) -> Positions:
    """Where each bit stands: element b is the position of bit b."""
    places = np.empty_like(order)
    places[order] = np.arange(order.size, dtype=np.int32)
    return places
