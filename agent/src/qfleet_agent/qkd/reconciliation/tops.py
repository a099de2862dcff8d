"""The parities of the top blocks of all passes: which differ between the two ends, as far as is known."""

import numpy as np

from qfleet_agent.qkd.reconciliation import passes
from qfleet_agent.qkd.reconciliation.passes import Bits, Indices, Passes


class Tops:
    """Top blocks of all passes and frames in one flat array, pass by pass and frame by frame.

    ``odd`` says where the ends hold different parities, kept true while errors are corrected; ``reference``
    has the other end's parity of all bits up to the end of a block.
    """

    def __init__(self, layout: Passes, key: Bits) -> None:
        self._layout = layout
        size = int(layout.offsets[-1])
        self.odd: Bits = np.zeros(size, dtype=np.uint8)
        self.reference: Bits = np.zeros(size, dtype=np.uint8)
        packed = passes.packed_frames(key)
        for number in range(layout.opened):
            sums = passes.prefixes(packed, layout.order(number))
            rows = passes.unpacked_rows(sums[layout.ends(number)], layout.plan.frames)
            self.of(self.odd, number)[:] = rows

    def of(self, values: Bits, number: int) -> Bits:
        """The part of a flat array that belongs to a pass, [frames, blocks]."""
        start, end = self._layout.offsets[number : number + 2]
        return values[start:end].reshape(self._layout.plan.frames, -1)

    def hear(self, parities: Bits) -> None:
        """Take the answers of the opening: from parities up to each end to those of the blocks."""
        at = 0
        frames = self._layout.plan.frames
        for number in range(self._layout.opened):
            asked = self._layout.asked_ends(number).size
            ends = self.of(self.reference, number)
            ends[:, :asked] = parities[at : at + frames * asked].reshape(frames, asked)
            if asked < ends.shape[1]:
                ends[:, -1] = self.of(self.reference, 0)[:, -1]
            at += frames * asked
            odd = self.of(self.odd, number)
            odd ^= ends
            # From "up to here" to "in this block".
            odd[:, 1:] ^= odd[:, :-1].copy()

    def index(self, numbers: Indices, frames: Indices, positions: Indices) -> Indices:
        """Where the blocks around positions stand in a flat array."""
        layout = self._layout
        before: Indices = layout.offsets[numbers] + frames * layout.blocks[numbers]
        return before + positions // layout.sizes[numbers]

    def hear_one(self, numbers: Indices, frames: Indices, own: Bits, parities: Bits) -> None:
        """Take the answers about passes of one block each, whose own parity was ``own``."""
        index = self.index(numbers, frames, np.zeros_like(numbers))
        self.reference[index] = parities
        self.odd[index] = own ^ parities
