"""Compact encodings of what the two ends announce: slots by their gaps, bits eight to a byte.

A gap of a line that counts one pulse in 10,000 takes two bytes, where its entropy is 14.7 bits. Decoding
trusts nobody: whatever the bytes, it gives what was encoded or raises ``ExchangeInvalid``.
"""

import numpy as np
from numpy.typing import NDArray

from qfleet_agent.qkd.errors import ExchangeInvalid
from qfleet_agent.qkd.quantum.apparatus import Bits, Slots

_GROUP = 7
_MORE = 0x80
_MOST_BYTES = 5
"""A slot is under 2^31, which is five groups of seven bits."""


def packed_slots(slots: Slots) -> bytes:
    """Rising slots as gaps of seven bits to a byte, lowest first, the top bit set where more follow."""
    gaps = np.diff(slots, prepend=-1) - 1
    sizes = np.ones(len(gaps), dtype=np.int64)
    for more in range(1, _MOST_BYTES):
        sizes += gaps >= 1 << (_GROUP * more)
    starts = np.cumsum(sizes) - sizes
    out = np.zeros(int(np.sum(sizes)), dtype=np.uint8)
    for place in range(_MOST_BYTES):
        here = sizes > place
        group = (gaps[here] >> (_GROUP * place)) & (_MORE - 1)
        out[starts[here] + place] = group | np.where(sizes[here] > place + 1, _MORE, 0)
    return out.tobytes()


def unpacked_slots(data: bytes, *, below: int) -> Slots:
    """The slots of a block of ``below`` pulses.

    Raises:
        ExchangeInvalid: Where the bytes end in the middle, or a slot is not in the block.
    """
    stream: NDArray[np.int64] = np.frombuffer(data, dtype=np.uint8).astype(np.int64)
    if len(stream) == 0:
        return np.zeros(0, dtype=np.int64)
    ends = np.flatnonzero(stream < _MORE)
    sizes = np.diff(ends, prepend=-1)
    if len(ends) == 0 or ends[-1] != len(stream) - 1 or sizes.max() > _MOST_BYTES:
        raise ExchangeInvalid("slots do not decode: a gap is cut off or too long")
    starts = ends - sizes + 1
    place = np.arange(len(stream)) - np.repeat(starts, sizes)
    gaps = np.add.reduceat((stream & (_MORE - 1)) << (_GROUP * place), starts)
    slots: Slots = np.cumsum(gaps + 1) - 1
    if slots[-1] >= below:
        raise ExchangeInvalid(f"a slot lies behind the {below} pulses of its block")
    return slots


def packed_bits(bits: Bits) -> bytes:
    """Bits eight to a byte, the first in the top bit, zeros behind the last."""
    return np.packbits(bits).tobytes()


def unpacked_bits(data: bytes, count: int) -> Bits:
    """``count`` bits.

    Raises:
        ExchangeInvalid: Where the bytes hold fewer or more.
    """
    if len(data) != -(-count // 8):
        raise ExchangeInvalid(f"{len(data)} bytes were sent for {count} bits")
    bits: Bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=count)
    return bits
