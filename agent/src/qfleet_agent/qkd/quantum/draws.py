"""Draws of a block of pulses that cost as much as its counts, however many pulses were lost.

Where counts fall is a Bernoulli process over the slots, drawn by its gaps. What nobody may guess, the bits,
is the output of SHAKE-256 under the seed; where counts fall and how often they err may become public, and
comes of a generator that is fast and no more.
"""

import hashlib

import numpy as np

from qfleet_agent.qkd.quantum.apparatus import Bits, Slots
from qfleet_wire.qkd.quantities import Floats

SEED_BYTES = 32


def chances(seed: bytes, block: int) -> np.random.Generator:
    """The generator of a block's counts: the same of the same seed, and unlike the secret bits."""
    key = int.from_bytes(_keyed(seed, block, "chances", 16), "little")
    return np.random.Generator(np.random.Philox(key=key))


def secret_bits(seed: bytes, block: int, purpose: str, count: int) -> Bits:
    """``count`` bits that only who has the seed can tell."""
    stream = _keyed(seed, block, purpose, -(-count // 8))
    return np.unpackbits(np.frombuffer(stream, dtype=np.uint8), count=count)


def counted(rng: np.random.Generator, pulses: int, probability: float) -> Slots:
    """The slots of 0 to ``pulses`` in which something is counted, each with ``probability``; they rise."""
    if probability <= 0.0:
        return np.zeros(0, dtype=np.int64)
    found: list[Slots] = []
    last = -1
    while last < pulses:
        expected = (pulses - last) * min(probability, 1.0)
        gaps = rng.geometric(min(probability, 1.0), size=int(expected + 5.0 * np.sqrt(expected)) + 8)
        # A gap past the end of the block is cut there, so that no sum overflows.
        slots = last + np.cumsum(np.minimum(gaps, pulses + 1))
        found.append(slots)
        last = int(slots[-1])
    slots = np.concatenate(found)
    return slots[: np.searchsorted(slots, pulses)]


def kinds(rng: np.random.Generator, weights: Floats, count: int) -> Slots:
    """``count`` indices into the flattened ``weights``, each as likely as its weight."""
    return picked(rng.random(count), weights)


def picked(numbers: Floats, weights: Floats) -> Slots:
    """The index into the flattened ``weights`` that each number from 0 to 1 falls on."""
    edges = np.cumsum(weights, dtype=np.float64)
    found: Slots = np.searchsorted(edges, numbers * edges[-1], side="right")
    return np.minimum(found, len(edges) - 1)


def flags(rng: np.random.Generator, probability: Floats | float, count: int) -> Bits:
    """``count`` bits that are 1 with the given probability, one for all or one each."""
    return (rng.random(count) < probability).astype(np.uint8)


def shares(seed: bytes, block: int, purpose: str, slots: Slots) -> Floats:
    """A number from 0 to 1 for each slot, always the same of the same slot, whichever others are asked for.

    The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) over the slot's number and a secret start.
    """
    start = np.frombuffer(_keyed(seed, block, purpose, 8), dtype=np.uint64)
    x = slots.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + start
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    numbers: Floats = (x ^ (x >> np.uint64(31))).astype(np.float64) * 2.0**-64
    return numbers


def seen(slots: Slots, dead: int) -> Slots:
    """The indices of the counts that a receiver makes which is blind for ``dead`` slots after each one.

    Non-paralysable: what falls into a dead time is lost and does not prolong it. Every block starts with a
    receiver that can see.
    """
    if dead <= 0 or len(slots) < 2 or int(np.diff(slots).min()) > dead:
        return np.arange(len(slots))
    following = np.searchsorted(slots, slots + dead, side="right").tolist()
    kept, at = [], 0
    while at < len(slots):
        kept.append(at)
        at = following[at]
    return np.array(kept, dtype=np.int64)


def _keyed(seed: bytes, block: int, purpose: str, size: int) -> bytes:
    text = f"qfleet1 simulated quantum channel {purpose} {block}".encode()
    return hashlib.shake_256(len(text).to_bytes(2, "big") + text + seed).digest(size)
