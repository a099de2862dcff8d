"""The settings of decoy-state BB84 that give the most key: intensities, probabilities, the bias of the bases.

Every function takes an array of links and finds all their optima together. A block is given by how long it
lasts, or by how many sifted bits it has. Nothing is random: the same links have the same optima.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import (
    bb84_asymptotic,
    bb84_finite,
    decoys,
    detection,
    expectation,
    quantities,
    reconciliation,
    search,
)
from qfleet_wire.qkd.links import Link
from qfleet_wire.qkd.quantities import Floats

_SETTINGS = 5
_BRIGHTEST = 1.5
_DARKEST = 0.02
_DECADES = 4.0


@dataclass(frozen=True, slots=True)
class Best:
    """Of each link the settings, the key of a block with them, and how long the block lasts; shape (L,)."""

    source: decoys.Source
    key: bb84_finite.Key
    seconds: Floats


def lasting(link: Link, *, seconds: ArrayLike) -> Best:
    """The most key from blocks that last ``seconds``: (L,), or (L, T) with the steps of a pass.

    Raises:
        InvalidQuantity: Where a duration is negative or not finite.
    """
    time = quantities.within("seconds", seconds, low=0.0, high=np.inf)
    time = np.broadcast_to(time, np.shape(link.transmittance))
    each = link.widened()
    best, _ = search.maximise(
        lambda points: _key(_source(points, link), each, time[:, None]).balance,
        links=link.count,
        dimensions=_SETTINGS,
        steps=time[0].size,
    )
    source = _source(best, link)
    return Best(source, _key(source, link, time), time.sum(axis=-1) if link.steps else time)


def filling(link: Link, *, sifted: ArrayLike) -> Best:
    """The fastest key from blocks of ``sifted`` bits (L,) in the key basis: the most bits per second.

    Raises:
        InvalidQuantity: Where a block has less than a bit, or the link has steps.
    """
    link.unstepped()
    size = quantities.within("sifted bits of a block", sifted, low=1.0, high=np.inf)
    size = np.broadcast_to(size, np.shape(link.transmittance))
    each = link.widened()

    def pace(points: Floats) -> Floats:
        source = _source(points, link)
        time = _full_after(source, each, size[:, None])
        return _key(source, each, time).balance / time

    best, _ = search.maximise(pace, links=link.count, dimensions=_SETTINGS)
    source = _source(best, link)
    time = _full_after(source, link, size)
    return Best(source, _key(source, link, time), time)


def intensity(link: Link) -> tuple[Floats, Floats]:
    """The best μ of the signal with endless blocks and decoys, and its rate per pulse after sifting; (L,).

    Raises:
        InvalidQuantity: Where the link has steps.
    """
    link.unstepped()
    each = link.widened()

    def rate(points: Floats) -> Floats:
        mu = _BRIGHTEST * points[..., 0]
        return bb84_asymptotic.ideal_rate(mu, each.transmittance, each.receiver, efficiency=link.efficiency)

    best, value = search.maximise(rate, links=link.count, dimensions=1)
    return _BRIGHTEST * best[:, 0], np.maximum(value, 0.0)


def _source(points: Floats, link: Link) -> decoys.Source:
    """Settings (...) of points (..., 5) in the unit box.

    Its axes: the signal; the weak decoy's share of it; how often any decoy is sent, as a logarithm down to
    10^-4; the vacuum's share of that; the odds of the key basis, as a logarithm from 10^-1.5 to 10^4.
    """
    signal = _DARKEST + (_BRIGHTEST - _DARKEST) * points[..., 0]
    weak = link.vacuum + (signal - 2.0 * link.vacuum) * (0.01 + 0.98 * points[..., 1])
    decoyed = 0.98 * 10.0 ** (-_DECADES * points[..., 2])
    vacuum = decoyed * (0.02 + 0.96 * points[..., 3])
    return decoys.Source(
        intensities=np.stack([signal, weak, np.full_like(signal, link.vacuum)], axis=-1),
        probabilities=np.stack([1.0 - decoyed, decoyed - vacuum, vacuum], axis=-1),
        key_basis=1.0 / (1.0 + 10.0 ** (1.5 - 5.5 * points[..., 4])),
    )


def _key(source: decoys.Source, link: Link, seconds: Floats) -> bb84_finite.Key:
    """The key of a block, with the steps of a pass added up."""
    counts = expectation.counts(
        _stepwise(source) if link.steps else source,
        link.receiver,
        transmittance=link.transmittance,
        pulses_hz=link.pulses_hz,
        seconds=seconds,
    )
    block = expectation.added(counts) if link.steps else counts
    total = np.asarray(block.key).sum(axis=-1)
    leak = reconciliation.leak_bits(total, block.key_errors, efficiency=link.efficiency)
    return bb84_finite.length(block, source, leak_bits=leak, security=link.security, variant=link.variant)


def _full_after(source: decoys.Source, link: Link, size: Floats) -> Floats:
    """How long the key basis takes to fill a block; without counts, as good as forever."""
    rate = detection.sifted(source, link.pulses_hz, link.transmittance, link.receiver).key_bps
    return size / np.maximum(rate, 1e-100)


def _stepwise(source: decoys.Source) -> decoys.Source:
    """The same settings at every step."""
    return decoys.Source(
        intensities=np.asarray(source.intensities)[..., None, :],
        probabilities=np.asarray(source.probabilities)[..., None, :],
        key_basis=np.asarray(source.key_basis)[..., None],
    )
