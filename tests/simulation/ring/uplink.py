"""An agent's link: its connection, its sessions, and what it sends.

As ``qfleet_agent.link``: every connection opens a session, hints open another one, what waits is
sealed in batches, large results travel in chunks and count with the last of them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from tests.simulation.ring import letters
from tests.simulation.ring.letters import Answer, Hello, Hint, Load
from tests.simulation.ring.steering import Steering

from qfleet_agent.link.outgoing import Outgoing
from qfleet_agent.machine import events
from qfleet_agent.machine.events import Key
from qfleet_wire import codec, door, payloads
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.session import Dropped
from qfleet_wire.channel.sessions import Sessions
from qfleet_wire.topics import Channel

if TYPE_CHECKING:
    from tests.simulation.ring.agent import Agent

_CHUNK = 150
_ANSWER_MS = 8_000
_SILENCE_MS = 35_000
_SOONEST_MS = 5_000
BEAT_MS = 15_000


@dataclass(slots=True)
class _Parcel:
    result: bytes
    digest: bytes
    body: bytes
    sent: int = 0


class Uplink:
    """The link of one life of an agent."""

    def __init__(self, agent: "Agent") -> None:
        self._agent = agent
        self._world = agent.world
        self._region = agent.device.region.name
        self.connected = False
        self.online = False
        self.outgoing = Outgoing()
        self._parcels: dict[Key, _Parcel] = {}
        self._sessions = Sessions()
        self._pumping = False
        self._hello: Hello | None = None
        self._opened_at = -_SOONEST_MS
        self._asked: int | None = None
        self._heard = 0
        self._fresh = False
        self._beats = 0
        self._opened: list[events.Heard] = []
        self.steering = Steering(agent, self) if self._world.weather.ways else None

    # ── the connection ──────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to connect."""
        begin = self.connect if self.steering is None else self.steering.look
        self._world.clock.after(self._world.choose((10, 300, 2_000, 6_000)), self._agent, begin)

    def plan(self, contacts: payloads.Contacts) -> None:
        """Let the satellite be there by a plan, as ``qfleet_agent.link.link`` does."""
        if self.steering is not None:
            self.steering.plan(contacts)

    def cut(self) -> None:
        """Lose the connection; come back after a while."""
        if not self.connected:
            return
        self._world.trace.fault("cut", self._agent.name)
        if self.steering is not None:
            self.steering.cut()
            return
        self.drop(will=True)
        self.start()

    def drop(self, *, will: bool) -> None:
        """Be without a connection; ``will``: the broker may say so."""
        self.connected = False
        self._clear()
        if self.online:
            self.online = False
            self._agent.tell(events.SessionLost(self._agent.number()))
        if will:
            self._agent.device.region.will(self._agent.name)

    def connect(self) -> None:
        """Have a connection."""
        self.connected = True
        self._open()

    def _clear(self) -> None:
        self.outgoing.clear()
        self._parcels.clear()

    # ── the session ─────────────────────────────────────────────────────────────────────────

    def _open(self) -> None:
        """Ask for a session, and again until there is one."""
        if not self.connected:
            return
        half = self._agent.device.half
        self._opened_at = self._world.clock.now
        nonce = self._world.random.randbytes(8)
        self._hello = Hello(self._agent.name, nonce)
        load: Load = self._hello
        if half is not None:
            load = half.hello(resume=not self._world.chance(0.1))
        self._world.trace.note(self._agent.name, "asks for a session")
        self._agent.device.region.carrier.send(self._agent.name, load, up=True)
        self._world.clock.after(_ANSWER_MS, self._agent, lambda: self._again(nonce))

    def _again(self, nonce: bytes) -> None:
        if self._hello is not None and self._hello.nonce == nonce:
            self._open()

    def _answered(self, load: Load) -> None:
        now = self._agent.device.wall()
        if isinstance(load, Answer):
            if self._hello is None or self._hello.nonce != load.nonce:
                return
            opened = letters.session_of(self._hello, load, self._region, "device", now)
        elif isinstance(load, bytes) and self._agent.device.half is not None:
            found = self._agent.device.half.finish(load, now)
            if found is None:
                self._world.trace.fault("answer refused", self._agent.name)
                return
            opened = found
        else:
            return
        self._hello = None
        self._sessions.adopt(opened, now)
        self._clear()
        self._asked = None
        self._opened_at = self._world.clock.now
        self.online = True
        if self.steering is not None:
            self.steering.tell()
        self._agent.tell(events.SessionOpened(self._agent.number()))
        self._beats += 1
        self._beat(self._beats)

    def _hint(self, why: str) -> None:
        """Somebody says that the controller has come, or has lost the session."""
        if self.online and self._hello is None and self._world.clock.now - self._opened_at >= _SOONEST_MS:
            self._world.trace.note(self._agent.name, f"takes a hint: {why}")
            self._opened_at = self._world.clock.now
            self._world.clock.after(self._world.choose((10, 400)), self._agent, self._open)

    def _watch(self) -> None:
        now = self._world.clock.now
        if self._asked is None or self._fresh:
            self._asked, self._fresh = now, False
        elif now - self._asked > _SILENCE_MS:
            self._asked = None
            self._open()

    # ── receiving ───────────────────────────────────────────────────────────────────────────

    def receive(self, load: Load) -> None:
        """Take what the broker delivers."""
        if isinstance(load, Hint):
            self._hint(load.why)
        elif not isinstance(load, bytes):
            self._answered(load)
        else:
            match door.read(letters.topic(self._region, self._agent.name, Channel.DOWN), load):
                case door.Frame(kind=Kind.SEALED):
                    self._unseal(load)
                case door.Frame(kind=Kind.REFUSAL):
                    self._hint("refused")
                case door.Frame():
                    self._answered(load)
                case _:
                    self._world.trace.fault("door: rejected", self._agent.name)

    def _unseal(self, load: bytes) -> None:
        outcome = self._sessions.open(load, self._agent.device.wall())
        if isinstance(outcome, Dropped):
            self._world.trace.fault(f"session: {outcome}", self._agent.name)
            return
        self._fresh = True
        batch, items = codec.unpack_down(outcome.plaintext)
        heard = events.Heard(0, batch.epoch, batch.sent, items)
        self._opened.append(heard)
        self._take(heard)
        if self._world.chance(self._world.weather.echo):
            self._world.trace.fault("heard again", self._agent.name)
            self._take(self._world.random.choice(self._opened))

    def _take(self, heard: events.Heard) -> None:
        self._world.trace.note(
            self._agent.name, "hears", codec.encode(payloads.Batch(heard.epoch, heard.sent, ()))
        )
        self._agent.tell(msgspec.structs.replace(heard, id=self._agent.number()))

    # ── sending ─────────────────────────────────────────────────────────────────────────────

    def send(self, payload: payloads.Up) -> None:
        """Put a payload in line; without a session it is dropped."""
        if self.online:
            self.outgoing.add(payload)
            self._soon()

    def send_result(self, key: Key, result: bytes | None) -> None:
        """Put a result in line; None: it is read from the journal when its turn comes."""
        if self.online:
            self.outgoing.add_result(key, result)
            self._watch()
            self._soon()

    def _beat(self, number: int) -> None:
        if self.online and number == self._beats:
            self.send(payloads.Heartbeat(self._agent.device.wall(), 1, 0.0, 1, 1, 0, 0, 0))
            wait = BEAT_MS if self._world.rough else 2 * BEAT_MS
            self._world.clock.after(wait, self._agent, lambda: self._beat(number))

    def _soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            batch_ms = 0 if self.steering is None else self.steering.batch_ms
            self._world.clock.after(batch_ms + self._world.choose((0, 5, 50)), self._agent, self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if not self.online:
            return
        items = self.outgoing.take_payloads(6, 1 << 16)
        items += self._results()
        if not items:
            return
        now = self._agent.device.wall()
        plaintext = codec.encode(payloads.Batch(0, now, tuple(map(msgspec.Raw, items))))
        envelope = self._sessions.seal(plaintext, now=now, random=self._world.random.randbytes)
        self._world.ledger.device_says(self._agent.device, plaintext)
        self._agent.device.region.carrier.send(self._agent.name, envelope, up=True)
        if self.outgoing or self._parcels:
            self._soon()

    def _results(self) -> list[bytes]:
        journal = self._agent.device.journal
        ready: list[bytes] = []
        for key, fresh in self.outgoing.take_results(4).items():
            raw = fresh or journal.results.get(key)
            if raw is None:
                continue
            digest = codec.decode(raw, payloads.TaskResult).artefact
            if digest is None:
                ready.append(raw)
            else:
                self._parcels.setdefault(key, _Parcel(raw, digest, journal.artefacts[digest]))
        items = [self._signed(ready)] if ready else []
        return items + self._chunk()

    def _chunk(self) -> list[bytes]:
        if not self._parcels:
            return []
        key, parcel = next(iter(self._parcels.items()))
        start = parcel.sent * _CHUNK
        count = -(-len(parcel.body) // _CHUNK)
        piece = payloads.Chunk(parcel.digest, parcel.sent, count, parcel.body[start : start + _CHUNK])
        parcel.sent += 1
        if parcel.sent < count:
            return [codec.encode(piece)]
        del self._parcels[key]
        return [codec.encode(piece), self._signed([parcel.result])]

    def _signed(self, results: list[bytes]) -> bytes:
        # The link verifies signatures before the machine is told; here only the link's ends speak.
        return codec.encode(
            payloads.Results(tuple(map(msgspec.Raw, results)), self._world.random.randbytes(8))
        )
