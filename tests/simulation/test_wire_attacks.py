"""A broker that shows, reorders, duplicates, alters, reflects and withholds every message gains nothing."""

import random
from dataclasses import dataclass, field
from functools import cache

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from tests.simulation.wire_fleet import (
    DAY,
    DEVICE,
    FLEET,
    NOW,
    REGION,
    ControllerEnd,
    DeviceEnd,
    Fleet,
    Message,
    connect,
    exchange,
    reconnect,
    seeded,
)

from qfleet_wire import codec
from qfleet_wire.channel import (
    authority,
    certificates,
    enrolment,
    frames,
    initiator,
    invitation,
    keys,
    revocation,
    suites,
)
from qfleet_wire.channel.identity import DeviceIdentity
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.revocation import Revocations
from qfleet_wire.errors import NoSession, ResumptionUnusable, Untrusted
from qfleet_wire.names import ControllerName, DeviceName, FleetName, Millis, RegionName
from qfleet_wire.profile import Security
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

MARK = b"state secret"
UP, DOWN, HELLO = (
    topic_for(DeviceTopic(REGION, DEVICE, channel)) for channel in (Channel.UP, Channel.DOWN, Channel.HELLO)
)


@cache
def fleet() -> Fleet:
    return Fleet("attacks")


def ends() -> tuple[DeviceEnd, ControllerEnd]:
    return DeviceEnd(fleet().device()), ControllerEnd(fleet().controller())


# ── a hostile broker between two honest ends ────────────────────────────────────────────────


@dataclass
class Broker:
    """Carries messages as it pleases, and checks after every step that this gained it nothing."""

    seed: int
    sent_up: list[bytes] = field(default_factory=list)
    sent_down: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.device, self.controller = ends()
        self.seen: list[Message] = []
        self.waiting: list[Message] = []

    def step(self) -> None:
        """Let an honest end act, or do something that no honest broker does."""
        honest = [self.act, self.act, self.deliver, self.deliver, self.deliver]
        hostile = [self.replay, self.alter, self.reflect, self.splice, self.junk, self.drop, self.wait]
        self.dice.choice([*honest, *hostile])()
        self.check()

    def act(self) -> None:
        kind = self.dice.randrange(6)
        try:
            if kind == 0:
                self.carry(self.device.hello())
            elif kind == 1 and self.device.state is not None:
                self.carry(self.device.resume())
            elif kind in {2, 3}:
                text = MARK + b" up %d" % len(self.sent_up)
                self.carry(self.device.send(text))
                self.sent_up.append(text)
            elif DEVICE in self.controller.sessions:
                text = MARK + b" down %d" % len(self.sent_down)
                self.carry(self.controller.send(text))
                self.sent_down.append(text)
        except NoSession:
            pass

    def carry(self, message: Message) -> None:
        self.seen.append(message)
        self.waiting.append(message)

    def deliver(self) -> None:
        if self.waiting:
            self.hand(self.waiting.pop(self.dice.randrange(len(self.waiting))))

    def hand(self, message: Message) -> None:
        for answer in self.controller.receive(message):
            self.carry(answer)
        self.device.receive(message)

    def replay(self) -> None:
        if self.seen:
            self.hand(self.dice.choice(self.seen))

    def alter(self) -> None:
        if self.seen:
            topic, payload = self.dice.choice(self.seen)
            altered = bytearray(payload)
            for _ in range(self.dice.randrange(1, 4)):
                altered[self.dice.randrange(len(altered))] ^= 1 << self.dice.randrange(8)
            self.hand((topic, bytes(altered)))

    def reflect(self) -> None:
        if self.seen:
            _, payload = self.dice.choice(self.seen)
            self.hand((self.dice.choice([UP, DOWN, HELLO]), payload))

    def splice(self) -> None:
        if len(self.seen) > 1:
            (topic, one), (_, two) = self.dice.sample(self.seen, 2)
            cut = self.dice.randrange(min(len(one), len(two)))
            self.hand((topic, one[:cut] + two[cut:]))

    def junk(self) -> None:
        topic = self.dice.choice([UP, DOWN, HELLO])
        self.hand((topic, self.dice.randbytes(self.dice.randrange(300))))

    def drop(self) -> None:
        if self.waiting:
            self.waiting.pop(self.dice.randrange(len(self.waiting)))

    def wait(self) -> None:
        later = Millis(self.controller.now + self.dice.choice([1, 1000, 70_000, 700_000]))
        self.controller.now = self.device.now = later

    def check(self) -> None:
        for received, sent in (
            (self.controller.received, self.sent_up),
            (self.device.received, self.sent_down),
        ):
            assert set(received) <= set(sent), "something was accepted that was never sent"
            assert len(received) == len(set(received)), "something was accepted twice"
        assert all(MARK not in payload for _, payload in self.seen), "the broker reads along"
        for who in self.device.controllers:
            assert who in {None, self.controller.own.identity}


