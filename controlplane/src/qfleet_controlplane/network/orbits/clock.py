"""Instants of a scenario as the formulas of astronomy want them.

UTC stands for UT1: they differ by less than 0.9 s, in which the Earth's surface turns by less than 420 m at
the equator. That shifts rise and set by less than 0.1 s and an elevation at 500 km by less than 0.05°.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from qfleet_controlplane.network.orbits.arrays import Floats

DAY_S = 86_400.0
_UNIX_EPOCH_JD = 2_440_587.5
J2000_JD = 2_451_545.0
_CENTURY_DAYS = 36_525.0


@dataclass(frozen=True, slots=True)
class Epoch:
    """A scenario's epoch as a Julian date in two parts, so that nothing of it is lost."""

    day: float
    part: float

    @classmethod
    def of(cls, instant: dt.datetime) -> "Epoch":
        """The epoch at an instant with a zone."""
        seconds = instant.timestamp()
        days, rest = divmod(seconds, DAY_S)
        return cls(_UNIX_EPOCH_JD + days, rest / DAY_S)

    def julian(self, at_s: Floats) -> tuple[Floats, Floats]:
        """Julian dates of times since the epoch, in two parts of the times' shape."""
        return np.full_like(at_s, self.day), self.part + at_s / DAY_S

    def days_since_j2000(self, at_s: Floats) -> Floats:
        """Days since noon of 1 January 2000."""
        return (self.day - J2000_JD) + self.part + at_s / DAY_S

    def sidereal_rad(self, at_s: Floats) -> Floats:
        """Greenwich mean sidereal time, IAU 1982 (Aoki et al., Astron. Astrophys. 105, 359 (1982)).

        It is what turns TEME, the frame of SGP4, to the Earth (Vallado et al., AIAA 2006-6753, appendix C).
        """
        days = self.days_since_j2000(at_s)
        centuries = days / _CENTURY_DAYS
        seconds = (
            67_310.54841
            + (876_600.0 * 3600.0 + 8_640_184.812866) * centuries
            + 0.093104 * centuries**2
            - 6.2e-6 * centuries**3
        )
        turned: Floats = np.mod(2.0 * np.pi * seconds / DAY_S, 2.0 * np.pi)
        return turned
