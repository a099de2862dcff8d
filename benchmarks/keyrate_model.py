"""The peer's formulas for a finite block of BB84, in closed form over arrays: what both searches climb.

The peer (tno-quantum-communication-qkd-key-rate 2) solves linear programmes for the vacuum and single-photon
counts. Here their dual is solved for the photon numbers 0, 1 and 2, the vertex that is optimal at the peer's
own optima; any feasible vertex is a lower bound. The settings that are found this way are valued by the
peer's ``compute_rate``.

It is a model to compare searches by, and no bound for keys: it takes the least number of single-photon errors
where the greatest belongs, adds that number to an error rate, and knows no sifting.
``qfleet_wire.qkd.bb84_finite`` does otherwise.
"""

from dataclasses import dataclass

import numpy as np

from qfleet_wire.qkd import quantities, search
from qfleet_wire.qkd.quantities import Floats

SETTINGS = 8
_LOG_DEVIATION = np.log(2e8)
_LOG_SAMPLE = -np.log(2e-55)
_LOG_ABORT = np.log(1e50)
_SECURITY_BITS = np.log2(2e-50) + 2.0 * np.log2(2e-55 * 2e-55 * 1e-7) - 1.0
_TAIL = -2.0 * np.log(1e-8)
_MOST_DEVIATION = 0.5


@dataclass(frozen=True)
class Settings:
    """Intensities, and the probabilities to send each in the key's basis and in the other; (..., 3)."""

    intensities: Floats
    key: Floats
    check: Floats


@dataclass(frozen=True)
class Detector:
    """What the peer's detector is made of: counts per gate without light, efficiency, drift in radians."""

    dark: float
    efficiency: float
    drift: float


def best(detector: Detector, losses_db: Floats, pulses: float) -> Settings:
    """The settings for each loss that our search finds."""
    through = 10.0 ** (-losses_db / 10.0)[:, None, None]

    def value(points: Floats) -> Floats:
        return rate(settings(points), detector, through, pulses)

    found, _ = search.maximise(value, links=len(losses_db), dimensions=SETTINGS)
    return settings(found)


def rate(chosen: Settings, detector: Detector, through: Floats, pulses: float) -> Floats:
    """The peer's key per pulse, before (1 - p_abort), which is 1 to 50 digits."""
    gain, error = _gains(chosen.intensities, detector, through)
    key, check = pulses * chosen.key * gain, pulses * chosen.check * gain
    total, sample = key.sum(axis=-1), check.sum(axis=-1)
    wrong = _least(chosen.intensities, chosen.check, check * error, (0.0, 1.0, 0.0))
    spread = np.sqrt((total + sample) * (total + 1.0) * _LOG_SAMPLE / (2.0 * sample * total**2))
    phase = np.where(wrong + spread < 1.0, quantities.binary_entropy(wrong + spread), 0.0)
    secret = _least(chosen.intensities, chosen.key, key, (1.0, 1.0, 0.0))
    single = _least(chosen.intensities, chosen.key, key, (0.0, 1.0, 0.0))
    bits = (key * error).sum(axis=-1) / total
    leak = total * (quantities.binary_entropy(bits) + np.sqrt(_LOG_ABORT * 3.0 * np.log2(5.0) ** 2 / total))
    found = secret - single * phase - leak + _SECURITY_BITS
    # Without a sample to speak of the peer charges nothing for phase errors at all: no key to plan with.
    return np.asarray(np.where(spread < _MOST_DEVIATION, found, -spread * pulses) / pulses)


def settings(points: Floats) -> Settings:
    """Settings of points (..., 8) in the unit box."""
    signal = 0.02 + 0.979 * points[..., 0]
    weak = signal * (0.01 + 0.98 * points[..., 1])
    vacuum = weak * 0.9 * 10.0 ** (-5.0 * points[..., 2])
    checked = (0.9 * 10.0 ** (-5.0 * points[..., 3]))[..., None]
    decoyed = 0.98 * 10.0 ** (-4.0 * points[..., 4])
    dark = decoyed * (0.02 + 0.96 * points[..., 5])
    shares = np.stack([0.01 + points[..., 6], 0.01 + points[..., 7], np.full_like(dark, 0.5)], axis=-1)
    return Settings(
        np.stack([signal, weak, vacuum], axis=-1),
        (1.0 - checked) * np.stack([1.0 - decoyed, decoyed - dark, dark], axis=-1),
        checked * shares / shares.sum(axis=-1, keepdims=True),
    )


def _gains(intensities: Floats, detector: Detector, through: Floats) -> tuple[Floats, Floats]:
    """Gain and error rate of two threshold detectors and light turned by the drift."""
    seen = intensities * detector.efficiency * through
    quiet = 1.0 - detector.dark
    gain = 1.0 - quiet**2 * np.exp(-seen)
    turned = np.sin(detector.drift) ** 2
    wrong = 1.0 + quiet * (np.exp(-seen * (1.0 - turned)) - np.exp(-seen * turned)) - np.exp(-seen) * quiet**2
    return gain, wrong / (2.0 * gain)


def _least(intensities: Floats, probabilities: Floats, counts: Floats, wanted: tuple[float, ...]) -> Floats:
    """The least that the counts allow of ``wanted`` times the counts of 0, 1 and 2 photons."""
    shares = probabilities / probabilities.sum(axis=-1, keepdims=True) * np.exp(-intensities)
    photons = np.stack([shares, shares * intensities, shares * intensities**2], axis=-2)
    photons = photons / photons.sum(axis=-1, keepdims=True)
    target = np.broadcast_to(np.asarray(wanted)[:, None], (*photons.shape[:-1], 1))
    prices = np.linalg.solve(photons, target)[..., 0]
    deviation = np.sqrt(_LOG_DEVIATION * counts.sum(axis=-1) / 2.0)
    found = (counts * prices).sum(axis=-1) - deviation * (prices.max(axis=-1) - prices.min(axis=-1))
    return np.asarray(np.maximum(found - _TAIL * np.maximum(-prices, 0.0).sum(axis=-1), 0.0))