@pytest.mark.parametrize("seed", range(60))
def test_a_hostile_broker_gains_nothing_and_cannot_stop_what_comes_after(seed: int) -> None:
    broker = Broker(seed)
    for _ in range(150):
        broker.step()
    broker.sent_up.append(b"first")
    device, controller = broker.device, broker.controller
    if device.state is not None and seed % 2:
        exchange(device, controller, device.resume())
    connect(device, controller)  # on a good link again: at the latest a full handshake helps
    before = list(device.received)
    device.receive(controller.send(b"safe"))
    assert device.received == [*before, b"safe"]
    assert controller.received[-1] == b"first"


def test_the_schedules_do_reach_sessions_drops_and_refusals() -> None:
    brokers = [Broker(seed) for seed in range(20)]
    for broker in brokers:
        for _ in range(150):
            broker.step()
    assert sum(len(broker.controller.received) for broker in brokers) > 50
    assert sum(len(broker.device.received) for broker in brokers) > 30
    assert sum(broker.controller.drops.forged for broker in brokers) > 10
    assert sum(broker.controller.drops.replayed for broker in brokers) > 10
    assert sum(len(broker.controller.refused) for broker in brokers) > 10
    assert sum(len(broker.device.controllers) for broker in brokers) > 20
    assert any(None in broker.device.controllers for broker in brokers)  # resumptions among them


