"""Who listens on a simulated line, as an order for an exercise says: the law of the line with her on it."""

from typing import TypeAlias

from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_agent.qkd.quantum import attacks, laws
from qfleet_wire.key_orders import Eavesdropper
from qfleet_wire.key_plans import Pairs, Plan, WeakPulses

Law: TypeAlias = laws.PulseLaw | laws.PairLaw | None


def law(plan: Plan, listener: Eavesdropper | None) -> Law:
    """The law of the line with whoever the order says listens on it.

    Raises:
        ExchangeMisused: she needs another protocol.
    """
    if listener is None:
        return None
    protocol, line = plan.protocol, plan.line
    if isinstance(protocol, Pairs):
        honest = laws.of_pairs(protocol, line)
        match listener.kind:
            case "intercept":
                return attacks.intercept_resend(honest, listener.share, key_basis=0.5)
            case "blind":
                return attacks.blinding_pairs(honest, share=listener.share)
            case "split":
                raise ExchangeMisused("photons are split of weak pulses, and this link has a source of pairs")
    assert isinstance(protocol, WeakPulses)
    match listener.kind:
        case "intercept":
            return attacks.intercept_resend(laws.of_pulses(protocol, line), listener.share, key_basis=0.5)
        case "split":
            return attacks.photon_number_splitting(protocol, line, blocked=listener.share)
        case "blind":
            return attacks.blinding(protocol, line, share=None if listener.share == 1 else listener.share)
