"""Plans of sessions that tests of key exchange share."""

from collections.abc import Iterable
from typing import Any

import msgspec

from qfleet_agent.qkd import plan, sifting
from qfleet_agent.qkd.quantum import laws
from qfleet_agent.qkd.quantum.simulated import SimulatedDevice

BOB = plan.Receiver(efficiency=0.2, noise=1e-5, misalignment=0.01)
SOURCE = plan.WeakPulses(intensities=(0.5, 0.2, 0.0), probabilities=(0.4, 0.4, 0.2), key_basis=0.7)
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


def devices(
    session: plan.Plan, law: laws.PulseLaw | laws.PairLaw | None = None
) -> tuple[SimulatedDevice, SimulatedDevice]:
    """Alice's and Bob's, on the same line."""
    return SimulatedDevice(session, SEED, "alice", law), SimulatedDevice(session, SEED, "bob", law)


def sifted(
    session: plan.Plan, law: laws.PulseLaw | laws.PairLaw | None = None
) -> Iterable[tuple[sifting.Sifted, sifting.Sifted]]:
    """What either end keeps of each block of a session, by way of the messages between them."""
    alice, bob = devices(session, law)
    for block in range(session.blocks):
        events = bob.events(block)
        theirs = sifting.heard(sifting.announced(block, events), pulses=session.block_pulses)
        answer, mine = sifting.answered(block, theirs, alice.settings(block, theirs.slot))
        yield mine, sifting.concluded(events, answer)


def tally(session: plan.Plan, law: laws.PulseLaw | laws.PairLaw | None = None) -> sifting.Tally:
    """What is counted in a whole session."""
    return sum((mine.tally for mine, _ in sifted(session, law)), start=sifting.EMPTY)


BRIGHT = msgspec.structs.replace(
    of_bob(of_line(PULSES, transmittance=0.9), efficiency=0.9), block_pulses=150_000, blocks=3
)
"""A line of little loss: a session that makes a key in a moment."""

BRIGHT_PAIRS = msgspec.structs.replace(
    BRIGHT,
    session="s3",
    protocol=msgspec.structs.replace(
        PAIRS, alice=plan.Receiver(efficiency=0.8, noise=1e-6, misalignment=0.005)
    ),
    block_pulses=800_000,
)
"""The same with pairs."""
