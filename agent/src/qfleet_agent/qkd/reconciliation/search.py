"""The search for errors: which blocks are odd, which are asked about next, and what a corrected bit changes.

Every frame goes through the passes at its own speed; all of them move together in arrays. In a pass every
odd block is halved until one bit is left; that bit is flipped, which makes blocks of earlier passes odd
again, and these are searched in turn (the cascade). A frame with no odd block left goes on to its next pass
with one.
"""

import numpy as np

from qfleet_agent.errors import ReconciliationRefused
from qfleet_agent.qkd.reconciliation.passes import Bits, Flags, Indices, Passes
from qfleet_agent.qkd.reconciliation.tops import Tops
from qfleet_agent.qkd.reconciliation.trees import Trees

_NONE: Indices = np.zeros(0, dtype=np.int64)


class Search:
    """Where all frames of one reconciliation stand. ``key`` is corrected in place."""

    def __init__(self, layout: Passes, key: Bits) -> None:
        self.layout = layout
        self.key = key
        self.tops = Tops(layout, key)
        self.trees = Trees(layout)
        frames = layout.plan.frames
        self.corrected: Indices = np.zeros(frames, dtype=np.int64)
        self.reached: Indices = np.full(frames, -1, dtype=np.int64)
        """The pass each frame is in."""
        self.horizon: Indices = np.full(frames, layout.opened, dtype=np.int64)
        """The first pass of each frame whose top blocks were not asked for."""
        self.waiting: Indices = _NONE
        """Frames that cannot go on before more confirming passes are asked for."""
        self.slots, self.low, self.high = _NONE, _NONE, _NONE
        """The odd blocks: none lies in another, and none is known to have an odd half."""
        self._even: Indices = np.zeros(frames, dtype=np.int64)
        self._flipped = np.zeros(key.shape, dtype=np.bool_)

    def chosen(self) -> Indices:
        """Which of the odd blocks are asked about next."""
        if not self.layout.variant.patient:
            return np.arange(self.slots.size)
        numbers, frames = self.trees.number_of[self.slots], self.trees.frame_of[self.slots]
        first = np.full(self.layout.plan.frames, self.layout.count, dtype=np.int64)
        np.minimum.at(first, frames, numbers)
        return np.flatnonzero(numbers == first[frames])

    def halve(self, chosen: Indices, answers: Bits) -> None:
        """Take the parities up to the middles of some blocks."""
        low, high = self.trees.halve(self.slots[chosen], self.low[chosen], self.high[chosen], answers)
        self.low[chosen], self.high[chosen] = low, high

    def settle(self) -> None:
        """Correct what was found and begin passes, until every frame needs an answer or is done.

        Raises:
            ReconciliationRefused: A bit was found to be wrong twice, so the answers contradict each other.
        """
        moved = True
        while moved:
            found = self.high - self.low == 1
            if found.any():
                self._correct(found)
            else:
                moved = self._advance()

    def _correct(self, found: Flags) -> None:
        bits = self.layout.plan.bits
        slots, low = self.slots[found], self.low[found]
        places = self._bits_at(self.trees.number_of[slots], low)
        # Two passes may find the same error at once.
        errors = np.unique(self.trees.frame_of[slots] * bits + places)
        if self._flipped.ravel()[errors].any():
            raise ReconciliationRefused(
                "the answers contradict each other: a corrected bit would be wrong again"
            )
        self._flipped.ravel()[errors] = True
        self.key.ravel()[errors] ^= 1
        frames, wrong = np.divmod(errors, bits)
        self.corrected += np.bincount(frames, minlength=self.corrected.size)
        self._keep(~found)
        self._cascade(frames, wrong)

    def _bits_at(self, numbers: Indices, positions: Indices) -> Indices:
        found = np.empty(positions.size, dtype=np.int64)
        for number in np.unique(numbers):
            of = numbers == number
            found[of] = self.layout.order(int(number))[positions[of]]
        return found

    def _cascade(self, frames: Indices, wrong: Indices) -> None:
        """Tell every pass of corrected bits, and take up the blocks that became odd."""
        reach = int(self.horizon.max())
        positions = self.layout.places[:reach, wrong].astype(np.int64)
        numbers, which = np.nonzero(positions < self.layout.covered[:reach, None])
        positions, frames = positions[numbers, which], frames[which]
        index = self.tops.index(numbers, frames, positions)
        np.bitwise_xor.at(self.tops.odd, index, np.uint8(1))
        reached = self.reached[frames]
        again = (numbers <= reached) & (reached < self.layout.cascading)
        slots = self.trees.slot_of[numbers, frames]
        begun = slots >= 0
        odd = self.tops.odd[index]
        self._begin(*_distinct(index, again & ~begun & (odd == 1), numbers, frames, positions))
        self.trees.flip(slots[begun], positions[begun])
        self._review(slots[begun], positions[begun], odd[begun], again[begun])

    def _review(self, slots: Indices, positions: Indices, odd: Bits, again: Flags) -> None:
        """Drop blocks that became even, and add those that became odd and are to be searched again."""
        low, high, parity = self.trees.around(slots, positions, odd)
        row = self.layout.plan.bits + 1
        even = (slots * row + low)[parity == 0]
        self._keep(~np.isin(self.slots * row + self.low, even))
        if self.layout.variant.deep:
            add = again & (parity == 1)
            self._add(slots[add], low[add], high[add])
        else:
            add = again & (odd == 1)
            low, high, _ = self.trees.odd_path(slots[add], positions[add])
            self._add(slots[add], low, high)

    def _advance(self) -> bool:
        """Move frames without odd blocks on to a pass that has some; False where none moved so."""
        layout = self.layout
        busy = np.zeros(layout.plan.frames, dtype=np.bool_)
        busy[self.trees.frame_of[self.slots]] = True
        idle = ~busy
        moved = False
        self.waiting = _NONE
        for number in range(layout.count):
            frames = np.flatnonzero(idle & (self.reached == number - 1) & ~self._finished(number))
            if not frames.size:
                continue
            self.waiting = np.concatenate([self.waiting, frames[self.horizon[frames] <= number]])
            frames = frames[self.horizon[frames] > number]
            self.reached[frames] = number
            rows, blocks = np.nonzero(self.tops.of(self.tops.odd, number)[frames])
            if number >= layout.cascading:
                self._even[frames] += 1
                self._even[frames[rows]] = 0
            if rows.size:
                idle[frames[rows]] = False
                numbers = np.full(rows.size, number, dtype=np.int64)
                self._begin(numbers, frames[rows], blocks * layout.sizes[number])
                moved = True
        return moved

    def _finished(self, number: int) -> Flags:
        confirming = self.layout.variant.confirming
        return self._even >= confirming if number >= self.layout.cascading else self._even < 0

    def _begin(self, numbers: Indices, frames: Indices, positions: Indices) -> None:
        """Take up whole top blocks of passes in which these frames were not searched so far."""
        for number in map(int, np.unique(numbers)):
            of = numbers == number
            starting = np.unique(frames[of])
            own = self.key[starting[:, None], self.layout.order(number)[None, :]]
            reference = self.tops.of(self.tops.reference, number)[starting]
            self.trees.start(number, starting, own, self.layout.ends(number), reference)
            size = self.layout.sizes[number]
            low = positions[of] // size * size
            high = np.minimum(low + size, self.layout.covered[number])
            self._add(self.trees.slot_of[number, frames[of]], low, high)

    def _add(self, slots: Indices, low: Indices, high: Indices) -> None:
        slots = np.concatenate([self.slots, slots])
        low, high = np.concatenate([self.low, low]), np.concatenate([self.high, high])
        _, first = np.unique(slots * (self.layout.plan.bits + 1) + low, return_index=True)
        self.slots, self.low, self.high = slots[first], low[first], high[first]

    def _keep(self, kept: Flags) -> None:
        self.slots, self.low, self.high = self.slots[kept], self.low[kept], self.high[kept]


def _distinct(keys: Indices, wanted: Flags, *values: Indices) -> tuple[Indices, ...]:
    """Of the wanted elements, those with a key of their own."""
    at = np.flatnonzero(wanted)
    _, first = np.unique(keys[at], return_index=True)
    return tuple(value[at[first]] for value in values)