@pytest.mark.parametrize("stage", ["hello", "answer", "up", "down", "resume", "resume answer"])
def test_each_message_altered_at_any_place_gains_nothing(stage: str) -> None:
    device, controller = ends()
    if stage not in {"hello", "answer"}:
        connect(device, controller)
    match stage:
        case "hello" | "answer":
            message = device.hello()
        case "resume" | "resume answer":
            message = device.resume()
        case "up":
            message = device.send(MARK)
        case _:
            message = controller.send(MARK)
    if stage.endswith("answer"):
        (message,) = controller.receive(message)
    topic, payload = message
    received = len(controller.received), len(device.received)
    current, state = device.sessions.current, device.state
    for place in range(0, len(payload), max(1, len(payload) // 120)):
        altered = bytearray(payload)
        altered[place] ^= 0x41
        sent = (topic, bytes(altered))
        answers = controller.receive(sent)
        assert all(answer[1][0] == frames.Kind.REFUSAL for answer in answers), place
        device.receive(sent)
    assert (len(controller.received), len(device.received)) == received
    assert (device.sessions.current, device.state) == (current, state)


def test_a_refusal_that_the_broker_makes_up_drops_nothing() -> None:
    device, controller = ends()
    connect(device, controller)
    request = device.resume()
    false = frames.write(frames.Refusal(frames.frame_hash(request[1]), "revoked", "go away"))
    state, current = device.state, device.sessions.current
    device.receive((DOWN, false))
    assert (device.state, device.sessions.current) == (state, current)
    assert device.attempt is not None
    exchange(device, controller, request)
    assert controller.received == [b"first", b"first"]


# ── named attacks ───────────────────────────────────────────────────────────────────────────


def test_an_enrolled_device_that_poses_as_the_controller_gets_no_session() -> None:
    device, _ = ends()
    thief = fleet().device(DeviceName("pi-2"))
    impostor = ControllerEnd(fleet().controller(), seed="impostor")
    ((topic, frame),) = impostor.receive(device.hello())
    answer = frames.read(frame, frames.Answer)
    assert device.attempt is not None
    signature = keys.sign(
        thief.key,
        Label.ANSWER_SIGNATURE,
        device.attempt.frame,
        device.own.peer.certificate_hash,
        thief.peer.certificate_hash,
        answer.body,
    )
    device.receive((topic, frames.write(frames.Answer(answer.body, thief.chain, signature))))
    assert device.sessions.current is None
    assert "as if it were a controller" in str(device.refused[-1])


def test_a_hello_replayed_after_a_restart_of_the_controller_gains_nothing() -> None:
    device, controller = ends()
    hello = device.hello()
    exchange(device, controller, hello)
    restarted = ControllerEnd(controller.own, seed="restarted")
    restarted.records = dict(controller.records)
    restarted.receive(hello)  # nothing remembers it: it is answered, and never confirmed
    assert restarted.sessions[DEVICE].current is None
    assert restarted.records[DEVICE].confirmed == device.state
    reconnect(device, restarted)
    assert restarted.received == [b"first"]


def test_a_stolen_expired_controller_key_fails() -> None:
    device, controller = ends()
    stolen = fleet().controller(ControllerName("old"), now=Millis(NOW - 60 * DAY))
    connect(device, controller)
    thief = ControllerEnd(stolen, seed="thief", now=Millis(NOW - 40 * DAY), epoch=9)
    device.receive(*thief.receive(device.hello()))
    assert "certificate ended" in str(device.refused[-1])
    assert device.controllers == [controller.own.identity]


def test_a_revoked_controller_cannot_hide_the_list_by_sending_an_older_one() -> None:
    device, controller = ends()
    bad = ControllerEnd(fleet().controller(ControllerName("bad")), seed="bad")
    connect(device, bad)
    listed = Revocations(FLEET, 1, (bad.own.peer.certificate_hash,))
    controller.revocations = revocation.sign(listed, fleet().root_key)
    connect(device, controller)
    device.receive(*bad.receive(device.hello()))
    assert "revoked" in str(device.refused[-1])
    assert device.controllers[-1] == controller.own.identity


def test_a_session_with_a_controller_that_is_revoked_cannot_be_resumed() -> None:
    device, controller = ends()
    connect(device, controller)
    listed = Revocations(FLEET, 1, (controller.own.peer.certificate_hash,))
    device.standing = msgspec.structs.replace(
        device.standing, revocations=revocation.sign(listed, fleet().root_key)
    )
    with pytest.raises(ResumptionUnusable):
        device.resume()


def test_a_used_token_with_another_csr_is_an_alarm_and_a_repeated_one_the_same_answer() -> None:
    one = fleet()
    random_source = seeded("token")
    token = invitation.JoinToken(
        FLEET,
        REGION,
        DEVICE,
        "mqtt://b",
        "enrol",
        "pw",
        one.authority.hash,
        invitation.new_token_id(random_source),
        invitation.new_secret(random_source),
        Millis(NOW + DAY),
    )
    token_key = invitation.token_key(token.secret, token.token_id)
    facts = enrolment.Facts("aarch64", "Pi", 4, 1 << 30, "0.1.0", "generic")
    honest, thief = (keys.generate(random_source) for _ in range(2))

    def ask(key: MLDSA65PrivateKey) -> enrolment.Request:
        attempt = enrolment.request(
            token, one.authority, certificates.make_request(key), facts, random_source
        )
        return enrolment.open_request(attempt.frame, one.authority, one.enrolment, token_key)

    csr = certificates.make_request(honest)
    attempts = [enrolment.request(token, one.authority, csr, facts, random_source) for _ in range(2)]
    state = enrolment.TokenState(token.expires)
    stored: enrolment.Grant | None = None
    grants = []
    for attempt in attempts:
        request = enrolment.open_request(attempt.frame, one.authority, one.enrolment, token_key)
        decision = enrolment.decide(state, request.csr_hash, NOW)
        if decision == "issue":
            chain = certificates.issue(
                one.issuers["device"],
                request.public_key,
                DeviceIdentity(FLEET, DEVICE),
                certificates.lasting(NOW, 90),
                random=random_source,
            )
            stored = enrolment.Grant(chain, "device", "pw", REGION, b"", NOW)
            state = enrolment.TokenState(token.expires, used_by=request.csr_hash)
        assert stored is not None
        answer = enrolment.answer(request, one.authority, token_key, stored)
        grants.append(enrolment.accept(attempt, answer, keys.save(honest))[0])
    assert grants[0] == grants[1]
    assert enrolment.decide(state, ask(thief).csr_hash, NOW) == "alarm"


def test_a_downgraded_offer_breaks_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    better = suites.Suite("qfleet2", 9, suites.QFLEET1.generate, suites.QFLEET1.encapsulate)
    monkeypatch.setitem(suites.SUITES, "qfleet2", better)
    device, controller = ends()
    device.security = Security(suites=("qfleet2", "qfleet1"))
    controller.suites = ("qfleet2", "qfleet1")
    topic, frame = device.hello()
    hello = frames.read(frame, frames.Hello)
    body = frames.read_body(hello.body, frames.HelloBody)
    for shares in (body.shares[1:], body.shares[::-1]):
        weaker = codec.encode(msgspec.structs.replace(body, shares=shares))
        forged = frames.write(frames.Hello(weaker, hello.chain, hello.signature))
        device.receive(*controller.receive((topic, forged)))
    assert len(controller.refused) == 2
    assert device.hints == []  # the refusals name frames that the device never sent
    exchange(device, controller, (topic, frame))
    assert device.state is not None
    assert device.state.suite == "qfleet2"


def test_another_region_or_fleet_cannot_take_over_a_device() -> None:
    device, _ = ends()
    south = ControllerEnd(fleet().controller(region=RegionName("south")), seed="south")
    other = ControllerEnd(Fleet("elsewhere", FleetName("borealis")).controller(), seed="other")
    for stranger in (south, other):
        device.receive(*stranger.receive(device.hello()))
    assert device.hints == ["untrusted", "untrusted"]
    assert device.sessions.current is None


def test_a_device_of_another_fleet_cannot_enter_by_its_name() -> None:
    _, controller = ends()
    stranger = DeviceEnd(Fleet("a fleet of the same name").device())
    stranger.receive(*controller.receive(stranger.hello()))
    assert isinstance(controller.refused[-1], Untrusted)
    relabelled = DeviceEnd(
        authority.Credentials(stranger.own.key, stranger.own.chain, stranger.own.peer, fleet().authority)
    )
    relabelled.receive(*controller.receive(relabelled.hello()))
    assert "does not verify" in str(controller.refused[-1])


def test_a_key_share_of_somebody_else_gives_no_session_with_them() -> None:
    """Unknown key share: pi-2 puts pi-1's ephemeral key in a hello of its own."""
    device, controller = ends()
    thief = DeviceEnd(fleet().device(DeviceName("pi-2")), device=DeviceName("pi-2"), seed="thief")
    victims = frames.read_body(frames.read(device.hello()[1], frames.Hello).body, frames.HelloBody)
    topic, frame = thief.hello()
    own = frames.read_body(frames.read(frame, frames.Hello).body, frames.HelloBody)
    mixed = codec.encode(msgspec.structs.replace(own, shares=victims.shares, nonce=victims.nonce))
    signature = keys.sign(thief.own.key, Label.HELLO_SIGNATURE, thief.own.peer.certificate_hash, mixed)
    ((_, answer),) = controller.receive(
        (topic, frames.write(frames.Hello(mixed, thief.own.chain, signature)))
    )
    assert answer[0] == frames.Kind.ANSWER  # the controller takes it for pi-2, as it should
    device.receive((DOWN, answer))
    assert device.sessions.current is None
    device.receive((DOWN, _claim(device, controller, answer)))
    assert device.sessions.current is None
    assert "signature" in str(device.refused[-1])


def _claim(device: DeviceEnd, controller: ControllerEnd, answer: bytes) -> bytes:
    """The same answer, made to name the victim's hello."""
    assert device.attempt is not None
    signed = frames.read(answer, frames.Answer)
    body = frames.read_body(signed.body, frames.AnswerBody)
    renamed = msgspec.structs.replace(body, request=frames.frame_hash(device.attempt.frame))
    assert signed.chain == controller.own.chain
    return frames.write(frames.Answer(codec.encode(renamed), signed.chain, signed.signature))


def test_messages_sent_back_to_who_sealed_them_open_nowhere() -> None:
    device, controller = ends()
    connect(device, controller)
    _, up = device.send(b"up")
    _, down = controller.send(b"down")
    device.receive((DOWN, up))
    controller.receive((UP, down))
    assert device.received == []
    assert controller.received == [b"first"]
    assert (device.alarms, controller.alarms) == (1, 1)


def test_one_devices_messages_open_under_no_other_topic() -> None:
    device, controller = ends()
    connect(device, controller)
    name = DeviceName("pi-2")
    neighbour = DeviceEnd(fleet().device(name), device=name, seed="neighbour")
    connect(neighbour, controller)
    _, sealed = device.send(b"mine")
    controller.receive((topic_for(DeviceTopic(REGION, name, Channel.UP)), sealed))
    assert b"mine" not in controller.received
    assert controller.drops.stale == 1


def test_a_paused_controller_is_told_by_its_epoch() -> None:
    device, paused = ends()
    connect(device, paused)
    successor = ControllerEnd(fleet().controller(ControllerName("c2")), seed="c2", epoch=2)
    connect(device, successor)
    device.receive(*paused.receive(device.hello()))
    assert "epoch 1" in str(device.refused[-1])
    assert isinstance(device.attempt, initiator.Attempt)
    exchange(device, successor, (HELLO, device.attempt.frame))
    assert successor.received == [b"first", b"first"]
