"""The secret key of blocks: what is sifted over the steps of a block, and the finite key of their sum.

The two protocols of a scenario side by side. ``bb84``: decoy states, the key of Lim et al. 2014 with the
errors capped at those observed. ``bbm92``: the source of pairs stands with the sender, who measures one
photon of each at once with detectors like the receiver's; the key of Tomamichel et al. 2012.

In both the bases are sent and measured alike, so that each can make key (``qfleet_wire.qkd.both_bases``).
That is done where it is expected to give more than one basis with all of ε; which it is follows from the
settings and the link, before anything is counted.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from qfleet_controlplane.network.budget import parts
from qfleet_controlplane.network.scenario import model
from qfleet_wire.qkd import (
    bb84_finite,
    bbm92,
    both_bases,
    decoys,
    detection,
    expectation,
    pairs,
    quantities,
    reconciliation,
)
from qfleet_wire.qkd.quantities import Floats


@dataclass(frozen=True, slots=True)
class Block:
    """What blocks give, each field of their shape.

    ``bits`` of secret key, ``sifted_bits`` in both bases, ``qber`` their error rate, 1/2 of nothing counted.
    """

    bits: Floats
    sifted_bits: Floats
    qber: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What sends, what receives, and what the sender of pairs measures with."""

    source: model.Source
    receiver: detection.Receiver
    partner: detection.Receiver


def sifted(ends: Ends, transmittance: ArrayLike) -> detection.Sifted:
    """Sifted rates, error rate and live time at each transmittance.

    Raises:
        InvalidQuantity: Where a transmittance is none.
    """
    named = ends.source
    if named.protocol == "bb84":
        return detection.sifted(parts.source(named), named.rate_hz, transmittance, ends.receiver)
    return bbm92.sifted(
        _coincidences(ends, transmittance),
        named.rate_hz,
        ends.partner,
        ends.receiver,
        key_basis=named.key_basis,
    )


def keys(
    ends: Ends,
    transmittance: ArrayLike,
    *,
    seconds: ArrayLike,
    security: bb84_finite.Security | None = None,
) -> Block:
    """The key of blocks (..., T): T steps of so many seconds each, which are one block together.

    Raises:
        InvalidQuantity: Where a transmittance or a duration is none.
    """
    if ends.source.protocol == "bbm92":
        return _paired(sifted(ends, transmittance), seconds, security)
    sends = parts.source(ends.source)
    turned = replace(sends, key_basis=1.0 - ends.source.key_basis)
    counts, exchanged = (
        expectation.added(
            expectation.counts(
                each,
                ends.receiver,
                transmittance=transmittance,
                pulses_hz=ends.source.rate_hz,
                seconds=seconds,
            )
        )
        for each in (sends, turned)
    )
    return decoyed(counts, exchanged, sends, security=security)


def decoyed(
    counts: decoys.Counts,
    exchanged: decoys.Counts,
    sends: decoys.Source,
    *,
    security: bb84_finite.Security | None = None,
) -> Block:
    """The key of counted or expected blocks of decoy states; ``exchanged`` are the same, bases exchanged."""
    key, check = (np.asarray(each.key, dtype=np.float64).sum(axis=-1) for each in (counts, exchanged))
    wrong, missed = (np.asarray(each.key_errors, dtype=np.float64) for each in (counts, exchanged))
    leaks = both_bases.Leaks(
        key=reconciliation.leak_bits(key, wrong), check=reconciliation.leak_bits(check, missed)
    )
    one = bb84_finite.length(counts, sends, leak_bits=leaks.key, security=security)
    both = both_bases.decoyed(counts, exchanged, sends, leaks=leaks, security=security)
    qber = detection.error_rate(wrong + missed, key + check)
    return Block(np.maximum(one.bits, both.bits), key + check, qber)


def _paired(seen: detection.Sifted, seconds: ArrayLike, security: bb84_finite.Security | None) -> Block:
    time = quantities.within("seconds", seconds, low=0.0, high=np.inf)
    key, check = (seen.key_bps * time).sum(axis=-1), (seen.check_bps * time).sum(axis=-1)
    wrong = ((seen.key_bps + seen.check_bps) * time * seen.qber).sum(axis=-1)
    qber = detection.error_rate(wrong, key + check)
    leaks = both_bases.Leaks(
        key=reconciliation.leak_bits(key, key * qber), check=reconciliation.leak_bits(check, check * qber)
    )
    one = bbm92.length(key, check, qber, leak_bits=leaks.key, security=security)
    both = both_bases.paired(key, check, (qber, qber), leaks=leaks, security=security)
    return Block(np.maximum(one.bits, both.bits), key + check, qber)


def _coincidences(ends: Ends, transmittance: ArrayLike) -> pairs.Coincidences:
    arms = pairs.split(transmittance, place=0.0)
    return pairs.coincidences(ends.source.pairs, arms, ends.partner, ends.receiver)
