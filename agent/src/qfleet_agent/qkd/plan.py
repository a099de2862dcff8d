"""The plan of a session (``qfleet_wire.key_plans``), and what turns it into the types of the formulas."""

import numpy as np

from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.key_plans import Bounds, Line, Pairs, Plan, Receiver, WeakPulses
from qfleet_wire.qkd import bb84_finite, decoys, detection, quantities

__all__ = [
    "Bounds",
    "Line",
    "Pairs",
    "Plan",
    "Receiver",
    "WeakPulses",
    "checked",
    "receiver_model",
    "security",
    "source_model",
]


def receiver_model(receiver: Receiver) -> detection.Receiver:
    """The same for the formulas."""
    return detection.Receiver(
        efficiency=receiver.efficiency,
        noise=receiver.noise,
        misalignment=receiver.misalignment,
        afterpulsing=receiver.afterpulsing,
        dead_time_s=receiver.dead_time_s,
    )


def source_model(pulses: WeakPulses) -> decoys.Source:
    """The same for the formulas."""
    return decoys.Source(
        intensities=pulses.intensities, probabilities=pulses.probabilities, key_basis=pulses.key_basis
    )


def security(session: Plan) -> bb84_finite.Security:
    """ε_sec and ε_cor for the formulas."""
    return bb84_finite.Security(secrecy=session.secrecy, correctness=session.correctness)


def checked(session: Plan) -> None:
    """Have the formulas' own types refuse what they do not hold for.

    Raises:
        ExchangeMisused: With the value that is not possible.
    """
    try:
        security(session)
        receiver_model(session.line.bob)
        quantities.transmittance(session.line.transmittance)
        match session.protocol:
            case WeakPulses():
                source_model(session.protocol)
            case Pairs():
                _check_pairs(session.protocol)
    except InvalidQuantity as error:
        raise ExchangeMisused(f"the plan of session {session.session}: {error}") from error


def _check_pairs(pairs: Pairs) -> None:
    receiver_model(pairs.alice)
    quantities.within("pairs per pulse", pairs.pairs_per_pulse, low=0.0, high=np.inf)
    quantities.probability("the place of the source", pairs.place)
    quantities.probability("the probability of the key basis", pairs.key_basis)
