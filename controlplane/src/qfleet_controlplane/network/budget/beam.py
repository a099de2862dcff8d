"""How much of a satellite's beam falls into a telescope: its divergence, the aperture and the pointing.

Divergence is defined in two ways, and they differ by 3 dB at equal numbers, so a scenario says which it
means: ``flat-top``, all light lies evenly in a cone of that full angle; ``gaussian``, that is the full angle
at which the intensity of a Gaussian beam has fallen to 1/e². Both far from the sender, where the spot's size
is the angle times the distance.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import quantities
from qfleet_wire.qkd.quantities import Floats

Profile = Literal["flat-top", "gaussian"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """``divergence_rad`` is a full angle (see the module), ``jitter_rad`` the deviation of each axis."""

    divergence_rad: float
    profile: Profile
    jitter_rad: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no beam can be."""
        quantities.within("divergence in radians", self.divergence_rad, low=1e-12, high=np.pi)
        quantities.within("pointing jitter in radians", self.jitter_rad, low=0.0, high=np.pi)


def collected(beam: Beam, range_m: ArrayLike, aperture_m: float) -> Floats:
    """The mean share of the light that a round aperture receives, pointing errors and all.

    Raises:
        InvalidQuantity: Where a range or the aperture is not over 0.
    """
    return diffraction(beam, range_m, aperture_m) * pointing(beam, range_m, aperture_m)


def diffraction(beam: Beam, range_m: ArrayLike, aperture_m: float) -> Floats:
    """The share that an aperture of diameter d receives of a beam that points at its centre.

    flat-top: (d / θL)², at most 1. gaussian: 1 - exp(-2 a² / w²) with a = d/2 and w = θL/2 (Siegman, Lasers
    (1986), section 17.1).

    Raises:
        InvalidQuantity: Where a range or the aperture is not over 0.
    """
    ratio = _ratio(beam, range_m, aperture_m)
    if beam.profile == "flat-top":
        return np.minimum(ratio**2, 1.0)
    return -np.expm1(-2.0 * ratio**2)


def pointing(beam: Beam, range_m: ArrayLike, aperture_m: float) -> Floats:
    """By what pointing errors multiply that share on average; they fall evenly on both axes.

    flat-top: the probability that the error stays inside the cone, 1 - exp(-θ² / 8σ²), for an aperture that
    is small against the spot. gaussian: the mean intensity of a jittering beam is again Gaussian, with
    w² + 4σ²L² in place of w², for any aperture.

    Raises:
        InvalidQuantity: Where a range or the aperture is not over 0.
    """
    ratio = _ratio(beam, range_m, aperture_m)
    if beam.jitter_rad == 0.0:
        return np.ones_like(ratio)
    if beam.profile == "flat-top":
        inside = -np.expm1(-(beam.divergence_rad**2) / (8.0 * beam.jitter_rad**2))
        return np.full_like(ratio, inside)
    wider = 1.0 + (4.0 * beam.jitter_rad / beam.divergence_rad) ** 2
    return np.asarray(np.expm1(-2.0 * ratio**2 / wider) / np.expm1(-2.0 * ratio**2), dtype=np.float64)


def _ratio(beam: Beam, range_m: ArrayLike, aperture_m: float) -> Floats:
    """The ratio d / θL, the aperture as a share of the spot; with the Gaussian definition also a / w."""
    distance = quantities.within("range in metres", range_m, low=1e-3, high=np.inf)
    aperture = quantities.within("aperture in metres", aperture_m, low=1e-6, high=np.inf)
    ratio: Floats = aperture / (beam.divergence_rad * distance)
    return ratio
