"""How many pulses a session of a link takes, in how many blocks, and the key to expect of it.

A session of the devices makes key of the key basis alone, and compares the check basis whole: its bound is
that of ``bb84_finite`` or ``bbm92`` for one basis. The planner's own (``budget.blocks``) may use both. How
often the key basis is chosen is taken from a few values, for most key: what suits the scenario's long blocks
leaves too few counts of the check basis in a session. All other settings are the scenario's.
"""

import math
from dataclasses import replace

import msgspec
import numpy as np

from qfleet_controlplane.network.budget import parts
from qfleet_controlplane.network.budget.blocks import Ends
from qfleet_controlplane.network.key_links import Light, Protocol
from qfleet_wire import key_plans
from qfleet_wire.qkd import bb84_finite, bbm92, detection, expectation, pairs, reconciliation
from qfleet_wire.qkd.quantities import Floats

SIFTED_BITS = 1 << 20
"""Most sifted bits of the key basis that are expected of a session: a device amplifies so many in half a
second and some 60 MB. The price is key: the bound of so short a block gives down to a fifth of an hour's."""
BLOCK_COUNTS = 1 << 19
"""Most counts that are expected of Bob in a block; a device announces them in one message."""
KEY_BASES = (0.5, 0.6, 0.7, 0.8, 0.9)
OWN_COUNTS = 1 << 21
"""Most counts of a block that a sender of pairs is expected to hold: about 40 MB."""


def protocol(ends: Ends) -> Protocol:
    """The protocol and its settings, as devices are told; a source of pairs stands with the sender."""
    source = ends.source
    if source.protocol == "bb84":
        return key_plans.WeakPulses(
            intensities=source.intensities, probabilities=source.probabilities, key_basis=source.key_basis
        )
    return key_plans.Pairs(
        pairs_per_pulse=source.pairs, alice=receiver(ends.partner), place=0.0, key_basis=source.key_basis
    )


def receiver(seen: detection.Receiver) -> key_plans.Receiver:
    """A receiver of the formulas, of single numbers, as devices are told."""
    return key_plans.Receiver(
        efficiency=_number(seen.efficiency),
        noise=_number(seen.noise),
        misalignment=_number(seen.misalignment),
        afterpulsing=_number(seen.afterpulsing),
        dead_time_s=_number(seen.dead_time_s),
    )


def sized(ends: Ends, transmittance: float, seconds: float, *, once: bool = False) -> Light | None:
    """The session of a link that has light for so long; None: it is expected to give no key.

    Light that comes ``once`` is used for most key, other light for most key of a pulse.

    Raises:
        InvalidQuantity: Where a figure of the link is none.
    """
    bases = dict.fromkeys((ends.source.key_basis, *KEY_BASES))
    found = [light for basis in bases if (light := _with_basis(ends, transmittance, seconds, basis))]
    return max(found, key=lambda light: light.bits / (1 if once else light.pulses), default=None)


def _with_basis(ends: Ends, transmittance: float, seconds: float, basis: float) -> Light | None:
    ends = replace(ends, source=msgspec.structs.replace(ends.source, key_basis=basis))
    key_bps, own, bob = _per_second(ends, transmittance)
    if key_bps <= 0.0:
        return None
    hz = ends.source.rate_hz
    pulses = min(hz * seconds, SIFTED_BITS / key_bps * hz)
    most = min(key_plans.MOST_BLOCK_PULSES, BLOCK_COUNTS / bob * hz, OWN_COUNTS / max(own, 1e-9) * hz)
    blocks = max(1, math.ceil(pulses / max(most, 1.0)))
    block_pulses = int(pulses / blocks)
    if block_pulses < 1:
        return None
    bits, qber = _expected(ends, transmittance, blocks * block_pulses / hz)
    if bits < 1.0:
        return None
    return Light(
        transmittance=transmittance,
        blocks=blocks,
        block_pulses=block_pulses,
        bits=bits,
        qber=qber,
        key_basis=basis,
    )


def _per_second(ends: Ends, transmittance: float) -> tuple[float, float, float]:
    """Sifted bits of the key basis, Alice's counts and Bob's, a second; dead time is left out of counts."""
    source = ends.source
    if source.protocol == "bbm92":
        seen = _coincidences(ends, transmittance)
        sifted = bbm92.sifted(seen, source.rate_hz, ends.partner, ends.receiver, key_basis=source.key_basis)
        return float(sifted.key_bps), float(seen.alice) * source.rate_hz, float(seen.bob) * source.rate_hz
    named = parts.source(source)
    gains = detection.gains(source.intensities, transmittance, ends.receiver)
    sifted = detection.sifted(named, source.rate_hz, transmittance, ends.receiver)
    return float(sifted.key_bps), 0.0, float(gains.gain @ np.array(source.probabilities)) * source.rate_hz


def _expected(ends: Ends, transmittance: float, seconds: float) -> tuple[float, float]:
    """ℓ and the error rate of the counts to expect in so many seconds of light."""
    source = ends.source
    if source.protocol == "bbm92":
        sifted = bbm92.sifted(
            _coincidences(ends, transmittance),
            source.rate_hz,
            ends.partner,
            ends.receiver,
            key_basis=source.key_basis,
        )
        key, check = sifted.key_bps * seconds, sifted.check_bps * seconds
        leak = reconciliation.leak_bits(key, key * sifted.qber)
        return float(bbm92.length(key, check, sifted.qber, leak_bits=leak).bits), float(sifted.qber)
    named = parts.source(source)
    counts = expectation.counts(
        named, ends.receiver, transmittance=transmittance, pulses_hz=source.rate_hz, seconds=seconds
    )
    sifted_bits: Floats = np.asarray(counts.key, dtype=np.float64).sum()
    wrong = np.asarray(counts.key_errors, dtype=np.float64)
    leak = reconciliation.leak_bits(sifted_bits, wrong)
    found = bb84_finite.length(counts, named, leak_bits=leak)
    return float(found.bits), float(detection.error_rate(wrong, sifted_bits))


def _coincidences(ends: Ends, transmittance: float) -> pairs.Coincidences:
    arms = pairs.split(transmittance, place=0.0)
    return pairs.coincidences(ends.source.pairs, arms, ends.partner, ends.receiver)


def _number(value: object) -> float:
    return float(np.asarray(value, dtype=np.float64))
