"""What a receiver counts of weak coherent pulses: gains, error rates, the sifted rate.

The model of Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005), section II, for threshold detectors, with afterpulses as
in Lim et al., PRA 89, 022307 (2014), section IV, and a non-paralysable dead time. Products of the
probabilities of light and noise are kept where the paper drops them as small, so that a gain never exceeds 1.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import decoys, quantities
from qfleet_wire.qkd.quantities import Floats

NOISE_ERROR = 0.5
"""e_0: a count without light falls on either bit alike (Ma et al. 2005, below eq. 9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Bob's side. Each field is a number or an array that broadcasts with the transmittance.

    ``efficiency`` is the receiver's own: optics that the channel does not include, times the detectors'.
    ``noise`` is Y_0, the probability that a gate without light gives a count in the basis that is measured,
    dark counts and background together (see ``noise_per_gate``). ``misalignment`` is e_d, the probability
    that light falls on the wrong detector. ``afterpulsing`` is the probability that a count is followed by
    another one. ``dead_time_s`` is how long the receiver is blind after each count, all its detectors
    together.
    """

    efficiency: ArrayLike
    noise: ArrayLike
    misalignment: ArrayLike
    afterpulsing: ArrayLike = 0.0
    dead_time_s: ArrayLike = 0.0

    def __post_init__(self) -> None:
        """Refuse what no receiver can be."""
        quantities.probability("the receiver's efficiency", self.efficiency)
        quantities.probability("noise counts per gate", self.noise)
        quantities.within("misalignment", self.misalignment, low=0.0, high=0.5)
        quantities.probability("afterpulsing", self.afterpulsing)
        quantities.within("dead time in seconds", self.dead_time_s, low=0.0, high=np.inf)


@dataclass(frozen=True, slots=True)
class Gains:
    """Per intensity, shape (..., K): the probability of a count per pulse, and that a count is an error."""

    gain: Floats
    error: Floats


@dataclass(frozen=True, slots=True)
class Sifted:
    """What is left after the bases are compared, shape (...).

    ``key_bps`` and ``check_bps`` are sifted bits per second in the basis of the key and in the other one,
    ``qber`` their error rate, ``live`` the fraction of time that the receiver is not blind after a count.
    """

    key_bps: Floats
    check_bps: Floats
    qber: Floats
    live: Floats


def noise_per_gate(counts_hz: ArrayLike, gate_s: ArrayLike) -> Floats:
    """Y_0 of a gate: 1 - exp(-rate × gate), for dark counts and background of all detectors of a basis.

    Raises:
        InvalidQuantity: Where a rate or a gate is negative or not finite.
    """
    rate = quantities.within("noise counts per second", counts_hz, low=0.0, high=np.inf)
    return -np.expm1(-rate * quantities.within("gate in seconds", gate_s, low=0.0, high=np.inf))


def yields(photons: ArrayLike, transmittance: ArrayLike, receiver: Receiver) -> Floats:
    """Y_n, the probability of a count when n photons were sent (Ma et al. 2005, eqs. 6 and 7)."""
    return _counted(_seen(photons, _overall(transmittance, receiver)), receiver)[0]


def photon_errors(photons: ArrayLike, transmittance: ArrayLike, receiver: Receiver) -> Floats:
    """e_n, the probability that such a count is an error (Ma et al. 2005, eq. 9); 1/2 of no counts."""
    return _counted(_seen(photons, _overall(transmittance, receiver)), receiver)[1]


def gains(intensity: ArrayLike, transmittance: ArrayLike, receiver: Receiver) -> Gains:
    """Q_μ and E_μ for each intensity (Ma et al. 2005, eqs. 10 and 11; Lim et al. 2014, section IV).

    Args:
        intensity: Photons per pulse, shape (..., K), its last axis the intensities of a source.
        transmittance: Of the channel, linear, shape (...), as the fields of the receiver.
        receiver: What counts.

    Returns:
        Gains of shape (..., K). Afterpulses raise a gain by the factor 1 + p_ap and err half the time.

    Raises:
        InvalidQuantity: Where an intensity is negative or a transmittance is no probability.
    """
    photons = quantities.within("intensity", intensity, low=0.0, high=np.inf)
    overall = _overall(transmittance, receiver)[..., None]
    return Gains(*_counted(-np.expm1(-photons * overall), _per_intensity(receiver)))


def live(mean_gain: ArrayLike, pulses_hz: ArrayLike, receiver: Receiver) -> Floats:
    """The fraction of time in which a receiver with a non-paralysable dead time can count: 1 / (1 + R τ).

    R is the rate of counts without dead time, ``mean_gain`` × ``pulses_hz``, over all bases. Source: Rogers,
    Bienfang, Nakassis, Xu, Clark, NJP 9, 319 (2007). The blindness does not depend on the intensity, and so
    leaves the ratios of the gains as they are.

    Raises:
        InvalidQuantity: Where a gain is no probability or a rate is negative.
    """
    rate = quantities.within("pulses per second", pulses_hz, low=0.0, high=np.inf)
    counts = quantities.probability("gain", mean_gain) * rate
    return 1.0 / (1.0 + counts * np.asarray(receiver.dead_time_s, dtype=np.float64))


def sifted(
    source: decoys.Source, pulses_hz: ArrayLike, transmittance: ArrayLike, receiver: Receiver
) -> Sifted:
    """The sifted rates and the error rate of a link, all intensities together.

    Raises:
        InvalidQuantity: Where an input is out of its range.
    """
    seen = gains(source.intensities, transmittance, receiver)
    weights = np.asarray(source.probabilities, dtype=np.float64)
    mean = (weights * seen.gain).sum(axis=-1)
    alive = live(mean, pulses_hz, receiver)
    counts = mean * np.asarray(pulses_hz, dtype=np.float64) * alive
    basis = np.asarray(source.key_basis, dtype=np.float64)
    qber = error_rate((weights * seen.gain * seen.error).sum(axis=-1), mean)
    return Sifted(counts * basis**2, counts * (1.0 - basis) ** 2, qber, alive)


def _overall(transmittance: ArrayLike, receiver: Receiver) -> Floats:
    return quantities.transmittance(transmittance) * np.asarray(receiver.efficiency, dtype=np.float64)


def _seen(photons: ArrayLike, overall: Floats) -> Floats:
    number = quantities.within("photons", photons, low=0.0, high=np.inf)
    return 1.0 - (1.0 - overall) ** number


def _counted(light: Floats, receiver: Receiver) -> tuple[Floats, Floats]:
    """The probability of a count and its error rate, of light that is seen with the probability ``light``.

    Where light and noise meet, the light decides the bit (Ma et al. 2005, eq. 9).
    """
    noise, misalignment, after = (
        np.asarray(value, dtype=np.float64)
        for value in (receiver.noise, receiver.misalignment, receiver.afterpulsing)
    )
    once = light + noise * (1.0 - light)
    wrong = misalignment * light + NOISE_ERROR * (noise * (1.0 - light) + after * once)
    return np.minimum(once * (1.0 + after), 1.0), error_rate(wrong, once * (1.0 + after))


def _per_intensity(receiver: Receiver) -> Receiver:
    """The same receiver with a last axis for the intensities."""
    return Receiver(
        **{field.name: np.asarray(getattr(receiver, field.name))[..., None] for field in fields(receiver)}
    )


def error_rate(wrong: Floats, counted: Floats) -> Floats:
    """Errors over counts; of nothing counted, the error rate of noise."""
    none = counted <= 0.0
    return np.where(none, NOISE_ERROR, wrong / np.where(none, 1.0, counted))
