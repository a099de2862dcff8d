"""Sifting: which counts of a block become bits of the key, and what is counted to bound an eavesdropper.

Bob announces his slots and bases, and the bits of his check basis, which never become key. Alice answers with
her bases and intensities and her own bits where both chose the check basis. Then both ends hold the same
tally, and each its own bits of the key. The bits of the key basis are never announced.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from qfleet_agent.qkd import packing
from qfleet_agent.qkd.errors import ExchangeInvalid
from qfleet_agent.qkd.quantum.apparatus import CHECK, KEY, Bits, Events, Flags, Settings
from qfleet_wire.qkd import decoys

Numbers = NDArray[np.int64]


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """Bob: what he counted in a block. ``check`` are his bits of the check basis."""

    block: int
    count: int
    slots: bytes
    bases: bytes
    check: bytes


class Compared(msgspec.Struct, frozen=True, tag="compared"):
    """Alice: what she knows of Bob's slots, in his order.

    ``known`` has a bit for each slot, in BBM92 0 where her detectors counted nothing. The others have a bit
    for each known slot, the two of an intensity in two planes; ``check`` one where both chose the check
    basis.
    """

    block: int
    known: bytes
    bases: bytes
    intensities: tuple[bytes, bytes]
    check: bytes


@dataclass(frozen=True, slots=True)
class Tally:
    """What both ends counted, of one block or of many: ``counted`` by Bob at all, the rest by intensity (3,).

    ``known`` are the slots that both know, in whatever bases; ``key`` and ``check`` those of a common basis,
    ``check_errors`` the differing bits of the check basis.
    """

    counted: int
    known: Numbers
    key: Numbers
    check: Numbers
    check_errors: Numbers

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.counted + other.counted,
            self.known + other.known,
            self.key + other.key,
            self.check + other.check,
            self.check_errors + other.check_errors,
        )

    @property
    def error_rate(self) -> float:
        """The QBER of the check basis; 1/2 where nothing was compared."""
        compared = int(self.check.sum())
        return int(self.check_errors.sum()) / compared if compared else 0.5


@dataclass(frozen=True, slots=True)
class Sifted:
    """One end's part of a block."""

    key: Bits
    tally: Tally


EMPTY = Tally(0, *(np.zeros(decoys.INTENSITIES, dtype=np.int64) for _ in range(4)))


def announced(block: int, events: Events) -> Counted:
    """Bob's announcement of a block."""
    return Counted(
        block,
        len(events.slot),
        packing.packed_slots(events.slot),
        packing.packed_bits(events.basis),
        packing.packed_bits(events.bit[events.basis == CHECK]),
    )


def heard(counted: Counted, *, pulses: int) -> Events:
    """What Bob announced, his bits of the key basis as 0.

    Raises:
        ExchangeInvalid: Where it does not decode.
    """
    slots = packing.unpacked_slots(counted.slots, below=pulses)
    if len(slots) != counted.count:
        raise ExchangeInvalid(f"{len(slots)} slots were sent as {counted.count}")
    basis = packing.unpacked_bits(counted.bases, len(slots))
    bit = np.zeros(len(slots), dtype=np.uint8)
    bit[basis == CHECK] = packing.unpacked_bits(counted.check, int(np.count_nonzero(basis)))
    return Events(slots, basis, bit)


def answered(block: int, theirs: Events, own: Settings) -> tuple[Compared, Sifted]:
    """Alice's answer to what Bob announced, and her part of the block."""
    known = own.known
    mine = Settings(known[known], own.basis[known], own.bit[known], own.intensity[known])
    basis = theirs.basis[known]
    common = (mine.basis == CHECK) & (basis == CHECK)
    answer = Compared(
        block,
        packing.packed_bits(known.astype(np.uint8)),
        packing.packed_bits(mine.basis),
        (_plane(mine.intensity, 0), _plane(mine.intensity, 1)),
        packing.packed_bits(mine.bit[common]),
    )
    wrong = mine.bit[common] != theirs.bit[known][common]
    return answer, _sifted(len(known), mine, basis, mine.bit, wrong)


def concluded(events: Events, answer: Compared) -> Sifted:
    """Bob's part of a block, from his events and Alice's answer.

    Raises:
        ExchangeInvalid: Where the answer does not decode.
    """
    known = packing.unpacked_bits(answer.known, len(events.slot)).astype(np.bool_)
    count = int(np.count_nonzero(known))
    low, high = (packing.unpacked_bits(plane, count) for plane in answer.intensities)
    if (low & high).any():
        raise ExchangeInvalid("an intensity is 3, and the plan has 0 to 2")
    theirs = packing.unpacked_bits(answer.bases, count)
    basis, bit = events.basis[known], events.bit[known]
    common = (theirs == CHECK) & (basis == CHECK)
    told = packing.unpacked_bits(answer.check, int(np.count_nonzero(common)))
    settings = Settings(np.ones(count, dtype=np.bool_), theirs, bit, low + 2 * high)
    return _sifted(len(known), settings, basis, bit, bit[common] != told)


def _sifted(counted: int, alice: Settings, bob: Bits, own: Bits, wrong: Flags) -> Sifted:
    """One end's bits of the key, and what both count. ``wrong`` are the common slots of the check basis."""
    key = (alice.basis == KEY) & (bob == KEY)
    check = (alice.basis == CHECK) & (bob == CHECK)
    tally = Tally(
        counted,
        _by_intensity(alice.intensity),
        _by_intensity(alice.intensity[key]),
        _by_intensity(alice.intensity[check]),
        _by_intensity(alice.intensity[check][wrong]),
    )
    return Sifted(own[key], tally)


def _by_intensity(intensity: Bits) -> Numbers:
    return np.bincount(intensity, minlength=decoys.INTENSITIES).astype(np.int64)


def _plane(intensity: Bits, place: int) -> bytes:
    return packing.packed_bits(((intensity >> place) & 1).astype(np.uint8))
