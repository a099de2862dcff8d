"""Outcomes of any width as rows of bytes: put in place from measurement records, counted, given out sorted.

A row is big-endian while it is counted, so that rows compare as the numbers that they stand for.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from qfleet_agent.engines.errors import MemoryShort
from qfleet_wire import circuit

Bytes: TypeAlias = npt.NDArray[np.uint8]
"""Shape (shots, bytes)."""

_FEWEST = 1 << 14
"""Rows that wait at least until they are sorted and counted."""
_COPIES = 6
"""Memory of distinct rows while they are sorted and given out, as multiples of their own."""
_COUNT_BYTES = 64


class Layout:
    """Where measurement records stand in an outcome: the first output slot lowest."""

    def __init__(self, program: circuit.Program, bits: Mapping[tuple[int, int], int]) -> None:
        places: list[tuple[int, int]] = []
        self.bits = 0
        base = 0
        for slot in program.outputs:
            width = program.slots[slot].type.width
            base |= (int(program.slots[slot].initial) & (1 << width) - 1) << self.bits
            places += [(self.bits + bit, bits[slot, bit]) for bit in range(width) if (slot, bit) in bits]
            self.bits += width
        self._size = -(-self.bits // 8)
        highest = 8 * self._size - 1
        self._columns = np.array([highest - place for place, _ in places], np.intp)
        self._records = np.array([record for _, record in places], np.intp)
        for place, _ in places:
            base &= ~(1 << place)
        self._base = np.unpackbits(np.frombuffer(base.to_bytes(self._size, "big"), np.uint8))

    def outcomes(self, records: Bytes) -> Bytes:
        """Rows of outcomes from records that are packed as stim does: the first in the lowest bit."""
        placed = np.repeat(self._base[None, :], len(records), axis=0)
        placed[:, self._columns] = np.unpackbits(records, axis=1, bitorder="little")[:, self._records]
        rows: Bytes = np.packbits(placed, axis=1)
        return rows


class Collector:
    """Counts rows as they come in; what is held grows with distinct ones only."""

    def __init__(self, bits: int, budget: int) -> None:
        self._size = max(1, -(-bits // 8))
        self._given = -(-bits // 8)
        self._most = budget // (_COPIES * self._size + _COUNT_BYTES)
        self._rows: list[Bytes] = []
        self._waiting = 0
        self._values = np.empty(0, np.dtype((np.void, self._size)))
        self._counts = np.empty(0, np.int64)

    def add(self, rows: Bytes) -> None:
        """Count rows.

        Raises:
            MemoryShort: there are more distinct ones than memory.
        """
        self._rows.append(rows if self._given else np.zeros((len(rows), 1), np.uint8))
        self._waiting += len(rows)
        if self._waiting >= max(_FEWEST, len(self._values)):
            self._compact()

    def result(self) -> tuple[bytes, tuple[int, ...]]:
        """Return the outcomes in ascending order, each little-endian, and their counts."""
        self._compact()
        if not self._given:
            return b"", tuple(self._counts.tolist())
        rows = self._values.view(np.uint8).reshape(-1, self._size)
        return rows[:, ::-1].tobytes(), tuple(self._counts.tolist())

    def _compact(self) -> None:
        if self._rows:
            rows = np.ascontiguousarray(np.concatenate(self._rows))
            values, counts = np.unique(rows.view(self._values.dtype).reshape(-1), return_counts=True)
            joined = np.concatenate([self._values, values])
            self._values, places = np.unique(joined, return_inverse=True)
            merged = np.zeros(len(self._values), np.int64)
            np.add.at(merged, places.reshape(-1), np.concatenate([self._counts, counts]))
            self._counts, self._rows, self._waiting = merged, [], 0
        if len(self._values) > self._most:
            raise MemoryShort(
                f"more than {self._most:,} distinct outcomes of {self._size} bytes do not fit: "
                "draw fewer shots"
            )
