"""With what probability a pulse is counted, and counted wrongly: what a simulated channel is drawn from.

The honest laws are those of ``qfleet_wire.qkd.detection`` and ``pairs``, by which the planner expects counts.
As there, an afterpulse counts with the pulse that it follows (Lim et al., PRA 89, 022307 (2014), section IV).
"""

from dataclasses import dataclass

import numpy as np

from qfleet_agent.qkd import plan
from qfleet_wire.qkd import detection, pairs
from qfleet_wire.qkd.quantities import Floats


@dataclass(frozen=True, slots=True)
class PulseLaw:
    """Of weak pulses: ``gain`` (K, 2), the probability that a pulse is counted, by intensity and Bob's basis.

    ``error`` (K, 2) is the probability that Bob's bit then differs, where Alice had the same basis. Where she
    had the other one, his bit says nothing of hers.
    """

    gain: Floats
    error: Floats


@dataclass(frozen=True, slots=True)
class PairLaw:
    """Of pairs, per pulse: that both count, that one alone does, and (2,) that bits of a basis differ."""

    both: float
    alice_alone: float
    bob_alone: float
    error: Floats


def of_pulses(protocol: plan.WeakPulses, line: plan.Line) -> PulseLaw:
    """The law of a line that nobody listens on."""
    seen = detection.gains(protocol.intensities, line.transmittance, plan.receiver_model(line.bob))
    return PulseLaw(_each_basis(seen.gain), _each_basis(seen.error))


def of_pairs(protocol: plan.Pairs, line: plan.Line) -> PairLaw:
    """The law of a line that nobody listens on."""
    arms = pairs.split(line.transmittance, place=protocol.place)
    seen = pairs.coincidences(
        protocol.pairs_per_pulse, arms, plan.receiver_model(protocol.alice), plan.receiver_model(line.bob)
    )
    both, error = float(seen.gain), float(seen.error)
    alone = max(float(seen.alice) - both, 0.0), max(float(seen.bob) - both, 0.0)
    return PairLaw(both, *alone, np.full(2, error))


def dead_slots(receiver: plan.Receiver, line: plan.Line) -> int:
    """How many slots a receiver is blind after a count."""
    return round(receiver.dead_time_s * line.pulses_hz)


def _each_basis(values: Floats) -> Floats:
    return np.repeat(values[:, None], 2, axis=1)
