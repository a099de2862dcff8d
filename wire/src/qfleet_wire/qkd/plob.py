"""The most that any protocol gives over a lossy channel without repeaters: the bound beside every figure."""

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import quantities
from qfleet_wire.qkd.quantities import Floats


def bits_per_use(transmittance: ArrayLike) -> Floats:
    """-log2(1 - η), the secret-key capacity of a pure-loss channel in bits per mode.

    Pirandola, Laurenza, Ottaviani, Banchi, Nature Communications 8, 15043 (2017); for small η it is
    1.44 η. Endless at η = 1.

    Raises:
        InvalidQuantity: Where a transmittance is not from 0 to 1.
    """
    through = quantities.transmittance(transmittance)
    with np.errstate(divide="ignore"):
        bits: Floats = -np.log1p(-through) / np.log(2.0)
    return bits
