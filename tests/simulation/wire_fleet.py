"""A fleet without a network: an authority, and both ends of the channel as their owners drive it.

``DeviceEnd`` and ``ControllerEnd`` do what the agent's and the control plane's links do with the
channel, and no more: every byte goes through the door, refusals are hints, nothing is trusted.
"""

import random
from dataclasses import dataclass, field

from qfleet_wire import door
from qfleet_wire.channel import (
    answers,
    authority,
    certificates,
    derivation,
    frames,
    identity,
    initiator,
    keys,
    rates,
    responder,
    resumption,
    session,
    sessions,
    xwing,
)
from qfleet_wire.channel.authority import Authority, Credentials
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.errors import AnotherAnswer, Refused
from qfleet_wire.names import ControllerName, DeviceName, FleetName, Millis, RegionName
from qfleet_wire.profile import Security
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

NOW = Millis(1_800_000_000_000)
DAY = certificates.DAY_MS
FLEET = FleetName("aurora")
REGION = RegionName("north")
DEVICE = DeviceName("pi-1")
CONTROLLER = ControllerName("c1")

Message = tuple[str, bytes]


def seeded(seed: object) -> derivation.Random:
    """A random source that gives the same bytes for the same seed."""
    return random.Random(str(seed)).randbytes


@dataclass
class Fleet:
    """A fleet's authority with all of its keys."""

    seed: str = "fleet"
    name: FleetName = FLEET
    now: Millis = NOW

    def __post_init__(self) -> None:
        self.random = seeded(self.seed)
        self.root_key = keys.generate(self.random)
        self.root = certificates.make_root(
            self.name, self.root_key, certificates.lasting(self.now, 3650), self.random
        )
        self.root_issuer = certificates.Issuer(self.root, self.root_key)
        self.issuers = {role: self._issuer(role) for role in ("device", "controller")}
        self.enrolment = xwing.generate(self.random)
        raw = authority.make_record(self.name, self.root, self.enrolment.public, ("qfleet1",))
        self.authority: Authority = authority.read_record(raw, authority.record_hash(raw))

    def _issuer(self, role: str) -> certificates.Issuer:
        assert role in ("device", "controller")
        key = keys.generate(self.random)
        chain = certificates.issue(
            self.root_issuer,
            key.public_key(),
            identity.IssuerIdentity(self.name, "device" if role == "device" else "controller"),
            certificates.lasting(Millis(self.now - 200 * DAY), 565),
            random=self.random,
        )
        return certificates.below(chain, key)

    def device(
        self, name: DeviceName = DEVICE, *, days: float = 90, now: Millis | None = None
    ) -> Credentials:
        """Credentials of a device, issued under the device issuer."""
        who = identity.DeviceIdentity(self.name, name)
        return self.issue(self.issuers["device"], who, days, now or self.now)

    def controller(
        self,
        name: ControllerName = CONTROLLER,
        *,
        region: RegionName = REGION,
        days: float = 30,
        now: Millis | None = None,
    ) -> Credentials:
        """Credentials of a controller, issued under the controller issuer."""
        who = identity.ControllerIdentity(self.name, region, name)
        return self.issue(self.issuers["controller"], who, days, now or self.now)

    def issue(
        self, issuer: certificates.Issuer, who: identity.Identity, days: float, now: Millis
    ) -> Credentials:
        """Issue a leaf under any issuer and load it."""
        key = keys.generate(self.random)
        chain = certificates.issue(
            issuer, key.public_key(), who, certificates.lasting(now, days), random=self.random
        )
        return authority.credentials(keys.save(key), chain, self.authority)


