"""The secret key of decoy-state BB84 from a block of finite size, against general attacks.

Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014), equations 1 to 5, in two variants. ``as printed``
bounds the single-photon errors by eq. 4 alone. ``capped`` also by the errors that were observed:
single-photon errors are among them, so they cannot be more (v_Z,1 ≤ m_Z). Both hold; the second gives more
key where few errors are counted, for there the fluctuation of eq. 4 exceeds the count itself.

Three things are left open in print and decided here, each so that the key can only get shorter: vacuum events
are not fewer than 0, vacuum and single-photon events together not more than all events, and at least one
single-photon error is assumed, since γ of eq. 5 would vanish without one, however small the sample.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import decoy_bounds, decoys, quantities
from qfleet_wire.qkd.quantities import Floats

Variant = Literal["as printed", "capped"]

_TERMS = 21.0
"""Into how many equal errors the secrecy is split (Lim et al. 2014, below eq. B4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """ε_sec, the distance from a perfect key, and ε_cor, the probability that both sides' keys differ."""

    secrecy: ArrayLike = 1e-9
    correctness: ArrayLike = 1e-15

    def __post_init__(self) -> None:
        """Refuse what is no probability, and 0, which no finite key reaches."""
        for name, value in (("secrecy", self.secrecy), ("correctness", self.correctness)):
            if not (quantities.probability(name, value) > 0.0).all():
                raise InvalidQuantity(f"{name} is 0, and must be over 0: a finite key is never perfect")


@dataclass(frozen=True, slots=True)
class Key:
    """A key length and what it is made of; numbers or arrays over blocks, in events and bits.

    ``bits`` is ℓ, 0 where no key can be made; ``balance`` the same before it is rounded down, negative where
    so many bits are missing. ``key`` holds the lower bounds s_X,0 and s_X,1, ``check_single`` is s_Z,1,
    ``check_single_errors`` the upper bound v_Z,1, ``phase_error`` φ_X (1/2 where nothing bounds it),
    ``leak_bits`` λ_EC, what the reconciliation reveals.
    """

    variant: Variant
    bits: Floats
    balance: Floats
    key: decoy_bounds.Events
    phase_error: Floats
    leak_bits: Floats
    check_single: Floats
    check_single_errors: Floats


def length(
    counts: decoys.Counts,
    source: decoys.Source,
    *,
    leak_bits: ArrayLike,
    security: Security | None = None,
    variant: Variant = "capped",
) -> Key:
    """ℓ of eq. 1 for a block, or for arrays of blocks and sources that broadcast.

    Args:
        counts: What was counted.
        source: How it was sent.
        leak_bits: λ_EC: what the reconciliation revealed, or will (``reconciliation.leak_bits``).
        security: ε_sec = 1e-9 and ε_cor = 1e-15 where not given.
        variant: Which bound on the single-photon errors of the check basis.

    Raises:
        InvalidQuantity: Where the leak is negative; counts, sources and securities refuse for themselves.
    """
    epsilon = security or Security()
    leak = quantities.within("bits revealed by reconciliation", leak_bits, low=0.0, high=np.inf)
    secrecy = np.asarray(epsilon.secrecy, dtype=np.float64)
    log_term = np.log(_TERMS / secrecy)
    key = decoy_bounds.events(np.asarray(counts.key, dtype=np.float64), source, log_term)
    check = decoy_bounds.events(np.asarray(counts.check, dtype=np.float64), source, log_term)
    errors = _check_errors(np.asarray(counts.check_errors, dtype=np.float64), source, log_term, variant)
    phase = _phase_error(errors, check.single, key.single, secrecy)
    balance = key.vacuum + key.single * (1.0 - quantities.binary_entropy(phase)) - leak
    balance = balance - 6.0 * np.log2(_TERMS / secrecy) - np.log2(2.0 / np.asarray(epsilon.correctness))
    bits = np.maximum(np.floor(balance), 0.0)
    return Key(variant, bits, balance, key, phase, leak, check.single, errors)


def _check_errors(counts: Floats, source: decoys.Source, log_term: Floats, variant: Variant) -> Floats:
    """v_Z,1 (eq. 4), at least one error; capped, at most those that were observed."""
    found = decoy_bounds.single_errors(counts, source, log_term)
    if variant == "capped":
        found = np.minimum(found, counts.sum(axis=-1))
    return np.maximum(found, 1.0)


def _phase_error(errors: Floats, check_single: Floats, single: Floats, secrecy: Floats) -> Floats:
    """φ_X (eq. 5): the error rate of the check basis, and γ for the sample that the key's events are."""
    known = (check_single > 0.0) & (single > 0.0) & (errors < 0.5 * check_single)
    c, d = np.where(known, check_single, 4.0), np.where(known, single, 4.0)
    b = np.where(known, errors, 1.0) / c
    spread = (c + d) / (c * d)
    inside = spread / ((1.0 - b) * b) * (_TERMS / secrecy) ** 2
    gamma = np.sqrt(spread * (1.0 - b) * b / np.log(2.0) * np.maximum(np.log2(inside), 0.0))
    return np.where(known, np.minimum(b + gamma, 0.5), 0.5)
