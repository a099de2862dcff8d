"""The end at which the secret arrives; pure."""

from qfleet_agent.relay import combining, pads, states
from qfleet_agent.relay.combining import Agreement
from qfleet_agent.relay.effects import Alarm, Destroy, Effect, Fetch, Keep, Release, Send
from qfleet_agent.relay.errors import RelayForged, RelayMisused, RelayRefused
from qfleet_agent.relay.messages import Arrived, Gone, Hop, Message, Opened, Opening, Settled
from qfleet_agent.relay.route import Plan
from qfleet_agent.relay.states import State, Step
from qfleet_wire.channel import xwing
from qfleet_wire.channel.derivation import Random
from qfleet_wire.errors import Refused


class Target:
    """One relay at its target, which waits for the secret; ``Restored`` is one that has it."""

    def __init__(self, plan: Plan, name: str, random: Random) -> None:
        """Raises ``RelayMisused`` where this device is not the target."""
        if name != plan.target:
            raise RelayMisused(f"{name} is not the target of the route {' - '.join(plan.route)}")
        self.plan = plan
        self.state = State.OPENING
        self._random = random
        self._public: bytes | None = None
        self._hop: Hop | None = None
        self._arrived: Arrived | None = None

    def heard(self, sender: str, message: Message) -> list[Effect]:
        """Take note of a message.

        Raises:
            RelayRefused: It does not belong here.
        """
        match message:
            case Opening():
                return self._opened(sender, message)
            case Hop():
                return self._hopped(sender, message)
            case Settled() if sender == self.plan.source and self.state is State.HELD:
                self.state = states.after(self.state, Step.RELEASE)
                return [Release(self.plan)]
            case Gone() if sender == self.plan.source and self.state in {State.OPENING, State.HELD}:
                self.state = states.after(self.state, Step.GIVE_UP)
                return [Destroy(self.plan, message.why)]
            case _:
                return []

    def fetched(self, pad: bytes) -> list[Effect]:
        """Take note of the pad under which the secret came."""
        if self._hop is None or self._public is None:
            raise RelayMisused("no pad was asked for")
        if self.state is not State.OPENING:
            return []
        try:
            at = len(self.plan.route) - 2
            secret = pads.uncover(self.plan, at, self._hop.covered, self._hop.tag, pad)
            encapsulated = xwing.encapsulate(self._public, self._random)
        except (RelayForged, RelayRefused) as error:
            return [Alarm(self.plan.relay, str(error)), *self.unfetched("the secret arrived altered")]
        except Refused as error:
            return self.unfetched(f"the source's X-Wing key is refused: {error}"[:200])
        agreement = Agreement(self._public, encapsulated.ciphertext, encapsulated.secret)
        combined = combining.combine(self.plan, secret, agreement)
        self.state = states.after(self.state, Step.KEEP)
        self._arrived = Arrived(self.plan.relay, agreement.ciphertext, combined.proof)
        kept = Keep(
            self.plan, self.plan.source, combined.key,
            released=False, ciphertext=agreement.ciphertext, proof=combined.proof,
        )  # fmt: skip
        return [kept, *self.nudged()]

    def unfetched(self, why: str) -> list[Effect]:
        """The pad cannot be had: there will be no key."""
        if self.state is not State.OPENING:
            return []
        self.state = states.after(self.state, Step.GIVE_UP)
        return [Send(self.plan.source, Gone(self.plan.relay, why))]

    def nudged(self) -> list[Effect]:
        """Time has passed: say again what may have got lost."""
        if self.state is State.HELD and self._arrived is not None:
            return [Send(self.plan.source, self._arrived)]
        return []

    def _opened(self, sender: str, message: Opening) -> list[Effect]:
        if sender != self.plan.source or message.plan != self.plan:
            raise RelayRefused(f"{sender} opened relay {self.plan.relay.hex()}, which is not its")
        if self._public not in {None, message.public}:
            raise RelayRefused(f"{sender} opened relay {self.plan.relay.hex()} again with another key")
        self._public = message.public
        match self.state:
            case State.OPENING:
                return [Send(sender, Opened(self.plan.relay))]
            case State.GONE:
                return [Send(sender, Gone(self.plan.relay, "given up"))]
            case _:
                return self.nudged()

    def _hopped(self, sender: str, message: Hop) -> list[Effect]:
        if (
            message.plan != self.plan
            or sender != self.plan.route[-2]
            or message.at != len(self.plan.route) - 2
        ):
            raise RelayRefused(
                f"{sender} sent hop {message.at} of relay {self.plan.relay.hex()}, which is not its"
            )
        if self.state is not State.OPENING or self._hop is not None:
            return self.nudged()
        if self._public is None:
            # A restart has forgotten the opening; the source must begin anew.
            return self.unfetched("the target was restarted")
        self._hop = message
        return [Fetch(self.plan, sender, message.pad)]


class Restored(Target):
    """A target after a restart, of a relay whose key is provisional in its store."""

    def __init__(self, plan: Plan, name: str, arrived: Arrived) -> None:
        super().__init__(plan, name, _nothing)
        self.state = State.HELD
        self._arrived = arrived


def _nothing(size: int) -> bytes:
    raise RelayMisused(f"a relay that is settled draws no {size} random bytes")
