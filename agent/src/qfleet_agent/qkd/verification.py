"""Error verification: a short hash of the reconciled key under a fresh seed, which unequal keys do not share.

The key is read as a polynomial over the integers modulo p = 2^127 - 1 and evaluated at a random point; a
random affine map takes the value, and its lowest t bits are the tag. Polynomials of degree L agree at no
more than L points (Carter and Wegman, J. Comput. Syst. Sci. 18, 143 (1979); Bernstein, FSE 2005), and the
affine maps are strongly universal up to 1 / p, so that unequal keys pass with at most 2^-t + (L + 2) / p.
The tag tells t bits of the key: the term log2(2 / ε_cor) of the key length stands for them.
"""

import numpy as np

from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_agent.qkd.quantum.apparatus import Bits

PRIME = 2**127 - 1
SEED_BYTES = 48
_BLOCK = 15
"""Bytes to a coefficient: 120 bits, below p."""


def tag_bits(count: int, correctness: float) -> int:
    """t, the shortest tag of a key of ``count`` bits that unequal keys share with at most ε_cor.

    Raises:
        ExchangeMisused: Where no tag reaches ε_cor.
    """
    polynomial = (_degree(count) + 2) / PRIME
    for bits in range(1, 127):
        if 2.0**-bits + polynomial < correctness:
            return bits
    raise ExchangeMisused(f"no tag of this hash lets unequal keys pass with at most {correctness:g}")


def tag(key: Bits, seed: bytes, bits: int) -> bytes:
    """The tag of a key, its lowest ``bits`` bits in big-endian bytes.

    Raises:
        ExchangeMisused: Where the seed has not ``SEED_BYTES``.
    """
    if len(seed) != SEED_BYTES:
        raise ExchangeMisused(f"a seed of {len(seed)} bytes was given, and {SEED_BYTES} are needed")
    point, factor, offset = (
        (int.from_bytes(seed[at : at + 16], "big") >> 1) % PRIME for at in range(0, SEED_BYTES, 16)
    )
    data = np.packbits(key).tobytes()
    value = len(key)  # keys of other lengths are other polynomials
    for at in range(0, len(data), _BLOCK):
        value = (value * point + int.from_bytes(data[at : at + _BLOCK], "big")) % PRIME
    value = (value * factor + offset) % PRIME & ((1 << bits) - 1)
    return value.to_bytes(-(-bits // 8), "big")


def _degree(count: int) -> int:
    """L, the number of coefficients of a key."""
    return (count + 8 * _BLOCK - 1) // (8 * _BLOCK)
