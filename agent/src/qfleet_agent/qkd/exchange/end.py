"""What both ends of a session have in common while the key is made."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from qfleet_agent.errors import RemoteError
from qfleet_agent.qkd import estimation, plan, sifting, verification, watch
from qfleet_agent.qkd.authentication import Tagger
from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_agent.qkd.exchange import states
from qfleet_agent.qkd.exchange.bydelay import ByDelay
from qfleet_agent.qkd.exchange.effects import Effect, Record, Role, Send
from qfleet_agent.qkd.exchange.messages import (
    Answer,
    Body,
    Chosen,
    Corrected,
    Finish,
    Numbered,
    Open,
    Question,
    Settling,
)
from qfleet_agent.qkd.exchange.oneway import filling_bytes
from qfleet_agent.qkd.exchange.reconciling import Method
from qfleet_agent.qkd.exchange.settling import Settler, broken, started
from qfleet_agent.qkd.exchange.states import State, Step
from qfleet_agent.qkd.quantum import draws, laws
from qfleet_agent.qkd.quantum.apparatus import Apparatus, Bits
from qfleet_agent.qkd.watch import Sign
from qfleet_wire import codec

AHEAD = 4
"""How many blocks Bob announces before the first of them is answered: delay costs less, and memory stays."""

BLOCK_COUNTS = 1 << 20
"""Counts of a block, at two to three bytes each and within what one message may have."""

SIFTED_BITS = 1 << 23
"""Sifted bits of a session: amplifying so many takes half a gigabyte for a moment."""

RECONCILIATION_SEED_BYTES = 32

PLACES: Mapping[tuple[Role, type[Numbered]], State] = {
    ("bob", Open): State.STARTED,
    ("alice", sifting.Counted): State.COUNTING,
    ("bob", sifting.Compared): State.COUNTING,
    ("bob", Chosen): State.CORRECTING,
    ("alice", Question): State.CORRECTING,
    ("bob", Answer): State.CORRECTING,
    ("alice", Corrected): State.CORRECTING,
    ("bob", Finish): State.CONFIRMING,
}
"""Where each numbered message may be heard; anywhere else the other end does not follow the protocol."""


@dataclass(frozen=True, kw_only=True)
class Kit:
    """What an end works with.

    ``apparatus`` gives this end's device, from the secret seed where it is ``simulated``. ``randomness`` are
    uniform bytes that nobody else has and that serve this session alone: ``randomness_bytes`` says how
    many. ``method`` is the reconciliation, by default the one that the plan's delay asks for. ``tagger``
    holds key of the link, where the plan wants messages tagged.
    """

    session: plan.Plan
    apparatus: Callable[[bytes], Apparatus]
    randomness: bytes = field(repr=False)
    method: Method | None = None
    tagger: Tagger | None = None
    simulated: bool = True


def randomness_bytes(session: plan.Plan, role: Role) -> int:
    """How many random bytes an end of this session takes."""
    if role == "bob":
        return RECONCILIATION_SEED_BYTES
    most = most_sifted(session)
    return draws.SEED_BYTES + verification.SEED_BYTES + 2 * -(-most // 8) + filling_bytes(most)


def most_sifted(session: plan.Plan) -> int:
    """More sifted bits than a session has, but for a chance far below that of a false alarm."""
    both = _chances(session)[0] * _live(session)
    return _above(session.pulses * both * session.protocol.key_basis**2)


def checked(session: plan.Plan) -> None:
    """Refuse a plan whose announcements or whose key would be too long.

    Raises:
        ExchangeMisused: With what to shorten, or the value that is not possible.
    """
    plan.checked(session)
    _, bob = _chances(session)
    counted, sifted = _above(session.block_pulses * bob), most_sifted(session)
    if counted > BLOCK_COUNTS:
        raise ExchangeMisused(
            f"a block may have {counted:,} counts, and its announcement takes {BLOCK_COUNTS:,}: "
            "give the plan more blocks of fewer pulses"
        )
    if sifted > SIFTED_BITS:
        raise ExchangeMisused(
            f"the session may have {sifted:,} sifted bits, and {SIFTED_BITS:,} are amplified at once: "
            "give the plan fewer pulses"
        )


def _chances(session: plan.Plan) -> tuple[float, float]:
    """That a pulse is counted at both ends, and by Bob, on the line at its best."""
    line = watch.lines(session)[1]
    match session.protocol:
        case plan.WeakPulses():
            gains = laws.of_pulses(session.protocol, line).gain[:, 0]
            chance = float(gains @ session.protocol.probabilities)
            return chance, chance
        case plan.Pairs():
            law = laws.of_pairs(session.protocol, line)
            return law.both, law.both + law.bob_alone


def _live(session: plan.Plan) -> float:
    """The share of pulses at which no receiver is blind after a count.

    1 / (1 + R τ) of each side's counts (Rogers et al., NJP 9, 319 (2007)), as in ``detection.live``.
    """
    _, chance = _chances(session)
    line = session.line
    live = 1.0 / (1.0 + chance * line.pulses_hz * line.bob.dead_time_s)
    if isinstance(session.protocol, plan.Pairs):
        law = laws.of_pairs(session.protocol, watch.lines(session)[1])
        live /= 1.0 + (law.both + law.alice_alone) * line.pulses_hz * session.protocol.alice.dead_time_s
    return live


def _above(mean: float) -> int:
    return int(mean + 10.0 * np.sqrt(mean)) + 1000


def plan_digest(session: plan.Plan) -> bytes:
    """A digest of the plan, by which each end sees that the other has the same."""
    return sha256(b"qfleet1 key exchange plan" + codec.encode(session)).digest()


class End(ABC):
    """One end of a session while its process lives.

    Args:
        role: Which end.
        kit: What it works with.

    Raises:
        ExchangeMisused: Where the kit does not fit the plan.
    """

    def __init__(self, role: Role, kit: Kit) -> None:
        if (kit.tagger is None) != (kit.session.authentication == "sealed"):
            raise ExchangeMisused(
                f"the plan wants messages {kit.session.authentication}: give key of the link where it says "
                "tagged, and none elsewhere"
            )
        checked(kit.session)
        needed = randomness_bytes(kit.session, role)
        if len(kit.randomness) < needed:
            raise ExchangeMisused(f"{len(kit.randomness)} random bytes were given, and {needed} are needed")
        self._kit = kit
        self._plan = kit.session
        self._method: Method = kit.method or ByDelay(kit.session.delay_s)
        self._settler = Settler(started(role, kit.session, simulated=kit.simulated), kit.tagger)
        self._role: Role = role
        self._tally = sifting.EMPTY
        self._parts: list[Bits] = []

    @property
    def record(self) -> Record:
        """What is saved of it."""
        return self._settler.record

    @property
    def counted(self) -> sifting.Tally:
        """What both ends counted so far."""
        return self._tally

    @abstractmethod
    def begin(self) -> list[Effect]:
        """What is to be done at once."""

    def heard(self, data: bytes) -> list[Effect]:
        """A message of the other end, whatever it is."""
        if self._settler.state not in states.LIVE:
            return self._settler.late(data)
        try:
            body, again = self._settler.box.opened(data)
            if body is not None:
                return self._body(body)
        except RemoteError as error:
            return self._abort([broken(error)])
        # What came twice, or before one that is missing: the other end learns how far this one is.
        return [Send(self._settler.box.receipt())] if again else []

    def nudged(self) -> list[Effect]:
        """Time has passed: say again what the other end may not have heard."""
        if self._settler.state in states.LIVE:
            return [Send(data) for data in self._settler.box.unheard()]
        return self._settler.said()

    def given_up(self, why: str) -> list[Effect]:
        """Whoever runs this end wants no key any more; too late once it is kept."""
        return self._settler.given_up(why) if self._settler.state in states.LIVE else []

    @abstractmethod
    def _numbered(self, body: Numbered) -> list[Effect]:
        """Go on with a message that is in its place."""

    def _settling(self, body: Settling) -> list[Effect]:
        return self._settler.heard(body)

    def _body(self, body: Body) -> list[Effect]:
        if isinstance(body, Settling):
            return self._settling(body)
        if PLACES.get((self._role, type(body))) is not self._settler.state:
            word = f"{type(body).__name__.lower()} was said while this end is {self._settler.state}"
            return self._abort([Sign("protocol", word)])
        return self._numbered(body)

    def _abort(self, signs: Iterable[Sign]) -> list[Effect]:
        found = list(signs)
        self._parts.clear()
        return self._settler.given_up(found[0].reason, found)

    def _say(self, body: Numbered) -> list[Effect]:
        return [Send(part) for part in self._settler.box.numbered(body)]

    def _take(self, part: sifting.Sifted) -> None:
        self._tally += part.tally
        self._parts.append(part.key)

    def _sifted(self) -> tuple[Bits, list[Effect]]:
        """The whole sifted key, and where there will be none of it, how the session ends."""
        key = np.concatenate(self._parts)
        self._parts.clear()
        if signs := watch.signs(self._plan, self._tally):
            return key, self._abort(signs)
        if self._secret(0).bits == 0 or len(key) > most_sifted(self._plan):
            return key, self._settler.given_up("no-key")
        self._settler.step(Step.SIFT)
        return key, []

    def _expected_errors(self) -> float:
        """The error rate to begin with: that of the check basis, as if one error more had been seen."""
        compared, wrong = int(self._tally.check.sum()), int(self._tally.check_errors.sum())
        return (wrong + 1) / (compared + 2)

    def _secret(self, leak: int) -> estimation.Estimate:
        """ℓ in whole bytes."""
        found = estimation.estimated(self._plan, self._tally, leak_bits=leak)
        return estimation.in_bytes(found)
