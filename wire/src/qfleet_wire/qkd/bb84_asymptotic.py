"""The secret key of decoy-state BB84 in the limit of endless blocks, whose counts are their expectations.

For plans, and as the ceiling of ``bb84_finite``: no block of finite size is secure at these rates.
"""

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import decoy_bounds, decoys, detection, quantities, reconciliation
from qfleet_wire.qkd.quantities import Floats


def length(counts: decoys.Counts, source: decoys.Source, *, leak_bits: ArrayLike) -> Floats:
    """The key of a block if its counts had no fluctuation: ``bb84_finite.length`` for N → ∞, per block.

    Lim et al., PRA 89, 022307 (2014), equations 1 to 4 without their deviations and security terms.

    Raises:
        InvalidQuantity: Where the leak is negative; counts and sources refuse for themselves.
    """
    leak = quantities.within("bits revealed by reconciliation", leak_bits, low=0.0, high=np.inf)
    exact = np.zeros(())
    key = decoy_bounds.events(np.asarray(counts.key, dtype=np.float64), source, exact)
    check = decoy_bounds.events(np.asarray(counts.check, dtype=np.float64), source, exact)
    wrong = np.asarray(counts.check_errors, dtype=np.float64)
    errors = np.clip(decoy_bounds.single_errors(wrong, source, exact), 0.0, wrong.sum(axis=-1))
    phase = np.minimum(detection.error_rate(errors, check.single), 0.5)
    bits: Floats = key.vacuum + key.single * (1.0 - quantities.binary_entropy(phase)) - leak
    return np.maximum(bits, 0.0)


def ideal_rate(
    intensity: ArrayLike,
    transmittance: ArrayLike,
    receiver: detection.Receiver,
    *,
    efficiency: ArrayLike = reconciliation.EFFICIENCY,
    vacuum: bool = True,
) -> Floats:
    """Bits per signal pulse after sifting, when endless decoys reveal Y_1 and e_1; negative without key.

    R = Q_1 (1 - h(e_1)) - f Q_μ h(E_μ) (Gottesman, Lo, Lütkenhaus, Preskill, QIC 4, 325 (2004); Ma et al.,
    PRA 72, 012326 (2005), eq. 1, there times the sifting factor q), and with ``vacuum`` Q_0 on top (Lo, QIC
    5, 413 (2005)): nobody knows a bit that came of no photon.

    Args:
        intensity: μ of the signal, in photons per pulse, shape (...).
        transmittance: Of the channel, linear, shape (...).
        receiver: Bob's side.
        efficiency: f of the reconciliation.
        vacuum: Whether counts without a photon contribute.

    Raises:
        InvalidQuantity: Where an input is out of its range.
    """
    mu = quantities.within("intensity", intensity, low=0.0, high=np.inf)
    factor = quantities.within("efficiency of reconciliation", efficiency, low=1.0, high=np.inf)
    seen = detection.gains(mu[..., None], transmittance, receiver)
    single = detection.yields(1.0, transmittance, receiver) * mu * np.exp(-mu)
    error = detection.photon_errors(1.0, transmittance, receiver)
    rate = single * (1.0 - quantities.binary_entropy(error))
    rate = rate - factor * seen.gain[..., 0] * quantities.binary_entropy(seen.error[..., 0])
    if vacuum:
        rate = rate + detection.yields(0.0, transmittance, receiver) * np.exp(-mu)
    return rate
