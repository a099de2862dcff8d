"""A control plane's link: handshakes, sessions, and what is sealed for devices.

As ``qfleet_controlplane.link``: a session counts from its first message on, a request is answered only
when what it can be resumed with is stored, and what names no session gets a hint.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from tests.simulation.ring import letters
from tests.simulation.ring.letters import Answer, Hello, Hint, Load, Message
from tests.simulation.ring.site import Refused

from qfleet_controlplane.machine import events
from qfleet_controlplane.machine.tables import SHUT_OUT
from qfleet_controlplane.store.leases import LeaseLost
from qfleet_wire import codec, door, payloads
from qfleet_wire.channel import frames, responder
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.resumption import Record
from qfleet_wire.channel.session import Dropped, Session
from qfleet_wire.channel.sessions import Sessions
from qfleet_wire.errors import Refused as Turned
from qfleet_wire.names import DeviceName
from qfleet_wire.topics import Channel, DeviceTopic

if TYPE_CHECKING:
    from tests.simulation.ring.controller import Controller

_ANSWERS_KEPT_MS = 60_000
_HINT_MS = 2_000
_BATCH = 8


@dataclass(slots=True)
class _Peer:
    sessions: Sessions = field(default_factory=Sessions)
    queue: list[payloads.Down] = field(default_factory=list)
    pumping: bool = False


class Post:
    """The link of one life of a control plane."""

    def __init__(self, controller: "Controller") -> None:
        self._controller = controller
        self._world = controller.world
        self._peers: dict[DeviceName, _Peer] = {}
        self._shut_out: set[DeviceName] = set()
        self._answers: dict[Load, tuple[int, Load]] = {}
        self._hinted: dict[DeviceName, int] = {}
        self._opened: list[events.HeardBatch] = []

    def shut_out(self, device: DeviceName) -> None:
        """End a device's sessions at once, and let none begin in this process."""
        self._shut_out.add(device)
        self.end(device)

    def end(self, device: DeviceName) -> None:
        """End a device's sessions."""
        self._answers = {asked: held for asked, held in self._answers.items() if not _of(asked, device)}
        peer = self._peers.pop(device, None)
        if peer is not None:
            peer.sessions.end()

    def announce(self) -> None:
        """Publish the authority's record, which says that a controller has come up."""
        for device in self._world.devices.values():
            if device.region is self._controller.region:
                self._carry(device.name, Hint("a controller came"))

    # ── receiving ───────────────────────────────────────────────────────────────────────────

    def receive(self, message: Message) -> None:
        """Take what the broker delivers."""
        load = message.load
        if isinstance(load, Hello):
            self._handshake(message.device, load)
            return
        if not isinstance(load, bytes):
            return
        channel = Channel.UP if load[:1] == bytes([Kind.SEALED]) else Channel.HELLO
        match door.read(letters.topic(self._controller.region.name, message.device, channel), load):
            case door.Frame(kind=Kind.SEALED):
                self._unseal(message.device, load)
            case door.Frame(kind=Kind.HELLO | Kind.RESUME):
                self._handshake(message.device, load)
            case _:
                self._world.trace.fault("door: rejected", self._controller.name)

    def _unseal(self, device: DeviceName, load: bytes) -> None:
        peer = self._peers.get(device)
        now = self._controller.clock()
        outcome = peer.sessions.open(load, now) if peer else Dropped.STALE
        if isinstance(outcome, Dropped):
            self._world.trace.fault(f"session: {outcome}", self._controller.name)
            if outcome is Dropped.STALE:
                self._hint(device)
            return
        _, items = codec.unpack_up(outcome.plaintext)
        if outcome.confirmed:
            record = self._controller.site.records.get(device)
            if record is not None and self._controller.leads:
                self._controller.site.records[device] = record.confirm(outcome.session.id)
            self._controller.tell(events.SessionOpened(device))
        heard = events.HeardBatch(device, items)
        self._world.trace.note(self._controller.name, f"hears {device}", outcome.plaintext)
        self._opened.append(heard)
        self._controller.tell(heard)
        if self._world.chance(self._world.weather.echo):
            self._world.trace.fault("heard again", self._controller.name)
            self._controller.tell(self._world.random.choice(self._opened))

    def _hint(self, device: DeviceName) -> None:
        if self._world.clock.now >= self._hinted.get(device, 0):
            self._hinted[device] = self._world.clock.now + _HINT_MS
            self._carry(device, Hint("no such session"))

    # ── handshakes ──────────────────────────────────────────────────────────────────────────

    def _handshake(self, device: DeviceName, load: Load) -> None:
        held = self._answers.get(load)
        if held is not None and self._world.clock.now - held[0] < _ANSWERS_KEPT_MS:
            self._carry(device, held[1])
            return
        self._world.clock.after(
            self._world.choose((1, 30)), self._controller, lambda: self._judge(device, load)
        )

    def _judge(self, device: DeviceName, load: Load) -> None:
        """Look the device up and make the answer; it is stored before it is sent."""
        controller = self._controller
        try:
            found = controller.site.read(lambda _: self._world.ledger.status_of(device))
            if found is None or found in SHUT_OUT:
                self._world.trace.fault("handshake refused", device, str(found))
                return
            reply, session, record = self._answer(device, load)
        except Refused:
            return
        except Turned as error:
            self._world.trace.fault("handshake turned away", device, error.code)
            if isinstance(load, bytes):
                self._carry(device, frames.refusal(load, error))
            return

        def store() -> None:
            try:
                controller.site.transact(controller.fence, lambda _: None)
            except Refused:
                return
            except LeaseLost:
                controller.stop()
                return
            if record is not None:
                controller.site.records[device] = record
            self._propose(device, load, reply, session)

        self._world.clock.after(self._world.choose((0, 1, 30)), controller, store)

    def _answer(self, device: DeviceName, load: Load) -> tuple[Load, Session, Record | None]:
        now = self._controller.clock()
        if isinstance(load, Hello):
            reply = Answer(load.nonce, self._world.random.randbytes(8))
            return (
                reply,
                letters.session_of(load, reply, self._controller.region.name, "controller", now),
                None,
            )
        assert isinstance(load, bytes)
        topic = DeviceTopic(self._controller.region.name, device, Channel.HELLO)
        record = self._controller.site.records.get(device, Record())
        policy = responder.Policy(now, self._controller.fence.epoch)
        answered = letters.answer(topic, load, record, policy, self._world.random.randbytes)
        return answered.frame, answered.session, record.offer(answered.state)

    def _propose(self, device: DeviceName, load: Load, reply: Load, session: Session) -> None:
        if device in self._shut_out:
            return
        peer = self._peers.setdefault(device, _Peer())
        peer.sessions.propose(session, self._controller.clock())
        self._answers[load] = (self._world.clock.now, reply)
        self._carry(device, reply)

    # ── sending ─────────────────────────────────────────────────────────────────────────────

    def send(self, device: DeviceName, items: Sequence[payloads.Down]) -> None:
        """Queue payloads for a device; without a session they are dropped."""
        peer = self._peers.get(device)
        if peer is not None and peer.sessions.current is not None:
            peer.queue += items
            self._soon(device, peer)

    def _soon(self, device: DeviceName, peer: _Peer) -> None:
        if not peer.pumping:
            peer.pumping = True
            self._world.clock.after(
                self._world.choose((0, 0, 5, 60)), self._controller, lambda: self._pump(device, peer)
            )

    def _pump(self, device: DeviceName, peer: _Peer) -> None:
        peer.pumping = False
        controller = self._controller
        if self._peers.get(device) is not peer or not peer.queue:
            return
        if controller.honest and not controller.leads:
            return  # its lease has run out by its own clock
        taken, peer.queue = peer.queue[:_BATCH], peer.queue[_BATCH:]
        now = controller.clock()
        raws = tuple(msgspec.Raw(codec.encode(item)) for item in taken)
        plaintext = codec.encode(payloads.Batch(controller.fence.epoch, now, raws))
        envelope = peer.sessions.seal(plaintext, now=now, random=self._world.random.randbytes)
        self._world.ledger.controller_says(controller, device, taken)
        self._carry(device, envelope)
        if peer.queue:
            self._soon(device, peer)

    def _carry(self, device: DeviceName, load: Load) -> None:
        controller = self._controller
        controller.region.carrier.send(device, load, up=False, held_ms=controller.held_ms)


def _of(asked: Load, device: DeviceName) -> bool:
    return not isinstance(asked, Hello) or asked.device == device
