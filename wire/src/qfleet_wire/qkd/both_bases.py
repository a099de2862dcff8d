"""A key of both bases: each makes a key of its own, and bounds the phase error of the other's.

Where both sides send and measure the two bases alike, the bound of a protocol holds with the bases' roles
exchanged, too. Both keys may be used together:

- The bound on one basis' key allows that everything of the other basis is public, for the protocols as
  printed announce it (Lim et al. 2014, section II; Tomamichel et al. 2012, table 1). So the first key is
  ε₁ from perfect even for one who is told the whole other basis, and the second key is a function of that.
  By the triangle inequality both keys together are ε₁ + ε₂ from perfect, and differ between the two sides
  with at most the sum of both ε_cor. Each gets half of what is allowed.
- The errors of a basis are not found by announcing its bits but by correcting them, and only their numbers
  are announced, one per intensity. Of n bits that is one of n + 1 numbers, so it costs its own key at most
  log2(n + 1) bits, which are counted as revealed like those of the reconciliation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import bb84_finite, bbm92, decoys, quantities
from qfleet_wire.qkd.quantities import Floats


@dataclass(frozen=True, slots=True)
class Keys:
    """The lengths of both keys and their sum, numbers or arrays over blocks."""

    key_bits: Floats
    check_bits: Floats

    @property
    def bits(self) -> Floats:
        """What both give together."""
        return self.key_bits + self.check_bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """λ_EC of each basis: what the reconciliation of its bits reveals."""

    key: ArrayLike
    check: ArrayLike


def decoyed(
    counts: decoys.Counts,
    exchanged: decoys.Counts,
    source: decoys.Source,
    *,
    leaks: Leaks,
    security: bb84_finite.Security | None = None,
) -> Keys:
    """Both keys of decoy-state BB84, by ``bb84_finite.length`` (capped) of each basis.

    Args:
        counts: What was counted. exchanged: The same with the roles of the bases exchanged.
        source: How it was sent, intensities and their probabilities alike in both bases.
        leaks: What both reconciliations reveal, without the numbers of errors.
        security: Of both keys together; ε_sec = 1e-9 and ε_cor = 1e-15 where not given.

    Raises:
        InvalidQuantity: Where a leak is negative.
    """
    half = halved(security or bb84_finite.Security())
    lengths = [
        bb84_finite.length(
            one, source, leak_bits=np.asarray(leak) + announced_bits(one.key), security=half
        ).bits
        for one, leak in ((counts, leaks.key), (exchanged, leaks.check))
    ]
    return Keys(*lengths)


def paired(
    key_bits: ArrayLike,
    check_bits: ArrayLike,
    errors: tuple[ArrayLike, ArrayLike],
    *,
    leaks: Leaks,
    security: bb84_finite.Security | None = None,
) -> Keys:
    """Both keys of BBM92, by ``bbm92.length``; ``errors`` are the error rates of the key and check basis.

    Raises:
        InvalidQuantity: Where a count is negative or an error rate is no probability.
    """
    half = halved(security or bb84_finite.Security())
    lengths = [
        bbm92.length(mine, other, error, leak_bits=np.asarray(leak) + _announced(mine), security=half).bits
        for mine, other, error, leak in (
            (key_bits, check_bits, errors[1], leaks.key),
            (check_bits, key_bits, errors[0], leaks.check),
        )
    ]
    return Keys(*lengths)


def halved(security: bb84_finite.Security) -> bb84_finite.Security:
    """What each of two keys is allowed of what both are."""
    return bb84_finite.Security(
        secrecy=np.asarray(security.secrecy) / 2.0, correctness=np.asarray(security.correctness) / 2.0
    )


def announced_bits(counts: ArrayLike) -> Floats:
    """What the numbers of errors at each intensity reveal, of events (..., 3): at most so many bits."""
    found: Floats = _announced(counts).sum(axis=-1)
    return found


def _announced(events: ArrayLike) -> Floats:
    found: Floats = np.log2(quantities.within("events", events, low=0.0, high=np.inf) + 1.0)
    return found
