"""From the broker's bytes to verified items: door, session, batch, signature.

``receive`` runs inside the MQTT client's callback: it never raises and never waits. What does not
open is counted; only what is forged alarms.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from qfleet_controlplane.link.parts import Parts
from qfleet_controlplane.link.peers import Peer, Shown
from qfleet_controlplane.machine import events
from qfleet_wire import codec, door, payloads
from qfleet_wire.channel import frames, keys
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.rates import Buckets
from qfleet_wire.channel.session import Dropped, Opened, Session
from qfleet_wire.errors import Refused, RemoteError, Untrusted
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.topics import Channel

_log = logging.getLogger(__name__)

_HINT_MS = 2000
_CROWDED_MS = 500

Post: TypeAlias = Callable[[events.Event], bool | None]
"""Hands an event on; False says that some of it was dropped, because too much of its device waits."""
Take: TypeAlias = Callable[[door.Frame], None]


@dataclass(frozen=True, slots=True)
class Takers:
    """Who takes what the inbound path does not answer itself."""

    handshake: Take
    enrolment: Take
    confirmed: Callable[[DeviceName, Session, Shown | None], None]
    renewal: Callable[[DeviceName, payloads.RenewRequest], None]
    post: Post
    forward: Callable[[DeviceName, payloads.ToPeer], None]
    keys: Callable[[DeviceName, payloads.KeyReport | payloads.KeyOrderTaken], None]


class Inbound:
    """Takes in every message from the broker."""

    def __init__(self, parts: Parts, takers: Takers) -> None:
        self._peers = parts.peers
        self._outbound = parts.outbound
        self._alarms = parts.alarms
        self._around = parts.around
        self._counts = parts.around.counts
        self._takers = takers
        self._hints = Buckets(burst=1, interval_ms=_HINT_MS)

    def receive(self, topic: str, payload: bytes) -> None:
        """Take in one message, whatever it is."""
        try:
            self._dispatch(door.read(topic, payload))
        except Exception:  # noqa: BLE001 - the client would end the connection: a bug must be no outage
            _log.exception("A message could not be handled.", extra={"action": "receive_failed"})
            self._counts.received.add("failed")

    def _dispatch(self, received: door.Received) -> None:
        match received:
            case door.Frame(kind=Kind.SEALED):
                self._sealed(received)
            case door.Frame(kind=Kind.HELLO | Kind.RESUME):
                self._takers.handshake(received)
            case door.Frame(kind=Kind.ENROL_REQUEST):
                self._takers.enrolment(received)
            case door.Presence(topic, online):
                if not online and self._peers.get(topic.device) is not None:
                    self._takers.post(events.PresenceLost(topic.device))
            case door.Rejected(reason, text):
                self._counts.rejected.add(reason)
                _log.debug("The door rejects a message: %s", text, extra={"action": "rejected"})
            case _:
                # Our own answers, on the topic that enrolment uses in both directions.
                self._counts.received.add("echo")

    def _sealed(self, frame: door.Frame) -> None:
        peer = self._peers.get(frame.device)
        now = self._around.clock()
        if peer is not None and now < peer.crowded_until <= now + _CROWDED_MS:
            # Opening it would take time from all others, for something that finds no room.
            self._counts.received.add("crowded")
            return
        outcome = peer.sessions.open(frame.payload, now) if peer else Dropped.STALE
        if peer is None or isinstance(outcome, Dropped):
            self._dropped(frame, Dropped.STALE if isinstance(outcome, Opened) else outcome)
            return
        self._counts.received.add("opened")
        shown = peer.shown(outcome.session)
        if outcome.confirmed:
            self._takers.confirmed(peer.name, outcome.session, shown)
        try:
            batch, items = codec.unpack_up(outcome.plaintext)
        except RemoteError as error:
            self._alarms.ring("invalid-batch", peer.name, str(error)[:200])
            return
        self._counts.items.add("up", len(items))
        known = self._known(peer, batch, items)
        if outcome.session.renew_only(self._around.clock()):
            self._renewals_only(peer, known)
        else:
            self._accept(peer, known, shown, confirmed=outcome.confirmed)

    def _dropped(self, frame: door.Frame, outcome: Dropped) -> None:
        self._counts.received.add(outcome.value)
        if outcome is Dropped.FORGED:
            self._alarms.ring(
                "forged", frame.device, f"an envelope of {len(frame.payload)} bytes does not open"
            )
        elif outcome is Dropped.STALE and self._hints.admit(frame.device, self._around.clock()):
            # After a restart of this side, devices would else go on sending for a while.
            hint = frames.refusal(frame.payload, Refused("no such session here", code="resumption"))
            self._outbound.send_frame(frame.device, Channel.DOWN, hint)

    def _known(self, peer: Peer, batch: payloads.Batch, items: list[payloads.Up]) -> list[payloads.Up]:
        """Answer what we do not know, and keep the rest."""
        known: list[payloads.Up] = []
        for raw, item in zip(batch.items, items, strict=True):
            if isinstance(item, payloads.Unsupported):
                if not _says_unsupported(raw):
                    self._outbound.send(peer.name, [item])
            else:
                known.append(item)
        return known

    def _renewals_only(self, peer: Peer, items: Sequence[payloads.Up]) -> None:
        for item in items:
            if isinstance(item, payloads.RenewRequest):
                self._takers.renewal(peer.name, item)
            else:
                self._counts.dropped.add("expired")

    def _accept(
        self, peer: Peer, items: Sequence[payloads.Up], shown: Shown | None, *, confirmed: bool
    ) -> None:
        if confirmed:
            self._takers.post(events.SessionOpened(peer.name))
        passed: list[payloads.Up] = []
        for item in items:
            if isinstance(item, payloads.RenewRequest):
                self._takers.renewal(peer.name, item)
            elif isinstance(item, payloads.ToPeer):
                self._takers.forward(peer.name, item)
            elif isinstance(item, payloads.KeyReport | payloads.KeyOrderTaken):
                self._takers.keys(peer.name, item)
            elif not isinstance(item, payloads.Results) or self._signed(peer, item, shown):
                passed.append(item)
        if passed:
            self._admitted(peer, fitted=self._takers.post(events.HeardBatch(peer.name, passed)) is not False)

    def _admitted(self, peer: Peer, *, fitted: bool) -> None:
        """Slow a device down whose messages find no room; ask it what it holds when they do again."""
        if not fitted:
            peer.lossy = True
            peer.crowded_until = Millis(self._around.clock() + _CROWDED_MS)
        elif peer.lossy:
            peer.lossy = False
            self._outbound.send(peer.name, [payloads.Ask("announcement"), payloads.Ask("inventory")])

    def _signed(self, peer: Peer, item: payloads.Results, shown: Shown | None) -> bool:
        if shown is None:
            return False
        try:
            keys.verify_result_signature(shown.key(), [bytes(raw) for raw in item.results], item.signature)
        except Untrusted as error:
            self._alarms.ring("result-signature", peer.name, str(error))
            return False
        self._counts.results.add(amount=len(item.results))
        return True


def _says_unsupported(raw: msgspec.Raw) -> bool:
    """Whether the device itself says so of something we sent: that is answered with nothing."""
    try:
        codec.decode(raw, payloads.Unsupported)
    except RemoteError:
        return False
    return True
