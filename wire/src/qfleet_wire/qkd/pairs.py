"""Coincidences of entangled photon pairs, of spontaneous parametric down-conversion, at both receivers.

Ma, Fung, Lo, PRA 76, 012307 (2007), section III: threshold detectors, any losses to either side, so that the
source may stand in the middle, at one end or in between. Each side's afterpulses count as noise of its own
that follows how often it counts at all: the paper has none.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import detection, quantities
from qfleet_wire.qkd.quantities import Floats


@dataclass(frozen=True, slots=True)
class Arms:
    """Transmittances of the channels from the source to either side, linear, shape (...)."""

    alice: ArrayLike
    bob: ArrayLike

    def __post_init__(self) -> None:
        """Refuse what no channel can be."""
        quantities.transmittance(self.alice)
        quantities.transmittance(self.bob)


@dataclass(frozen=True, slots=True)
class Coincidences:
    """Per pulse: that both sides count (Q_λ), then differ (E_λ), and that each side counts at all."""

    gain: Floats
    error: Floats
    alice: Floats
    bob: Floats


def split(transmittance: ArrayLike, *, place: float) -> Arms:
    """The arms of a channel with the source at ``place`` of its loss: 0 at Alice, 1/2 halfway, 1 at Bob.

    Raises:
        InvalidQuantity: Where the place is not from 0 to 1, or the transmittance is no probability.
    """
    through = quantities.transmittance(transmittance)
    share = float(quantities.within("the place of the source", place, low=0.0, high=1.0))
    return Arms(through**share, through ** (1.0 - share))


def coincidences(
    pairs: ArrayLike, arms: Arms, alice: detection.Receiver, bob: detection.Receiver
) -> Coincidences:
    """Q_λ and E_λ (Ma et al. 2007) of a source of μ = 2λ ``pairs`` per pulse.

    Q_λ is written as a sum of positive terms, for in print it is a difference of numbers near 1 that leaves
    nothing right at 100 dB.

    Raises:
        InvalidQuantity: Where the number of pairs is negative or not finite.
    """
    half = quantities.within("pairs per pulse", pairs, low=0.0, high=np.inf) / 2.0
    eta_a = quantities.transmittance(arms.alice) * np.asarray(alice.efficiency, dtype=np.float64)
    eta_b = quantities.transmittance(arms.bob) * np.asarray(bob.efficiency, dtype=np.float64)
    a, b = eta_a * half, eta_b * half
    both = a + b - eta_a * b
    single_a, single_b = _single(a, alice), _single(b, bob)
    noise_a, noise_b = _noise(a, alice), _noise(b, bob)
    linked = eta_a * eta_b * half * (1.0 + half)
    common = linked * (2.0 + a + b + a * b + both) / ((1.0 + a) * (1.0 + b) * (1.0 + both)) ** 2
    gain = single_a * single_b + (1.0 - noise_a) * (1.0 - noise_b) * common
    wrong_a, wrong_b = np.asarray(alice.misalignment), np.asarray(bob.misalignment)
    misaligned = wrong_a * (1.0 - wrong_b) + wrong_b * (1.0 - wrong_a)
    right = 2.0 * (detection.NOISE_ERROR - misaligned) * linked / ((1.0 + a) * (1.0 + b) * (1.0 + both))
    wrong = np.maximum(detection.NOISE_ERROR * gain - right, 0.0)
    return Coincidences(gain, detection.error_rate(wrong, gain), single_a, single_b)


def _single(mean: Floats, receiver: detection.Receiver) -> Floats:
    """The probability that a side counts, when 2 × ``mean`` photons of its arm would be seen on average."""
    noise = _noise(mean, receiver)
    counted: Floats = noise + (1.0 - noise) * _light(mean)
    return counted


def _noise(mean: Floats, receiver: detection.Receiver) -> Floats:
    dark = np.asarray(receiver.noise, dtype=np.float64)
    once = dark + (1.0 - dark) * _light(mean)
    return dark + (1.0 - dark) * np.asarray(receiver.afterpulsing, dtype=np.float64) * once


def _light(mean: Floats) -> Floats:
    """1 - 1 / (1 + ηλ)², over the numbers of pairs of the source."""
    light: Floats = mean * (2.0 + mean) / (1.0 + mean) ** 2
    return light
