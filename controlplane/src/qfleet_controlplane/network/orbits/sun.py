"""The sun: where it is, whether it is night at a site, whether a satellite is in the Earth's shadow.

Low precision, so that no ephemeris is needed: the Astronomical Almanac's formula (section C, "Low precision
formulas for the Sun"), good to 0.01° between 1950 and 2050. At sunset 0.01° are 2.4 s.
"""

import numpy as np

from qfleet_controlplane.network.orbits.arrays import Bools, Floats
from qfleet_controlplane.network.orbits.frames import WGS84_AXIS_KM

ASTRONOMICAL_UNIT_KM = 149_597_870.7
NIGHT_RAD = np.radians(-6.0)
"""The sun's elevation below which a site is dark enough to count photons: the end of civil twilight."""


def direction(days_since_j2000: Floats) -> Floats:
    """Unit vectors (..., 3) to the sun, on the true equator and from the mean equinox, as TEME has it."""
    days = days_since_j2000
    mean = np.radians(280.460 + 0.9856474 * days)
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = mean + np.radians(1.915) * np.sin(anomaly) + np.radians(0.020) * np.sin(2.0 * anomaly)
    tilt = np.radians(23.439 - 0.0000004 * days)
    return np.stack(
        [np.cos(longitude), np.cos(tilt) * np.sin(longitude), np.sin(tilt) * np.sin(longitude)], axis=-1
    )


def elevation_rad(up: Floats, sun: Floats) -> Floats:
    """The sun's elevation where ``up`` (..., 3) points, both in the Earth's frame; without refraction."""
    risen: Floats = np.arcsin(np.clip(np.sum(up * sun, axis=-1), -1.0, 1.0))
    return risen


def is_sunlit(position_km: Floats, sun: Floats) -> Bools:
    """Whether satellites at (..., 3) see the sun, both in one frame.

    The shadow is a cylinder of the Earth's equatorial radius. Left out are the penumbra (12 km to either side
    at 500 km) and the flattening (21 km at the poles): with the sun in the orbit's plane, where the satellite
    crosses the edge at 2.8 km/s, they move the moment of entry by up to 12 s, and more where an orbit grazes
    the shadow.
    """
    along = np.sum(position_km * sun, axis=-1)
    beside = np.linalg.norm(position_km - along[..., None] * sun, axis=-1)
    lit: Bools = (along > 0.0) | (beside > WGS84_AXIS_KM)
    return lit
