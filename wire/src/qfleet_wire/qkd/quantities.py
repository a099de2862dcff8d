"""Physical quantities as arrays, refused where they cannot be what they are called; the binary entropy."""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qfleet_wire.errors import InvalidQuantity

Floats: TypeAlias = NDArray[np.float64]


def within(name: str, values: ArrayLike, *, low: float, high: float) -> Floats:
    """The values as an array, all finite and from ``low`` to ``high``.

    Raises:
        InvalidQuantity: With the name and the first value that is not.
    """
    array = np.asarray(values, dtype=np.float64)
    wrong = ~(np.isfinite(array) & (array >= low) & (array <= high))
    if wrong.any():
        worst = float(array[wrong].flat[0])
        span = f"at least {low:g}" if high == np.inf else f"from {low:g} to {high:g}"
        raise InvalidQuantity(f"{name} is {worst:g}, and must be {span}")
    return array


def probability(name: str, values: ArrayLike) -> Floats:
    """The values as an array of probabilities.

    Raises:
        InvalidQuantity: Where one is not from 0 to 1.
    """
    return within(name, values, low=0.0, high=1.0)


def transmittance(values: ArrayLike) -> Floats:
    """The values as transmittances of a channel, linear: not in dB.

    Raises:
        InvalidQuantity: Where one is not from 0 to 1, as a loss in dB would be.
    """
    array = np.asarray(values, dtype=np.float64)
    if (array > 1.0).any():
        worst = float(array[array > 1.0].flat[0])
        raise InvalidQuantity(
            f"transmittance is {worst:g}, and must be from 0 to 1: 10 ** (-loss_db / 10) of a loss in dB"
        )
    return probability("transmittance", array)


def binary_entropy(values: ArrayLike) -> Floats:
    """h(x) = -x log2 x - (1 - x) log2 (1 - x) of probabilities, 0 at both ends."""
    x = np.asarray(values, dtype=np.float64)
    inside = np.clip(x, np.finfo(np.float64).tiny, 1.0 - np.finfo(np.float64).epsneg)
    found = -(inside * np.log2(inside) + (1.0 - inside) * np.log1p(-inside) / np.log(2.0))
    return np.where((x <= 0.0) | (x >= 1.0), 0.0, found)
