"""Hands what one device sends to another to its lane, or to whoever knows the other regions.

Nothing is stored and nothing promised: no commit stands between the two devices. What does not find room
is dropped and counted, and its sender is told now and then.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from qfleet_controlplane.link.counts import Counts
from qfleet_controlplane.link.outbound import Outbound
from qfleet_controlplane.link.peers import Peers
from qfleet_controlplane.link.surroundings import Surroundings
from qfleet_controlplane.machine.forwarding import Gate, Place, Refused, Verdict, judge_receiver
from qfleet_wire.channel.rates import Buckets
from qfleet_wire.names import DeviceName, RegionName
from qfleet_wire.payloads import FromPeer, PeerRefused, ToPeer

_WORD_BURST: Final = 16
_WORD_MS: Final = 250
"""How often a sender is told that something was refused."""
_LOG_MS: Final = 600_000
"""How often the log says that another region refuses what one device sends to another."""

_log = logging.getLogger(__name__)

Tell = Callable[[Refused], None]


class Elsewhere(Protocol):
    """Knows the devices of other regions."""

    def forward(self, sender: DeviceName, home: RegionName, item: ToPeer, tell: Tell) -> None:
        """Forward to a device that region ``home`` does not have, or ``tell`` why not. Never waits."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What forwarding knows of devices: ``status`` of one of this region, and the other regions."""

    status: Callable[[DeviceName], str | None]
    elsewhere: Elsewhere


class Forwarding:
    """Forwards between the devices of one region, and from and to other regions."""

    def __init__(self, peers: Peers, outbound: Outbound, around: Surroundings, known: Neighbours) -> None:
        self._peers = peers
        self._outbound = outbound
        self._around = around
        self._known = known
        self._counts: Counts = around.counts
        self._gate = Gate()
        self._words = Buckets(burst=_WORD_BURST, interval_ms=_WORD_MS)
        self._logged = Buckets(burst=1, interval_ms=_LOG_MS)

    def take(self, sender: DeviceName, item: ToPeer) -> None:
        """Take in what a device of this region sends; never waits."""
        verdict = self._gate.judge_sender(sender, self._known.status(sender), item, self._around.clock())
        if verdict is not None:
            self._refuse(sender, item, verdict)
        elif self._known.status(item.peer) is not None:
            refused = self.deliver(sender, item.peer, item.body)
            if refused is not None:
                self._refuse(sender, item, refused)
        else:
            self._known.elsewhere.forward(
                sender, self._around.region, item, lambda refused: self._refuse(sender, item, refused)
            )

    def deliver(self, sender: DeviceName, receiver: DeviceName, body: bytes) -> Verdict:
        """Put a message in line for a device of this region, whoever's region the sender is in."""
        status = self._known.status(receiver)
        place = None if status is None else Place(self._around.region, status)
        verdict = judge_receiver(receiver, place) or self._hand(sender, receiver, body)
        if verdict is None:
            self._counts.forwarded.add("delivered")
        return verdict

    def returned(self, sender: DeviceName, receiver: DeviceName, number: int, refused: Refused) -> None:
        """Take in that the controller of another region refused what a device of this one sent."""
        now = self._around.clock()
        self._counts.returned.add(refused.code)
        if self._logged.admit((sender, receiver), now):
            _log.info(
                "Messages of %s to %s are refused in its region: %s (%s).",
                sender, receiver, refused.text, refused.code, extra={"action": "peer_refused_elsewhere"},
            )  # fmt: skip
        self._tell(sender, PeerRefused(receiver, number, *refused))

    def _hand(self, sender: DeviceName, receiver: DeviceName, body: bytes) -> Verdict:
        peer = self._peers.get(receiver)
        session = peer.sessions.current if peer else None
        if peer is None or session is None or session.renew_only(self._around.clock()):
            return Refused("away", f"device {receiver!r} has no session")
        if not peer.queue.forward(sender, FromPeer(sender, body)):
            return Refused("full", f"too much waits for device {receiver!r}: wait and repeat")
        self._outbound.wake(peer)
        return None

    def _refuse(self, sender: DeviceName, item: ToPeer, refused: Refused) -> None:
        self._counts.forwarded.add(refused.code)
        self._tell(sender, PeerRefused(item.peer, item.number, *refused))

    def _tell(self, sender: DeviceName, word: PeerRefused) -> None:
        if self._words.admit(sender, self._around.clock()):
            self._outbound.send(sender, [word])
