"""Which bytes of which blocks become a key; pure.

Both ends of a link hold the same blocks and take from them without asking each other. So that they
never take the same bytes, each block is cut in two: the lower half (rounded down to whole bytes)
belongs to the device whose name comes first in the order of its bytes, the upper half to the other.
An end allots from its own half only, the oldest block first, and takes from the other half only
what the peer has announced.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from qfleet_agent.errors import BitsUsed, KeysExhausted
from qfleet_agent.keystore import spans
from qfleet_agent.keystore.spans import Span, Spans

BLOCK_ID_BYTES = 16


class Range(NamedTuple):
    """Bytes ``start`` to ``stop`` of a block, ``stop`` not included."""

    block: bytes
    start: int
    stop: int


class Lot(NamedTuple):
    """A block that bytes can be taken from: its size in bytes, and which are used."""

    block: bytes
    size: int
    used: Spans


def half(size: int, ours: str, theirs: str) -> Span:
    """Return the part of a block of ``size`` bytes that the device ``ours`` allots from.

    Raises:
        BitsUsed: both names are the same.
    """
    if ours == theirs:
        raise BitsUsed(f"the device {ours!r} cannot share a block with itself")
    middle = size // 2
    return (0, middle) if ours.encode() < theirs.encode() else (middle, size)


def free(lot: Lot, ours: str, theirs: str) -> int:
    """Return how many bytes of the block ``ours`` can still allot."""
    low, high = half(lot.size, ours, theirs)
    return sum(stop - start for start, stop in spans.gaps(lot.used, low, high))


def allot(lots: Iterable[Lot], *, number: int, size: int, ours: str, theirs: str) -> list[tuple[Range, ...]]:
    """Choose bytes for ``number`` keys of ``size`` bytes each, cutting and joining blocks as they come.

    Only as many lots are looked at as are needed.

    Raises:
        KeysExhausted: the lots have not enough; it says how many bytes they have.
    """
    pieces = _pieces(lots, ours, theirs)
    rest: Range | None = None
    keys: list[tuple[Range, ...]] = []
    found = 0
    for _ in range(number):
        parts: list[Range] = []
        lacking = size
        while lacking:
            piece = rest or next(pieces, None)
            if piece is None:
                raise KeysExhausted(
                    f"{number} keys of {size} bytes were asked for, and the link to {theirs} "
                    f"has {found + size - lacking} unused bytes"
                )
            taken = min(lacking, piece.stop - piece.start)
            parts.append(Range(piece.block, piece.start, piece.start + taken))
            lacking -= taken
            left = Range(piece.block, piece.start + taken, piece.stop)
            rest = left if left.start < left.stop else None
        keys.append(tuple(parts))
        found += size
    return keys


def check(claimed: Iterable[Range], lots: dict[bytes, Lot], *, ours: str, theirs: str) -> dict[bytes, Spans]:
    """Return what is used of each block once ``theirs`` has used what it claims.

    Raises:
        BitsUsed: with the block that is not here, or of which bytes are used already or not theirs to use.
    """
    used: dict[bytes, Spans] = {}
    for block, start, stop in claimed:
        lot = lots.get(block)
        if lot is None:
            raise BitsUsed(f"no block {block.hex()} is held here", block)
        low, high = half(lot.size, theirs, ours)
        if not low <= start < stop <= high:
            raise BitsUsed(
                f"bytes {start} to {stop} of block {block.hex()} are not all of {theirs}: {low} to {high}",
                block,
            )
        try:
            used[block] = spans.claim(used.get(block, lot.used), start, stop)
        except BitsUsed as error:
            raise BitsUsed(f"of block {block.hex()}, {error}", block) from None
    return used


def _pieces(lots: Iterable[Lot], ours: str, theirs: str) -> Iterator[Range]:
    for lot in lots:
        low, high = half(lot.size, ours, theirs)
        for start, stop in spans.gaps(lot.used, low, high):
            yield Range(lot.block, start, stop)
