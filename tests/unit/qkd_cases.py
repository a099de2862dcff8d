"""Plans of sessions that tests of key exchange share."""

from typing import Any

import msgspec

from qfleet_agent.qkd import plan

BOB = plan.Receiver(efficiency=0.2, noise=2e-6, misalignment=0.01)
SOURCE = plan.WeakPulses(intensities=(0.5, 0.1, 2e-4), probabilities=(0.7, 0.2, 0.1), key_basis=0.8)
LINE = plan.Line(transmittance=0.1, bob=BOB, pulses_hz=1e8)
PAIRS = plan.Pairs(
    pairs_per_pulse=0.05,
    alice=plan.Receiver(efficiency=0.3, noise=1e-6, misalignment=0.005),
    place=0.5,
    key_basis=0.7,
)
SEED = bytes(range(32))
PULSES = plan.Plan(session="s1", protocol=SOURCE, line=LINE, blocks=2, block_pulses=5_000_000, delay_s=0.005)
ENTANGLED = msgspec.structs.replace(PULSES, session="s2", protocol=PAIRS)


def of_line(session: plan.Plan, **changes: Any) -> plan.Plan:
    """The same session over another line."""
    return msgspec.structs.replace(session, line=msgspec.structs.replace(session.line, **changes))


def of_bob(session: plan.Plan, **changes: Any) -> plan.Plan:
    """The same session with other detectors of Bob."""
    return of_line(session, bob=msgspec.structs.replace(session.line.bob, **changes))
