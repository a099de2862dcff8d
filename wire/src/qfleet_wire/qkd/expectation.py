"""The counts to expect of a link: what the planner hands to a key length in place of measured ones."""

from dataclasses import fields, replace

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import decoys, detection, quantities


def counts(
    source: decoys.Source,
    receiver: detection.Receiver,
    *,
    transmittance: ArrayLike,
    pulses_hz: ArrayLike,
    seconds: ArrayLike,
) -> decoys.Counts:
    """The mean counts of a block, per basis and intensity, from the model of ``detection``.

    Args:
        source: Alice's settings. receiver: Bob's side. transmittance: Of the channel, linear, shape (...).
        pulses_hz: Pulses per second; with the dead time it says how long the receiver is blind. seconds: How
        long each element lasts, shape (...): a block, or a step of a pass (add them with ``added``).

    Raises:
        InvalidQuantity: Where an input is out of its range.
    """
    seen = detection.gains(source.intensities, transmittance, receiver)
    weights = np.asarray(source.probabilities, dtype=np.float64)
    alive = detection.live((weights * seen.gain).sum(axis=-1), pulses_hz, receiver)
    time = quantities.within("seconds", seconds, low=0.0, high=np.inf)
    counted = (np.asarray(pulses_hz, dtype=np.float64) * time * alive)[..., None] * weights * seen.gain
    basis = np.asarray(source.key_basis, dtype=np.float64)[..., None]
    check = counted * (1.0 - basis) ** 2
    key = counted * basis**2
    return decoys.Counts(
        key=key, check=check, key_errors=(key * seen.error).sum(axis=-1), check_errors=check * seen.error
    )


def added(steps: decoys.Counts) -> decoys.Counts:
    """One block of the counts of many steps: summed over the axis before the intensities, such as time."""
    sums = {
        field.name: np.asarray(getattr(steps, field.name)).sum(axis=-1 if field.name == "key_errors" else -2)
        for field in fields(steps)
    }
    return replace(steps, **sums)
