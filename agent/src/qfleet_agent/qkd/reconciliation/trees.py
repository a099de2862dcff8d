"""What is known of the blocks that are being searched: halves of halves of the top blocks, as flat arrays.

A block is halved at its middle, so each middle belongs to one node of one tree, and what is known of a node
can stand at its middle: one byte per bit of a frame and pass. A pass of a frame gets such a row, a slot,
once a search starts there. All functions take arrays, one element for each block or flip, over all frames
and passes at once.
"""

import numpy as np

from qfleet_agent.qkd.reconciliation.passes import Bits, Indices, Passes

_ODD = np.uint8(1)
"""Parity of the differences in the left half of the node; until it is known, of the flips there."""
_KNOWN = np.uint8(2)
_OWN = np.uint8(4)
"""Parity of the own bits before this position when the slot began."""
_DIFFERS = np.uint8(8)
"""Whether the reference has the other parity before this position; of boundaries that were asked."""


class Trees:
    """Slots and the trees in them."""

    def __init__(self, layout: Passes) -> None:
        frames = layout.plan.frames
        self._sizes = layout.sizes
        self._covered = layout.covered
        self._row = layout.plan.bits + 1
        self._cells: Bits = np.zeros(0, dtype=np.uint8)
        self._used = 0
        self.slot_of: Indices = np.full((layout.count, frames), -1, dtype=np.int64)
        self.number_of: Indices = np.zeros(0, dtype=np.int64)
        self.frame_of: Indices = np.zeros(0, dtype=np.int64)

    def start(self, number: int, frames: Indices, own: Bits, ends: Indices, reference: Bits) -> None:
        """Begin slots of a pass for some frames.

        Args:
            number: the pass.
            frames: which frames, [starting].
            own: bits of these frames in the order of the pass, [starting, bits].
            ends: the ends of the top blocks.
            reference: parities of the reference up to these ends, [starting, blocks].
        """
        first = self._used
        self._used += frames.size
        self._grow()
        self.slot_of[number, frames] = np.arange(first, self._used)
        self.number_of = np.concatenate([self.number_of, np.full(frames.size, number, dtype=np.int64)])
        self.frame_of = np.concatenate([self.frame_of, frames])
        rows = self._cells[first * self._row : self._used * self._row].reshape(frames.size, self._row)
        np.bitwise_xor.accumulate(own, axis=1, out=rows[:, 1:])
        rows[:, ends] |= (rows[:, ends] ^ reference) << 1
        rows <<= 2

    def halve(self, slots: Indices, low: Indices, high: Indices, answers: Bits) -> tuple[Indices, Indices]:
        """Take the parity of the reference up to the middle of odd blocks; return the odd halves."""
        middle = (low + high) >> 1
        base = slots * self._row
        cells = self._cells[base + middle]
        differs = answers ^ ((cells & _OWN) >> 2)
        left = (cells & _ODD) ^ differs ^ ((self._cells[base + low] & _DIFFERS) >> 3)
        self._cells[base + middle] = (cells & _OWN) | left | _KNOWN | (differs << 3)
        return np.where(left, low, middle), np.where(left, middle, high)

    def flip(self, slots: Indices, positions: Indices) -> None:
        """Count differences that went away, in every node above them."""
        low, high = self._tops(slots, positions)
        base = slots * self._row
        while base.size:
            middle = (low + high) >> 1
            left = positions < middle
            np.bitwise_xor.at(self._cells, (base + middle)[left], _ODD)
            low, high = np.where(left, low, middle), np.where(left, middle, high)
            more = high - low > 1
            base, low, high, positions = base[more], low[more], high[more], positions[more]

    def around(self, slots: Indices, positions: Indices, odd: Bits) -> tuple[Indices, Indices, Bits]:
        """Find the smallest known block around positions; ``odd`` tells it of their top blocks."""
        return self._descend(slots, positions, odd)

    def odd_path(self, slots: Indices, positions: Indices) -> tuple[Indices, Indices, Bits]:
        """Find a smallest known odd block in odd top blocks, each named by a position in it."""
        return self._descend(slots, positions, None)

    def _descend(self, slots: Indices, positions: Indices, odd: Bits | None) -> tuple[Indices, Indices, Bits]:
        low, high = self._tops(slots, positions)
        parity = np.ones(slots.size, dtype=np.uint8) if odd is None else odd.copy()
        at: Indices = np.arange(slots.size)
        while at.size:
            middle = (low[at] + high[at]) >> 1
            cells = self._cells[slots[at] * self._row + middle]
            more = ((cells & _KNOWN) != 0) & (high[at] - low[at] > 1)
            at, middle, halves = at[more], middle[more], cells[more] & _ODD
            left = halves != 0 if odd is None else positions[at] < middle
            low[at] = np.where(left, low[at], middle)
            high[at] = np.where(left, middle, high[at])
            parity[at] = np.where(left, halves, parity[at] ^ halves)
        return low, high, parity

    def _tops(self, slots: Indices, positions: Indices) -> tuple[Indices, Indices]:
        numbers = self.number_of[slots]
        sizes = self._sizes[numbers]
        low = positions // sizes * sizes
        return low, np.minimum(low + sizes, self._covered[numbers])

    def _grow(self) -> None:
        needed = self._used * self._row
        if needed > self._cells.size:
            grown = np.zeros(max(needed, 2 * self._cells.size), dtype=np.uint8)
            grown[: self._cells.size] = self._cells
            self._cells = grown
