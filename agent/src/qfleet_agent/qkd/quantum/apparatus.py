"""The interface of a quantum device: what either end knows of a block of pulses.

A driver implements ``Apparatus`` for its own end. Pulses of a block are counted by time slots from 0. Bases
are 0 for the key basis and 1 for the check basis; intensities are indices into those of the plan, 0 in
BBM92, where nothing is chosen.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bits: TypeAlias = NDArray[np.uint8]
Slots: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

KEY, CHECK = 0, 1


@dataclass(frozen=True, slots=True)
class Events:
    """What the detectors of one end counted in a block, each (n,), in order of time and one to a slot.

    A count of both detectors of a basis must have been given a random bit already (Lim et al., PRA 89, 022307
    (2014), section II).
    """

    slot: Slots
    basis: Bits
    bit: Bits


@dataclass(frozen=True, slots=True)
class Settings:
    """What an end knows of the slots that it was asked for, each (n,).

    ``known`` is false where its own detectors did not count (BBM92); the rest means nothing there.
    """

    known: Flags
    basis: Bits
    bit: Bits
    intensity: Bits


class Apparatus(Protocol):
    """One end's device. Both methods give the same answer however often they are asked.

    ``simulated`` says that no light is sent; it stands in the session's record and in what is reported of it.
    """

    simulated: ClassVar[bool]

    def events(self, block: int) -> Events:
        """The detector events of a block, where this end has detectors."""

    def settings(self, block: int, slots: Slots) -> Settings:
        """What this end chose, or saw, in these slots of a block, which rise."""