@dataclass
class ControllerEnd:
    """What a controller holds for its devices, and what it does with what arrives."""

    own: Credentials
    seed: str = "controller"
    region: RegionName = REGION
    now: Millis = NOW
    epoch: int = 1
    revocations: bytes = b""
    suites: tuple[str, ...] = ("qfleet1",)
    require_preshared: bool = False
    ring: Ring = field(default_factory=lambda: Ring(()))
    revoked: set[DeviceName] = field(default_factory=set)
    records: dict[DeviceName, resumption.Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = seeded(self.seed)
        self.answers = answers.Answers()
        self.sessions: dict[DeviceName, sessions.Sessions] = {}
        self.drops = rates.Drops()
        self.received: list[bytes] = []
        self.rejected: list[door.Rejected] = []
        self.refused: list[Refused] = []
        self.alarms = 0

    def policy(self) -> responder.Policy:
        return responder.Policy(self.now, self.epoch, self.revocations, self.suites, self.require_preshared)

    def receive(self, message: Message) -> list[Message]:
        """Handle one message from the broker; return what is sent because of it."""
        match door.read(*message):
            case door.Frame(frames.Kind.HELLO | frames.Kind.RESUME, topic, payload):
                return self._handshake(topic, payload)
            case door.Frame(frames.Kind.SEALED, DeviceTopic(channel=Channel.UP) as topic, payload):
                self._sealed(topic, payload)
            case door.Rejected() as rejected:
                self.rejected.append(rejected)
            case _:
                pass
        return []

    def send(self, plaintext: bytes, device: DeviceName = DEVICE) -> Message:
        """Seal a message to a device."""
        sealed = self.sessions[device].seal(plaintext, now=self.now, random=self.random)
        return _down(self.region, device), sealed

    def revoke(self, device: DeviceName = DEVICE) -> None:
        """End a device's sessions at once and never answer it again."""
        self.revoked.add(device)
        self.answers.forget(device)
        self.records.pop(device, None)
        if device in self.sessions:
            self.sessions[device].end()

    def _handshake(self, topic: DeviceTopic, payload: bytes) -> list[Message]:
        down, asked = _down(topic.region, topic.device), frames.frame_hash(payload)
        held = self.answers.get(topic.device, asked, self.now)
        if held is not None:
            return [(down, held)]
        try:
            answered = self._answer(topic, payload)
        except Refused as error:
            self.refused.append(error)
            return [(down, frames.refusal(payload, error))]
        record = self.records.get(topic.device, resumption.Record())
        self.records[topic.device] = record.offer(answered.state)
        held_sessions = self.sessions.setdefault(topic.device, sessions.Sessions())
        held_sessions.propose(answered.session, self.now)
        self.answers.put(topic.device, asked, answered.frame, self.now)
        return [(down, answered.frame)]

    def _answer(self, topic: DeviceTopic, payload: bytes) -> responder.Answered:
        if payload[0] == frames.Kind.RESUME:
            record = self.records.get(topic.device)
            resume = responder.examine_resume(self.own, payload, topic, record=record, now=self.now)
            self._check_table(topic.device)
            return responder.answer_resume(resume, self.policy(), self.random)
        hello = responder.examine(self.own, payload, topic)
        self._check_table(topic.device)
        key = self.ring.take(hello.preshared) if hello.preshared else None
        return responder.answer(self.own, hello, self.policy(), preshared=key, random=self.random)

    def _check_table(self, device: DeviceName) -> None:
        if device in self.revoked:
            raise Refused("the device is revoked", code="revoked")

    def _sealed(self, topic: DeviceTopic, payload: bytes) -> None:
        held = self.sessions.get(topic.device, sessions.Sessions())
        outcome = held.open(payload, self.now)
        if isinstance(outcome, session.Dropped):
            self.alarms += self.drops.count(outcome, self.now)
            return
        self.received.append(outcome.plaintext)
        if outcome.confirmed:
            self.records[topic.device] = self.records[topic.device].confirm(outcome.session.id)


@dataclass
class DeviceEnd:
    """What a device holds, and what it does with what arrives."""

    own: Credentials
    seed: str = "device"
    region: RegionName = REGION
    device: DeviceName = DEVICE
    now: Millis = NOW
    security: Security = field(default_factory=Security)
    ring: Ring = field(default_factory=lambda: Ring(()))
    standing: initiator.Standing = field(default_factory=lambda: initiator.Standing(Millis(0)))

    def __post_init__(self) -> None:
        self.random = seeded(self.seed)
        self.sessions = sessions.Sessions()
        self.drops = rates.Drops()
        self.state: resumption.State | None = None
        self.attempt: initiator.Attempt | initiator.ResumeAttempt | None = None
        self.received: list[bytes] = []
        self.rejected: list[door.Rejected] = []
        self.refused: list[Refused] = []
        self.hints: list[str] = []
        self.controllers: list[identity.ControllerIdentity | None] = []
        self.alarms = 0

    def hello(self) -> Message:
        """Begin a full handshake."""
        key: PresharedKey | None = self.ring.next()
        self.attempt = initiator.hello(self.own, self._circumstances(), preshared=key, random=self.random)
        return self._topic(Channel.HELLO), self.attempt.frame

    def resume(self) -> Message:
        """Begin a resumption."""
        assert self.state is not None
        self.attempt = initiator.resume(
            self.state,
            self.own,
            self.standing,
            circumstances=self._circumstances(),
            random=self.random,
        )
        return self._topic(Channel.HELLO), self.attempt.frame

    def send(self, plaintext: bytes) -> Message:
        """Seal a message to the controller."""
        sealed = self.sessions.seal(plaintext, now=self.now, random=self.random)
        return self._topic(Channel.UP), sealed

    def receive(self, message: Message) -> None:
        """Handle one message from the broker."""
        match door.read(*message):
            case door.Frame(frames.Kind.ANSWER | frames.Kind.RESUME_ANSWER, _, payload):
                self._answer(payload)
            case door.Frame(frames.Kind.SEALED, DeviceTopic(channel=Channel.DOWN), payload):
                outcome = self.sessions.open(payload, self.now)
                if isinstance(outcome, session.Dropped):
                    self.alarms += self.drops.count(outcome, self.now)
                else:
                    self.received.append(outcome.plaintext)
            case door.Frame(frames.Kind.REFUSAL, _, payload):
                hint = frames.read(payload, frames.Refusal)
                if self.attempt is not None and hint.request == frames.frame_hash(self.attempt.frame):
                    self.hints.append(hint.code)
            case door.Rejected() as rejected:
                self.rejected.append(rejected)
            case _:
                pass

    def _answer(self, payload: bytes) -> None:
        try:
            if isinstance(self.attempt, initiator.Attempt):
                done = initiator.finish(self.attempt, payload, self.standing, now=self.now)
            elif self.attempt is not None:
                done = initiator.finish_resume(self.attempt, payload, self.standing, now=self.now)
            else:
                return
        except AnotherAnswer:
            return
        except Refused as error:
            self.refused.append(error)
            return
        self.attempt = None
        self.state, self.standing = done.state, done.standing
        self.controllers.append(done.controller)
        self.sessions.adopt(done.session, self.now)

    def _circumstances(self) -> initiator.Circumstances:
        return initiator.Circumstances(self.region, "boot-1", self.security)

    def _topic(self, channel: Channel) -> str:
        return topic_for(DeviceTopic(self.region, self.device, channel))


def _down(region: RegionName, device: DeviceName) -> str:
    return topic_for(DeviceTopic(region, device, Channel.DOWN))


def connect(device: DeviceEnd, controller: ControllerEnd) -> None:
    """Run a full handshake over a perfect link and confirm it with one message."""
    exchange(device, controller, device.hello())


def reconnect(device: DeviceEnd, controller: ControllerEnd) -> None:
    """Run a resumption over a perfect link and confirm it with one message."""
    exchange(device, controller, device.resume())


def exchange(device: DeviceEnd, controller: ControllerEnd, request: Message) -> None:
    """Carry a request and its answer, and confirm the session if there is one."""
    before = device.sessions.current
    for answer in controller.receive(request):
        device.receive(answer)
    if device.sessions.current is not before:
        controller.receive(device.send(b"first"))
