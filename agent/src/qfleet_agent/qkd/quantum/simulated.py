"""The simulated device: a source and detectors that are drawn from the law of a line.

Both ends of a simulated line hold the same seed, which one of them told the other over the sealed path, and
derive the same block from it; each is told its own part. Who knows the seed knows the key: that is what makes
this a simulation. Settings of pulses that nobody counted are never drawn, and one block is held at a time.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from qfleet_agent.qkd import plan
from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_agent.qkd.quantum import draws, laws
from qfleet_agent.qkd.quantum.apparatus import Bits, Events, Settings, Slots

Role: TypeAlias = Literal["alice", "bob"]


@dataclass(frozen=True, slots=True)
class _Side:
    """What one end knows of a block: its events, and the intensities where it chose any."""

    events: Events
    intensity: Bits


@dataclass(slots=True)
class _Line:
    """What both devices share: where, how often and how far to draw."""

    session: plan.Plan
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != draws.SEED_BYTES:
            raise ExchangeMisused(f"the seed of a simulated channel has {draws.SEED_BYTES} bytes")

    def checked(self, block: int) -> int:
        """A block that the plan has."""
        if not 0 <= block < self.session.blocks:
            raise ExchangeMisused(f"block {block} was asked for, and the plan has {self.session.blocks}")
        return block


class SimulatedDevice:
    """One end's part of a simulated line: an ``Apparatus``.

    Args:
        session: What is sent over what line.
        seed: The secret seed of this session, the same at both ends.
        role: Whose part.
        law: Another law than that of the line that nobody listens on (see ``attacks``).
    """

    simulated: ClassVar[bool] = True

    def __init__(
        self,
        session: plan.Plan,
        seed: bytes,
        role: Role,
        law: laws.PulseLaw | laws.PairLaw | None = None,
    ) -> None:
        self._line = _Line(session, seed)
        self._role = role
        self._law = law or _honest(session)
        if isinstance(self._law, laws.PulseLaw) != isinstance(session.protocol, plan.WeakPulses):
            raise ExchangeMisused("the law is not one of the plan's protocol")
        self._held: tuple[int, _Side] | None = None

    def events(self, block: int) -> Events:
        """The detector events of this end; Alice has no detectors in BB84.

        Raises:
            ExchangeMisused: Where this end has none, or the plan has no such block.
        """
        if self._role == "alice" and isinstance(self._law, laws.PulseLaw):
            raise ExchangeMisused("Alice of BB84 has a source and no detectors")
        return self._side(block).events

    def settings(self, block: int, slots: Slots) -> Settings:
        """What this end chose or saw in these slots.

        In BB84 a slot that was not counted is known too: what Alice sent in it is drawn when it is asked for,
        as nobody asks for it but who forges counts.
        """
        side = self._side(block)
        own = side.events
        if len(own.slot) == 0:
            at, known = np.zeros(len(slots), dtype=np.int64), np.zeros(len(slots), dtype=np.bool_)
            basis = bit = intensity = np.zeros(len(slots), dtype=np.uint8)
        else:
            at = np.minimum(np.searchsorted(own.slot, slots), len(own.slot) - 1)
            known = own.slot[at] == slots
            basis, bit, intensity = own.basis[at], own.bit[at], side.intensity[at]
        found = Settings(known, basis, bit, intensity)
        return self._uncounted(block, slots, found) if isinstance(self._law, laws.PulseLaw) else found

    def _side(self, block: int) -> _Side:
        """This end's part of a block; the last one is kept, for it is asked for twice."""
        if self._held is None or self._held[0] != block:
            self._held = None
            self._held = block, self._drawn(self._line.checked(block))
        return self._held[1]

    def _drawn(self, block: int) -> _Side:
        if isinstance(self._law, laws.PulseLaw):
            return _pulses(self._line, self._law, block, self._role)
        return _pairs(self._line, self._law, block, self._role)

    def _uncounted(self, block: int, slots: Slots, found: Settings) -> Settings:
        """The same with settings for the slots that were not counted."""
        missing = np.flatnonzero(~found.known)
        if len(missing) == 0:
            return found
        protocol = self._line.session.protocol
        assert isinstance(protocol, plan.WeakPulses)
        basis, bit, intensity = found.basis.copy(), found.bit.copy(), found.intensity.copy()
        numbers = [draws.shares(self._line.seed, block, f"uncounted {i}", slots[missing]) for i in range(3)]
        basis[missing] = numbers[0] >= protocol.key_basis
        bit[missing] = numbers[1] >= 0.5
        intensity[missing] = draws.picked(numbers[2], np.array(protocol.probabilities))
        return Settings(np.ones(len(slots), dtype=np.bool_), basis, bit, intensity)


def _honest(session: plan.Plan) -> laws.PulseLaw | laws.PairLaw:
    match session.protocol:
        case plan.WeakPulses():
            return laws.of_pulses(session.protocol, session.line)
        case plan.Pairs():
            return laws.of_pairs(session.protocol, session.line)


def _pulses(line: _Line, law: laws.PulseLaw, block: int, role: Role) -> _Side:
    """A block of BB84: counts first, then the settings that led to them."""
    session, rng = line.session, draws.chances(line.seed, block)
    assert isinstance(session.protocol, plan.WeakPulses)
    bases = np.array([session.protocol.key_basis, 1.0 - session.protocol.key_basis])
    weights = np.array(session.protocol.probabilities)[:, None] * bases * law.gain
    slots = draws.counted(rng, session.block_pulses, float(weights.sum()))
    slots = slots[draws.seen(slots, laws.dead_slots(session.line.bob, session.line))]
    count = len(slots)
    intensity, basis = np.divmod(draws.kinds(rng, weights, count), 2)
    chosen = draws.flags(rng, float(bases[1]), count)
    wrong = draws.flags(rng, law.error[intensity, basis], count)
    sent = draws.secret_bits(line.seed, block, "alice", count)
    noise = draws.secret_bits(line.seed, block, "bob", count)
    if role == "alice":
        return _Side(Events(slots, chosen, sent), intensity.astype(np.uint8))
    got = sent ^ np.where(chosen == basis, wrong, noise)
    return _Side(Events(slots, basis.astype(np.uint8), got), intensity.astype(np.uint8))


def _pairs(line: _Line, law: laws.PairLaw, block: int, role: Role) -> _Side:
    """A block of BBM92: which sides count, then in which bases."""
    session, rng = line.session, draws.chances(line.seed, block)
    assert isinstance(session.protocol, plan.Pairs)
    weights = np.array([law.both, law.alice_alone, law.bob_alone])
    slots = draws.counted(rng, session.block_pulses, float(weights.sum()))
    count = len(slots)
    who = draws.kinds(rng, weights, count)
    check = 1.0 - session.protocol.key_basis
    chosen, basis = draws.flags(rng, check, count), draws.flags(rng, check, count)
    wrong = draws.flags(rng, law.error[basis], count)
    bits = draws.secret_bits(line.seed, block, "alice", count)
    noise = draws.secret_bits(line.seed, block, "bob", count)
    if role == "alice":
        own, receiver = np.flatnonzero(who != 2), session.protocol.alice
    else:
        own, receiver = np.flatnonzero(who != 1), session.line.bob
        # A count alone is as random as one in another basis.
        bits = bits ^ np.where((chosen == basis) & (who == 0), wrong, noise)
        chosen = basis
    own = own[draws.seen(slots[own], laws.dead_slots(receiver, session.line))]
    return _Side(Events(slots[own], chosen[own], bits[own]), np.zeros(len(own), dtype=np.uint8))
