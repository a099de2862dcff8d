"""The settings of BBM92 that give the most key: pairs per pulse and the bias of the bases, of many links."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import bbm92, detection, links, pairs, quantities, reconciliation, search
from qfleet_wire.qkd.quantities import Floats

_DECADES = 5.0


@dataclass(frozen=True, slots=True)
class Best:
    """Of each link the pairs per pulse, the probability of the key basis, the key of a block; shape (L,)."""

    pairs: Floats
    key_basis: Floats
    key: bbm92.Key


def lasting(link: links.Link, alice: detection.Receiver, *, seconds: ArrayLike, place: float = 0.5) -> Best:
    """The most key from blocks that last ``seconds`` (L,).

    Args:
        link: The channel between both sides, and Bob's receiver.
        alice: The other side's receiver.
        seconds: How long a block lasts.
        place: Where the source stands: 0 at Alice, 1/2 in the middle of the loss, 1 at Bob.

    Raises:
        InvalidQuantity: Where a duration is negative, the place is not on the link, or the link has steps.
    """
    link.unstepped()
    time = quantities.within("seconds", seconds, low=0.0, high=np.inf)
    time = np.broadcast_to(time, np.shape(link.transmittance))
    each, other = link.widened(), links.column(alice)

    def balance(points: Floats) -> Floats:
        return _key(points, each, other, time[:, None], place).balance

    best, _ = search.maximise(balance, links=link.count, dimensions=2)
    return Best(_pairs(best), _basis(best), _key(best, link, alice, time, place))


def brightness(link: links.Link, alice: detection.Receiver, *, place: float = 0.5) -> tuple[Floats, Floats]:
    """The best number of pairs per pulse with endless blocks, and the rate per pulse after sifting; (L,).

    Raises:
        InvalidQuantity: Where the place is not on the link, or the link has steps.
    """
    link.unstepped()
    each, other = link.widened(), links.column(alice)
    arms = pairs.split(each.transmittance, place=place)

    def rate(points: Floats) -> Floats:
        seen = pairs.coincidences(_pairs(points), arms, other, each.receiver)
        return bbm92.asymptotic_rate(seen, efficiency=link.efficiency)

    best, value = search.maximise(rate, links=link.count, dimensions=1)
    return _pairs(best), np.maximum(value, 0.0)


def _key(
    points: Floats, link: links.Link, alice: detection.Receiver, seconds: Floats, place: float
) -> bbm92.Key:
    arms = pairs.split(link.transmittance, place=place)
    seen = pairs.coincidences(_pairs(points), arms, alice, link.receiver)
    rates = bbm92.sifted(seen, link.pulses_hz, alice, link.receiver, key_basis=_basis(points))
    bits = rates.key_bps * seconds
    leak = reconciliation.leak_bits(bits, bits * rates.qber, efficiency=link.efficiency)
    return bbm92.length(bits, rates.check_bps * seconds, rates.qber, leak_bits=leak, security=link.security)


def _pairs(points: Floats) -> Floats:
    """10^-5 to 1 pairs per pulse, as a logarithm."""
    return 10.0 ** (_DECADES * (points[..., 0] - 1.0))


def _basis(points: Floats) -> Floats:
    """The check basis down to 10^-5, as a logarithm."""
    return 1.0 - 0.5 * 10.0 ** (-_DECADES * points[..., 1])
