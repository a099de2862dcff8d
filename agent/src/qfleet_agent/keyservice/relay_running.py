"""A relay while the key process lives: the part this device plays, and the pads that were announced to it."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.relay.messages import Hop, Message
from qfleet_agent.relay.node import Node
from qfleet_agent.relay.route import Plan
from qfleet_agent.relay.source import Source
from qfleet_agent.relay.states import State
from qfleet_agent.relay.target import Target
from qfleet_wire.names import Millis

Device: TypeAlias = Source | Node | Target

MOST_PADS: Final = 4
"""Pads of one relay that are remembered at one device; an honest neighbour names one."""
MOST_PAUSE: Final = 32
"""Ticks between two nudges of a relay at most."""


@dataclass
class Running:
    """A relay while this process lives; ``order`` until its end is stored."""

    device: Device
    order: str | None
    expires: Millis | None
    pads: dict[bytes, Announcement] = field(default_factory=dict)
    pause: int = 1
    left: int = 1

    @property
    def plan(self) -> Plan:
        """What is carried, and along which route."""
        return self.device.plan

    @property
    def gone(self) -> bool:
        """Whether this end has given up."""
        return not isinstance(self.device, Node) and self.device.state is State.GONE

    @property
    def open(self) -> bool:
        """Whether no key is stored here, so that its time may be over."""
        return isinstance(self.device, Node) or self.device.state in {
            State.OPENING,
            State.CARRYING,
            State.GONE,
        }

    def over(self, now: Millis) -> bool:
        """Whether its time is over, with no key stored here."""
        return self.open and self.expires is not None and self.expires <= now

    def note(self, message: Message, pad: Announcement | None) -> None:
        """Remember which bytes form the pad of a hop, as it came first."""
        if (
            pad is not None
            and isinstance(message, Hop)
            and pad.key == message.pad
            and len(self.pads) < MOST_PADS
        ):
            self.pads.setdefault(pad.key, pad)

    def woken(self) -> None:
        """Something was heard: speak again soon."""
        self.pause = self.left = 1

    def due(self) -> bool:
        """Count a tick; whether this end should say its last word again, ever more rarely."""
        self.left -= 1
        if self.left > 0 or isinstance(self.device, Node):
            return False
        self.pause = self.left = min(2 * self.pause, MOST_PAUSE)
        return True
