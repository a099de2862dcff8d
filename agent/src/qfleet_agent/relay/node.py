"""A trusted node: takes the secret from under one pad and puts it under the next; pure.

It remembers what it sent, so that a message that comes twice uses up no second pad. After a restart it
would take another pad, which harms nobody.
"""

from qfleet_agent.relay import pads
from qfleet_agent.relay.effects import Alarm, Effect, Fetch, Send, Take
from qfleet_agent.relay.errors import RelayForged, RelayMisused, RelayRefused
from qfleet_agent.relay.messages import Gone, Hop, Message
from qfleet_agent.relay.route import Plan


class Node:
    """One relay at one of its nodes."""

    def __init__(self, plan: Plan, name: str) -> None:
        """Raises ``RelayMisused`` where this device is no node of the route."""
        self.plan = plan
        self._at = plan.place(name)
        if name not in plan.trusted:
            raise RelayMisused(f"{name} is an end of the route, and no node between")
        self._hop: Hop | None = None
        self._secret: bytes | None = None
        self._sent: Hop | None = None

    def heard(self, sender: str, message: Message) -> list[Effect]:
        """Take note of a message of a neighbour.

        Raises:
            RelayRefused: It does not belong here.
        """
        match message:
            case Hop():
                self._check(sender, message)
                if self._sent is not None:
                    return [Send(self._next, self._sent)]
                if self._hop is not None:
                    return []  # its pad is being fetched
                self._hop = message
                return [Fetch(self.plan, self._before, message.pad)]
            case Gone() if sender == self._next:
                return [Send(self._before, message)]
            case _:
                return []

    def fetched(self, pad: bytes) -> list[Effect]:
        """Take note of the pad under which the secret came."""
        if self._hop is None:
            raise RelayMisused("no pad was asked for")
        try:
            self._secret = pads.uncover(self.plan, self._at - 1, self._hop.covered, self._hop.tag, pad)
        except (RelayForged, RelayRefused) as error:
            return [Alarm(self.plan.relay, str(error)), *self.unfetched("the secret arrived altered")]
        return [Take(self.plan, self._next, pads.pad_bytes(self.plan))]

    def unfetched(self, why: str) -> list[Effect]:
        """The pad cannot be had, or the next one: tell whoever came before."""
        self._hop = self._secret = None
        return [Send(self._before, Gone(self.plan.relay, why))]

    def took(self, pad_id: bytes, pad: bytes) -> list[Effect]:
        """Take note of the pad of the next hop, and forget the secret."""
        if self._secret is None:
            return []
        covered, tag = pads.cover(self.plan, self._at, self._secret, pad)
        self._secret = None
        self._sent = Hop(self.plan, self._at, pad_id, covered, tag)
        return [Send(self._next, self._sent)]

    @property
    def _before(self) -> str:
        return self.plan.route[self._at - 1]

    @property
    def _next(self) -> str:
        return self.plan.route[self._at + 1]

    def _check(self, sender: str, hop: Hop) -> None:
        if hop.plan != self.plan or hop.at != self._at - 1 or sender != self._before:
            raise RelayRefused(
                f"{sender} sent hop {hop.at} of relay {self.plan.relay.hex()}, which is not its"
            )
