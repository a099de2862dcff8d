"""The secret key of BBM92: entangled pairs, both sides measuring in two bases chosen at random."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.qkd import bb84_finite, detection, pairs, quantities, reconciliation
from qfleet_wire.qkd.quantities import Floats


@dataclass(frozen=True, slots=True)
class Key:
    """A key length and what it is made of; numbers or arrays over blocks.

    ``bits`` is ℓ, 0 where no key can be made; ``balance`` the same before it is rounded down, negative where
    so many bits are missing; ``phase_error`` Q_tol + μ, at most 1/2; ``leak_bits`` λ_EC.
    """

    bits: Floats
    balance: Floats
    phase_error: Floats
    leak_bits: Floats


def asymptotic_rate(seen: pairs.Coincidences, *, efficiency: ArrayLike = reconciliation.EFFICIENCY) -> Floats:
    """Bits per pulse after sifting, of endless blocks: Q (1 - f h(E) - h(E)); negative without key.

    Koashi and Preskill's bound for a source that does not know the basis (PRL 90, 057902 (2003)); Ma, Fung,
    Lo, PRA 76, 012307 (2007), there times the sifting factor q.

    Raises:
        InvalidQuantity: Where f is under 1.
    """
    factor = quantities.within("efficiency of reconciliation", efficiency, low=1.0, high=np.inf)
    return seen.gain * (1.0 - (1.0 + factor) * quantities.binary_entropy(seen.error))


def length(
    key_bits: ArrayLike,
    check_bits: ArrayLike,
    check_error: ArrayLike,
    *,
    leak_bits: ArrayLike,
    security: bb84_finite.Security | None = None,
) -> Key:
    """ℓ of a block of finite size, against general attacks.

    ℓ = n (1 - h(Q + μ)) - λ_EC - log2(2 / (ε_sec² ε_cor)), with μ² = (n + k)(k + 1) ln(4 / ε_sec) / (n k²):
    Tomamichel, Lim, Gisin, Renner, Nature Communications 3, 634 (2012), eq. 1, for measurements in
    complementary bases. It asks of the source nothing, and of the receivers that their chance to count does
    not depend on the basis; a double count must be given a random bit.

    Args:
        key_bits: n, sifted bits of the key basis.
        check_bits: k, sifted bits of the other basis, all of them compared.
        check_error: Q, their error rate: Q_tol, above which the exchange is given up.
        leak_bits: λ_EC, what the reconciliation reveals.
        security: ε_sec = 1e-9 and ε_cor = 1e-15 where not given.

    Raises:
        InvalidQuantity: Where a count is negative or an error rate is no probability.
    """
    epsilon = security or bb84_finite.Security()
    n = quantities.within("sifted bits", key_bits, low=0.0, high=np.inf)
    leak = quantities.within("bits revealed by reconciliation", leak_bits, low=0.0, high=np.inf)
    secrecy = np.asarray(epsilon.secrecy, dtype=np.float64)
    error = quantities.probability("error rate", check_error) + deviation(n, check_bits, secrecy)
    phase = np.minimum(error, 0.5)
    balance = n * (1.0 - quantities.binary_entropy(phase)) - leak
    balance = balance - np.log2(2.0 / (secrecy**2 * np.asarray(epsilon.correctness)))
    return Key(np.maximum(np.floor(balance), 0.0), balance, phase, leak)


def deviation(key_bits: ArrayLike, check_bits: ArrayLike, secrecy: ArrayLike) -> Floats:
    """μ: how far the error rate of the key may lie above that of the check, but for (ε_sec / 4)².

    Serfling's inequality for sampling without replacement (Tomamichel et al. 2012, below eq. 1). 1 without a
    sample.

    Raises:
        InvalidQuantity: Where a count is negative.
    """
    n = quantities.within("sifted bits", key_bits, low=0.0, high=np.inf)
    k = quantities.within("compared bits", check_bits, low=0.0, high=np.inf)
    known = (n >= 1.0) & (k >= 1.0)
    n, k = np.where(known, n, 1.0), np.where(known, k, 1.0)
    spread = (n + k) / (n * k) * (k + 1.0) / k * np.log(4.0 / np.asarray(secrecy))
    return np.where(known, np.sqrt(spread), 1.0)


def sifted(
    seen: pairs.Coincidences,
    pulses_hz: ArrayLike,
    alice: detection.Receiver,
    bob: detection.Receiver,
    *,
    key_basis: ArrayLike = 0.5,
) -> detection.Sifted:
    """The sifted rates and the error rate, each side blind for its dead time after its own counts.

    Raises:
        InvalidQuantity: Where an input is out of its range.
    """
    rate = quantities.within("pulses per second", pulses_hz, low=0.0, high=np.inf)
    basis = quantities.probability("the probability of the key basis", key_basis)
    alive = detection.live(seen.alice, rate, alice) * detection.live(seen.bob, rate, bob)
    counts = seen.gain * rate * alive
    return detection.Sifted(counts * basis**2, counts * (1.0 - basis) ** 2, seen.error, alive)
