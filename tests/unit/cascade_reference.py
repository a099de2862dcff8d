"""Cascade one block at a time, with objects and two queues: slow, plain, and written for nothing but
comparison.

Blocks wait in one queue for their parity and in another to be corrected, as in the published programs;
nothing is shared with the code under test but the orders of the passes.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]


@dataclass(eq=False)
class Block:
    """Positions low to high of a pass; ``right`` comes into being when the left half was even."""

    pass_: int
    low: int
    high: int
    parent: "Block | None" = None
    parity: int | None = None
    halves: "list[Block]" = field(default_factory=list)


class Reference:
    """Correct one key; ``asked`` counts the parities that were asked for."""

    def __init__(self, reference: Ints, noisy: Ints) -> None:
        self.reference = reference
        self.key = noisy.copy()
        self.asked = 0
        self._orders: list[Ints] = []
        self._tops: list[list[Block]] = []
        self._ask: deque[tuple[Block, bool]] = deque()
        self._correct: deque[tuple[Block, bool]] = deque()

    def run(self, sizes: Sequence[int], orders: Sequence[Ints]) -> None:
        """Go through all passes."""
        bits = self.key.size
        for number, (size, order) in enumerate(zip(sizes, orders, strict=True)):
            self._orders.append(order)
            self._tops.append([Block(number, low, min(low + size, bits)) for low in range(0, bits, size)])
            self._ask.extend((block, False) for block in self._tops[-1])
            while self._ask or self._correct:
                while self._correct:
                    self._attempt(*self._correct.popleft())
                self._hear()

    def _hear(self) -> None:
        while self._ask:
            block, sibling = self._ask.popleft()
            if block.parity is None:
                self.asked += 1
                block.parity = self._parity(self.reference, block)
            self._correct.append((block, sibling))

    def _parity(self, key: Ints, block: Block) -> int:
        return int(np.sum(key[self._orders[block.pass_][block.low : block.high]])) % 2

    def _attempt(self, block: Block, sibling: bool) -> None:  # noqa: FBT001 # as in the published programs
        if block.parity is None:
            self._ask.append((block, sibling))
        elif block.parity == self._parity(self.key, block):
            if sibling and block.parent and block.parent.parity is not None:
                right = block.parent.halves[1]
                right.parity = block.parent.parity ^ block.parity
                self._attempt(right, sibling=False)
        elif block.high - block.low == 1:
            self._flip(int(self._orders[block.pass_][block.low]), block.pass_)
        else:
            if not block.halves:
                middle = (block.low + block.high) // 2
                spans = (block.low, middle), (middle, block.high)
                block.halves = [Block(block.pass_, low, high, block) for low, high in spans]
            self._attempt(block.halves[0], sibling=True)

    def _flip(self, bit: int, found_in: int) -> None:
        self.key[bit] ^= 1
        for number, order in enumerate(self._orders):
            if number != found_in:
                place = int(np.flatnonzero(order == bit)[0])
                block = next(block for block in self._tops[number] if block.low <= place < block.high)
                self._correct.append((block, False))
