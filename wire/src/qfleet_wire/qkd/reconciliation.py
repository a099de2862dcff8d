"""What reconciliation costs: f times the Shannon limit of a binary symmetric channel.

f = 1.16 is what Lim et al., PRA 89, 022307 (2014), section IV, assume; 1.22 was used with the GYS experiment
(Ma et al., PRA 72, 012326 (2005)). What a real reconciliation revealed takes its place as soon as it is
known.
"""

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import quantities
from qfleet_wire.qkd.quantities import Floats

EFFICIENCY = 1.16


def leak_bits(bits: ArrayLike, errors: ArrayLike, *, efficiency: ArrayLike = EFFICIENCY) -> Floats:
    """λ_EC = f n h(m / n): bits revealed to correct ``errors`` in a sifted key of ``bits``.

    Raises:
        InvalidQuantity: Where a count is negative, or f is under 1, which no code reaches.
    """
    n = quantities.within("sifted bits", bits, low=0.0, high=np.inf)
    m = quantities.within("errors", errors, low=0.0, high=np.inf)
    f = quantities.within("efficiency of reconciliation", efficiency, low=1.0, high=np.inf)
    rate = quantities.within("error rate", m / np.where(n > 0.0, n, 1.0), low=0.0, high=1.0)
    # Above one half a code can do no worse than to reveal the whole key.
    return f * n * np.where(rate < 0.5, quantities.binary_entropy(rate), 1.0)
