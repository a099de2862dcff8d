"""What the clear atmosphere takes away, by elevation."""

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import quantities
from qfleet_wire.qkd.quantities import Floats

_A, _B_DEG, _C = 0.50572, 6.07995, 1.6364
"""Coefficients of Kasten and Young 1989."""


def air_mass(elevation_rad: ArrayLike) -> Floats:
    """The path through the atmosphere as a multiple of that straight up, at an elevation over the horizon.

    Kasten, Young, Applied Optics 28, 4735 (1989), eq. 3: within 0.5 % of their tables down to the horizon
    (38 there), where 1 / sin grows without bound. Below the horizon it is as at the horizon.

    Raises:
        InvalidQuantity: Where an elevation is over 90 degrees.
    """
    elevation = quantities.within("elevation in radians", elevation_rad, low=-np.pi / 2.0, high=np.pi / 2.0)
    above = np.maximum(elevation, 0.0)
    return 1.0 / (np.sin(above) + _A * (np.degrees(above) + _B_DEG) ** -_C)


def extinction_db(elevation_rad: ArrayLike, zenith_loss_db: ArrayLike) -> Floats:
    """The loss of a cloudless sky that takes ``zenith_loss_db`` straight up.

    Beer and Lambert's law along the air mass, all that scatters and absorbs spread as the air is.

    Raises:
        InvalidQuantity: Where a loss is negative or an elevation is none.
    """
    zenith = quantities.within("loss at the zenith in dB", zenith_loss_db, low=0.0, high=np.inf)
    loss: Floats = zenith * air_mass(elevation_rad)
    return loss
