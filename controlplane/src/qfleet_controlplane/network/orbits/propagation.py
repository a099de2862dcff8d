"""Satellites along their orbits: SGP4, as Vallado et al. (AIAA 2006-6753) give it, on arrays."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sgp4.api import WGS72, Satrec, SatrecArray

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.network.orbits.arrays import Floats, Indices
from qfleet_controlplane.network.orbits.clock import DAY_S, Epoch
from qfleet_controlplane.network.scenario.model import Elements, Satellite

_SGP4_EPOCH_JD = 2_433_281.5
"""SGP4 counts days from 31 December 1949."""


class OrbitFailed(InvalidRequest):
    """The elements of the satellite at that place cannot be propagated over the scenario."""

    def __init__(self, words: str, place: int) -> None:
        super().__init__(words)
        self.place = place


@dataclass(frozen=True, slots=True)
class Orbits:
    """Satellites, and the epoch from which times count."""

    names: tuple[str, ...]
    records: tuple[Satrec, ...]
    epoch: Epoch

    @classmethod
    def of(cls, satellites: Sequence[Satellite], epoch: Epoch) -> "Orbits":
        """The orbits of a scenario's satellites."""
        records = tuple(_record(one, number, epoch) for number, one in enumerate(satellites))
        return cls(tuple(one.name for one in satellites), records, epoch)

    def states(self, which: slice, at_s: Floats) -> tuple[Floats, Floats]:
        """Positions (N, T, 3) in km and velocities in km/s of some satellites, in TEME.

        Raises:
            OrbitFailed: naming the satellite that has decayed, and when.
        """
        days, parts = self.epoch.julian(at_s)
        failed, position, velocity = SatrecArray(list(self.records[which])).sgp4(days, parts)
        if failed.any():
            number, place = np.argwhere(failed)[0]
            name = self.names[which][number]
            words = (
                f"satellite {name!r} cannot be propagated to {at_s[place]:.0f} s after the epoch "
                f"(SGP4 error {failed[number, place]}): its elements are too old or wrong, or it has decayed"
            )
            raise OrbitFailed(words, (which.start or 0) + int(number))
        return position, velocity

    def positions(self, which: Indices, at_s: Floats) -> Floats:
        """Positions (N, T, 3) in TEME of satellites ``which`` (N,), each at its own times (N, T)."""
        found = np.empty((*at_s.shape, 3))
        for number in np.unique(which):
            mine = np.flatnonzero(which == number)
            days, parts = self.epoch.julian(at_s[mine].ravel())
            _, position, _ = self.records[number].sgp4_array(days, parts)
            found[mine] = position.reshape(len(mine), at_s.shape[1], 3)
        return found


def _record(satellite: Satellite, number: int, epoch: Epoch) -> Satrec:
    if satellite.tle is not None:
        return Satrec.twoline2rv(*satellite.tle)
    assert satellite.elements is not None, "a satellite has one or the other"
    return _generated(satellite.elements, number, epoch)


def _generated(elements: Elements, number: int, epoch: Epoch) -> Satrec:
    record = Satrec()
    record.sgp4init(
        WGS72,
        "i",
        number % 100_000,
        epoch.day - _SGP4_EPOCH_JD + epoch.part,
        0.0,  # drag
        0.0,
        0.0,
        elements.eccentricity,
        math.radians(elements.perigee_deg),
        math.radians(elements.inclination_deg),
        math.radians(elements.anomaly_deg),
        elements.revolutions_per_day * 2.0 * math.pi * 60.0 / DAY_S,
        math.radians(elements.node_deg),
    )
    return record
