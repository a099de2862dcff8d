"""How long the secret key is: the finite-key bound of what was counted, with the leak that really happened.

BB84 by ``qfleet_wire.qkd.bb84_finite`` (Lim et al., PRA 89, 022307 (2014)), in the variant that the plan
names; BBM92 by ``qfleet_wire.qkd.bbm92`` (Tomamichel et al., Nature Communications 3, 634 (2012)). Both
already take off what error verification tells (log2 of 1 / ε_cor).
"""

import msgspec
import numpy as np

from qfleet_agent.qkd import plan
from qfleet_agent.qkd.sifting import Tally
from qfleet_wire.qkd import bb84_finite, bbm92, decoys

LEAST_BITS = 128
"""A shorter key serves no cipher."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A key length and what it rests on, for people and for the record of a session.

    ``bits`` is ℓ. ``bound`` says which formula, ``phase_error`` is its upper bound on the error rate that the
    other basis would have had, ``single`` its lower bound on key bits of single photons, all of them in
    BBM92.
    """

    bits: int
    bound: str
    phase_error: float
    single: float
    leak_bits: int
    error_rate: float


def estimated(session: plan.Plan, tally: Tally, *, leak_bits: int) -> Estimate:
    """ℓ of a session, from what both ends counted and what the reconciliation told.

    Raises:
        InvalidQuantity: Where the tally cannot be one.
    """
    match session.protocol:
        case plan.WeakPulses():
            return _pulses(session, session.protocol, tally, leak_bits)
        case plan.Pairs():
            return _pairs(session, tally, leak_bits)


def in_bytes(estimate: Estimate) -> Estimate:
    """The same with a key of whole bytes, and none where it would be too short to serve as one."""
    bits = estimate.bits // 8 * 8
    return msgspec.structs.replace(estimate, bits=bits if bits >= LEAST_BITS else 0)


def _pulses(session: plan.Plan, protocol: plan.WeakPulses, tally: Tally, leak: int) -> Estimate:
    # The errors of the key basis enter by the leak alone.
    counts = decoys.Counts(key=tally.key, check=tally.check, key_errors=0, check_errors=tally.check_errors)
    key = bb84_finite.length(
        counts,
        plan.source_model(protocol),
        leak_bits=leak,
        security=plan.security(session),
        variant=session.variant,
    )
    return Estimate(
        bits=int(key.bits),
        bound=f"Lim et al. 2014, {session.variant}",
        phase_error=float(key.phase_error),
        single=float(key.key.single),
        leak_bits=leak,
        error_rate=tally.error_rate,
    )


def _pairs(session: plan.Plan, tally: Tally, leak: int) -> Estimate:
    bits, compared = int(tally.key.sum()), int(tally.check.sum())
    key = bbm92.length(
        bits, compared, np.float64(tally.error_rate), leak_bits=leak, security=plan.security(session)
    )
    return Estimate(
        bits=int(key.bits),
        bound="Tomamichel et al. 2012",
        phase_error=float(key.phase_error),
        single=float(bits),
        leak_bits=leak,
        error_rate=tally.error_rate,
    )
