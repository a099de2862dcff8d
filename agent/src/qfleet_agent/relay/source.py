"""The end that draws the secret; pure. Of a relay that it has not released, a restart leaves nothing here."""

import hmac

from qfleet_agent.relay import combining, pads, states
from qfleet_agent.relay.combining import Agreement
from qfleet_agent.relay.effects import Alarm, Effect, Keep, Send, Take
from qfleet_agent.relay.errors import RelayMisused
from qfleet_agent.relay.messages import Arrived, Gone, Hop, Message, Opened, Opening, Settled
from qfleet_agent.relay.route import Plan
from qfleet_agent.relay.states import State, Step
from qfleet_wire.channel import xwing
from qfleet_wire.channel.derivation import Random
from qfleet_wire.errors import Refused


class Source:
    """One relay at its source."""

    def __init__(self, plan: Plan, random: Random) -> None:
        """``random`` gives the secret and the seed of X-Wing's key."""
        self.plan = plan
        self.state = State.OPENING
        self._secret = random(pads.secret_bytes(plan))
        self._private = xwing.generate(random)
        self._hop: Hop | None = None
        self._asked = False

    def begin(self) -> list[Effect]:
        """Tell the target; also what is said again until it answers."""
        return [Send(self.plan.target, Opening(self.plan, self._private.public))]

    def took(self, pad_id: bytes, pad: bytes) -> list[Effect]:
        """Take note of the pad of the first hop."""
        if self.state is not State.OPENING:
            return []  # given up meanwhile: the pad is used up for nothing
        covered, tag = pads.cover(self.plan, 0, self._secret, pad)
        self._hop = Hop(self.plan, 0, pad_id, covered, tag)
        self.state = states.after(self.state, Step.CARRY)
        return self._carried()

    def heard(self, sender: str, message: Message) -> list[Effect]:
        """Take note of a message."""
        match message:
            case Opened() if sender == self.plan.target and self.state is State.OPENING and not self._asked:
                self._asked = True
                return [Take(self.plan, self.plan.route[1], pads.pad_bytes(self.plan))]
            case Arrived() if sender == self.plan.target:
                return self._arrived(message)
            case Gone() if sender in {self.plan.target, self.plan.route[1]}:
                return self.give_up(message.why)
            case _:
                return []

    def nudged(self) -> list[Effect]:
        """Time has passed: say again what may have got lost."""
        match self.state:
            case State.OPENING if not self._asked:
                return self.begin()
            case State.CARRYING:
                return self._carried()
            case _:
                return []

    def give_up(self, why: str) -> list[Effect]:
        """End a relay that has no key yet; one that was released stays."""
        if self.state not in {State.OPENING, State.CARRYING}:
            return []
        self.state = states.after(self.state, Step.GIVE_UP)
        return [Send(self.plan.target, Gone(self.plan.relay, why))]

    def _carried(self) -> list[Effect]:
        if self._hop is None:
            raise RelayMisused("nothing is carried before a pad was taken")
        return [Send(self.plan.route[1], self._hop)]

    def _arrived(self, message: Arrived) -> list[Effect]:
        if self.state is State.RELEASED:
            return [Send(self.plan.target, Settled(self.plan.relay))]
        if self.state is not State.CARRYING:
            return [Send(self.plan.target, Gone(self.plan.relay, "given up"))]
        try:
            shared = self._private.decapsulate(message.ciphertext)
        except Refused as error:
            return self._forged(f"the target's X-Wing ciphertext is refused: {error}")
        agreement = Agreement(self._private.public, message.ciphertext, shared)
        combined = combining.combine(self.plan, self._secret, agreement)
        if not hmac.compare_digest(combined.proof, message.proof):
            return self._forged("the target has another secret than was sent: a node of the route altered it")
        self.state = states.after(self.state, Step.RELEASE)
        return [
            Keep(self.plan, self.plan.target, combined.key, released=True),
            Send(self.plan.target, Settled(self.plan.relay)),
        ]

    def _forged(self, seen: str) -> list[Effect]:
        return [Alarm(self.plan.relay, seen), *self.give_up("the secret arrived altered")]


def stranger(sender: str, message: Message, *, released: bool) -> list[Effect]:
    """What a source answers about a relay of which only its store knows; ``released`` says what that has."""
    match message:
        case Arrived(relay=relay):
            return [Send(sender, Settled(relay) if released else Gone(relay, "unknown"))]
        case Opened(relay=relay):
            return [Send(sender, Gone(relay, "unknown"))]
        case _:
            return []
