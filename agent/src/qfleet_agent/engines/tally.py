"""Counts of outcomes, kept small while shots come in, and given out in the form of the wire."""

from collections.abc import Sequence

import numpy as np

from qfleet_agent.engines.draws import Indices
from qfleet_agent.engines.finals import Final
from qfleet_wire import circuit

_WORD = 62
"""Outcome bits that one int64 carries while they are put in place."""


class Layout:
    """Where slots and final measurements stand in an outcome: the first output slot lowest."""

    def __init__(self, program: circuit.Program, finals: Sequence[Final]) -> None:
        offsets: dict[int, int] = {}
        width = 0
        for slot in program.outputs:
            offsets[slot] = width
            width += program.slots[slot].type.width
        self.bits = width
        self._slots = [(slot, offset, program.slots[slot].type.width) for slot, offset in offsets.items()]
        self._places = [
            (item.qubit, offsets[item.slot] + item.bit) for item in finals if item.slot in offsets
        ]
        self._written = sum(1 << place for _, place in self._places)
        self.mask = sum({1 << qubit for qubit, _ in self._places})
        """The qubits whose outcome is counted."""

    def base(self, slots: Sequence[bool | int | float], *, finals: bool) -> int:
        """Return the outcome of the slots; bits that final measurements write are 0 if ``finals``."""
        whole = sum((int(slots[slot]) & (1 << width) - 1) << offset for slot, offset, width in self._slots)
        return whole & ~self._written if finals else whole

    def outcomes(self, indices: Indices) -> list[int]:
        """Return the outcome bits that final measurements of these basis states write."""
        words = [np.zeros(len(indices), np.int64) for _ in range(self.bits // _WORD + 1)]
        for qubit, place in self._places:
            words[place // _WORD] |= (indices >> qubit & 1) << place % _WORD
        whole = words[0].tolist()
        for number, word in enumerate(words[1:], 1):
            whole = [low | high << number * _WORD for low, high in zip(whole, word.tolist(), strict=True)]
        return whole


class Counter:
    """Counts basis states, however many shots there are."""

    _PENDING = 1 << 22
    _DENSE_SHARE = 16
    """Above this many basis states per shot, sorting the shots is quicker than a count of every state."""

    def __init__(self) -> None:
        self._pending: list[Indices] = []
        self._held = 0
        self._values: Indices = np.empty(0, np.int64)
        self._counts: Indices = np.empty(0, np.int64)

    def add(self, indices: Indices) -> None:
        """Count some basis states."""
        self._pending.append(indices)
        self._held += len(indices)
        if self._held >= self._PENDING:
            self._compact()

    def result(self) -> tuple[Indices, Indices]:
        """Return the distinct basis states, ascending, and their counts."""
        self._compact()
        return self._values, self._counts

    def _compact(self) -> None:
        fresh = np.concatenate([np.empty(0, np.int64), *self._pending])
        if len(fresh) and fresh.max() < self._DENSE_SHARE * len(fresh):
            dense = np.bincount(fresh)
            values = np.flatnonzero(dense)
            counts = dense[values]
        else:
            values, counts = np.unique(fresh, return_counts=True)
        self._values, places = np.unique(np.concatenate([self._values, values]), return_inverse=True)
        merged = np.zeros(len(self._values), np.int64)
        np.add.at(merged, places, np.concatenate([self._counts, counts]))
        self._counts, self._pending, self._held = merged, [], 0


def encode(counts: dict[int, int], bits: int) -> tuple[bytes, tuple[int, ...]]:
    """Return outcomes in ascending order, each little-endian in ceil(bits / 8) bytes, and their counts."""
    size = (bits + 7) // 8
    ordered = sorted(counts)
    return b"".join(outcome.to_bytes(size, "little") for outcome in ordered), tuple(
        counts[key] for key in ordered
    )
