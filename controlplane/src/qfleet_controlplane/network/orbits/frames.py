"""Frames: from the one of SGP4 to the Earth, and from there to what a station sees.

Polar motion is left out: it moves a station by less than 20 m.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qfleet_controlplane.network.orbits.arrays import Floats, Indices
from qfleet_controlplane.network.scenario.model import Site

WGS84_AXIS_KM = 6378.137
WGS84_FLATTENING = 1.0 / 298.257223563
TURN_RAD_S = 7.292115e-5
"""Rotation of the Earth, rad/s."""


def turned(vectors: Floats, angle_rad: Floats) -> Floats:
    """Turn vectors (..., 3) into a frame that is turned by angles (...) about the pole."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.stack([cos * x + sin * y, cos * y - sin * x, np.broadcast_to(z, (cos * x).shape)], axis=-1)


@dataclass(frozen=True, slots=True)
class Stations:
    """Places on the Earth: positions (S, 3) in km, and what is up, north and east there, (S, 3) each."""

    position_km: Floats
    up: Floats
    north: Floats
    east: Floats

    @classmethod
    def of(cls, sites: Sequence[Site]) -> "Stations":
        """The places of sites: geodetic, on the ellipsoid of WGS84."""
        latitude = np.radians([site.latitude_deg for site in sites])
        longitude = np.radians([site.longitude_deg for site in sites])
        altitude = np.array([site.altitude_m for site in sites]) / 1000.0
        flat = WGS84_FLATTENING * (2.0 - WGS84_FLATTENING)
        normal = WGS84_AXIS_KM / np.sqrt(1.0 - flat * np.sin(latitude) ** 2)
        out = (normal + altitude) * np.cos(latitude)
        along = (normal * (1.0 - flat) + altitude) * np.sin(latitude)
        cos, sin = np.cos(longitude), np.sin(longitude)
        position = [out * cos, out * sin, along]
        up = [np.cos(latitude) * cos, np.cos(latitude) * sin, np.sin(latitude)]
        north = [-np.sin(latitude) * cos, -np.sin(latitude) * sin, np.cos(latitude)]
        east = [-sin, cos, np.zeros_like(longitude)]
        return cls(*(np.stack(one, axis=-1) for one in (position, up, north, east)))

    def at(self, which: Indices) -> "Stations":
        """The stations of these indices, which may repeat."""
        return Stations(self.position_km[which], self.up[which], self.north[which], self.east[which])


@dataclass(frozen=True, slots=True)
class Look:
    """How satellites are seen: elevation and azimuth (east of north) in rad, range in km, of one shape."""

    elevation_rad: Floats
    azimuth_rad: Floats
    range_km: Floats


def look(stations: Stations, position_km: Floats) -> Look:
    """How satellites at positions (N, ..., 3) on the Earth's frame are seen from N stations."""
    shape = (len(position_km), *([1] * (position_km.ndim - 2)), 3)
    away = position_km - stations.position_km.reshape(shape)
    distance = np.linalg.norm(away, axis=-1)
    up, north, east = (
        np.sum(away * axis.reshape(shape), axis=-1) for axis in (stations.up, stations.north, stations.east)
    )
    azimuth = np.mod(np.arctan2(east, north), 2.0 * np.pi)
    return Look(np.arcsin(np.clip(up / distance, -1.0, 1.0)), azimuth, distance)
