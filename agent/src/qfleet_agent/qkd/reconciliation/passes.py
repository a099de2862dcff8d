"""The passes of one reconciliation: their orders, their blocks, and how boundaries are numbered.

A question is always "what is the parity of the first m bits of frame f in the order of pass p?". Together
with what is known already that equals the parity of a block that ends at m, so a question reveals one bit.
"""

from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from qfleet_agent.errors import ReconciliationUnusable
from qfleet_agent.qkd.reconciliation import permutations, variants
from qfleet_agent.qkd.reconciliation.permutations import Positions

Bits = NDArray[np.uint8]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
FRAME_BITS = 2, 1 << 20
FRAMES = 1, 1 << 14
TOTAL_BITS = 1 << 25
CONFIRMING_PASSES = 50
"""Confirming passes end here even without a row of even ones; 10 in a row come long before."""


class Plan(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What both ends agree on: how many frames of how many bits, with which errors, by which variant."""

    variant: str
    frames: int
    bits: int
    rate: float
    seed: bytes

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ReconciliationUnusable: It says which value, and which are possible.
        """
        variants.named(self.variant)
        for what, value, (low, high) in (("frames", self.frames, FRAMES), ("bits", self.bits, FRAME_BITS)):
            if not low <= value <= high:
                raise ReconciliationUnusable(f"{value} {what}: there may be {low} to {high}")
        if self.frames * self.bits > TOTAL_BITS:
            raise ReconciliationUnusable(
                f"{self.frames} frames of {self.bits} bits are over {TOTAL_BITS} bits"
            )
        if not 0.0 <= self.rate <= variants.HIGHEST_RATE:
            raise ReconciliationUnusable(
                f"an error rate of {self.rate} is not in 0 to {variants.HIGHEST_RATE}"
            )
        if len(self.seed) != permutations.SEED_BYTES:
            raise ReconciliationUnusable(f"a seed has {permutations.SEED_BYTES} bytes, not {len(self.seed)}")


class Passes:
    """Blocks and orders of all passes of a plan. ``cascading`` of them search earlier passes again."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.variant = variants.named(plan.variant)
        sizes = self.variant.sizes(max(plan.rate, variants.LOWEST_RATE), plan.bits)
        self.cascading = len(sizes)
        extra = CONFIRMING_PASSES if self.variant.confirming else 0
        self.sizes: Indices = np.array([*sizes, *[plan.bits // 2] * extra], dtype=np.int64)
        self.covered: Indices = np.full(self.sizes.size, plan.bits, dtype=np.int64)
        self.covered[self.cascading :] = plan.bits // 2
        self.blocks: Indices = -(-self.covered // self.sizes)
        self.offsets: Indices = np.concatenate([[0], np.cumsum(plan.frames * self.blocks)])
        self.opened = self.cascading + self.variant.confirming
        self._orders: dict[int, Positions] = {0: np.arange(plan.bits, dtype=np.int32)}

    @property
    def count(self) -> int:
        """How many passes there may be."""
        return int(self.sizes.size)

    def order(self, number: int) -> Positions:
        """Which bit stands where in a pass; the first pass leaves them where they are."""
        if number not in self._orders:
            plan = self.plan
            self._orders[number] = permutations.permutation(plan.seed, number, plan.bits)
        return self._orders[number]

    @cached_property
    def places(self) -> Positions:
        """Where each bit stands in each pass, [passes, bits]."""
        return np.stack([permutations.inverse(self.order(number)) for number in range(self.count)])

    def ends(self, number: int) -> Indices:
        """The boundaries after each block of a pass."""
        ends: Indices = np.arange(1, self.blocks[number] + 1, dtype=np.int64) * self.sizes[number]
        ends[-1] = self.covered[number]
        return ends

    def asked_ends(self, number: int) -> Indices:
        """The boundaries of a pass that the opening asks for."""
        ends = self.ends(number)
        return ends[:-1] if number and self.variant.total_once else ends

    @property
    def opening_bits(self) -> int:
        """How many parities of each frame the opening asks for."""
        return sum(self.asked_ends(number).size for number in range(self.opened))


def prefixes(packed: Bits, order: Positions) -> Bits:
    """Parities of the first 0, 1, … bits in an order, eight frames in a byte.

    Args:
        packed: [bits, bytes], one row for each bit of the frames.
        order: which bit stands where.

    Returns:
        [bits + 1, bytes].
    """
    sums = np.zeros((packed.shape[0] + 1, packed.shape[1]), dtype=np.uint8)
    np.bitwise_xor.accumulate(packed[order], axis=0, out=sums[1:])
    return sums


def packed_frames(key: Bits) -> Bits:
    """Turn a key [frames, bits] of zeros and ones into rows for each bit, eight frames in a byte."""
    return np.packbits(key.T, axis=1, bitorder="little")


def unpacked_rows(rows: Bits, frames: int) -> Bits:
    """Turn rows of packed frames into [frames, rows]."""
    return np.ascontiguousarray(np.unpackbits(rows, axis=1, count=frames, bitorder="little").T)


def checked_key(key: NDArray[np.uint8]) -> Bits:
    """A key as [frames, bits] of zeros and ones.

    Raises:
        ReconciliationUnusable: It is of another shape or has other values.
    """
    bits = np.asarray(key)
    if bits.ndim != 2 or not bits.size or bits.dtype != np.uint8 or bits.max() > 1:
        raise ReconciliationUnusable("a key for reconciliation is an array [frames, bits] of bytes 0 and 1")
    return bits
