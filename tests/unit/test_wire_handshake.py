import hashlib
import hmac
from functools import cache

import msgspec
import pytest
from tests.simulation.wire_fleet import (
    DAY,
    DEVICE,
    NOW,
    REGION,
    ControllerEnd,
    DeviceEnd,
    Fleet,
    connect,
    exchange,
    seeded,
)

from qfleet_wire import codec
from qfleet_wire.channel import (
    derivation,
    frames,
    initiator,
    keys,
    preshared,
    responder,
    revocation,
    schedule,
    suites,
)
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.identity import ControllerIdentity
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.channel.revocation import Revocations
from qfleet_wire.errors import (
    AnotherAnswer,
    InvalidKey,
    PresharedKeyMissing,
    Refused,
    SuiteUnavailable,
    Untrusted,
)
from qfleet_wire.names import ControllerName, DeviceName, FleetName, Millis, RegionName
from qfleet_wire.profile import Security
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

RANDOM = seeded("handshake")
TOPIC = DeviceTopic(REGION, DEVICE, Channel.HELLO)
PSK = PresharedKey("k1", b"p" * 32)


@cache
def fleet() -> Fleet:
    return Fleet("handshake")


def ends() -> tuple[DeviceEnd, ControllerEnd]:
    return DeviceEnd(fleet().device()), ControllerEnd(fleet().controller())


def answer_to(device: DeviceEnd, controller: ControllerEnd) -> bytes:
    ((_, frame),) = controller.receive(device.hello())
    return frame


def finish(device: DeviceEnd, frame: bytes) -> initiator.Established:
    assert isinstance(device.attempt, initiator.Attempt)
    return initiator.finish(device.attempt, frame, device.standing, now=NOW)


def body_of(frame: bytes) -> frames.AnswerBody:
    return frames.read_body(frames.read(frame, frames.Answer).body, frames.AnswerBody)


# ── two messages ────────────────────────────────────────────────────────────────────────────


def test_a_session_takes_two_messages_and_carries_both_ways() -> None:
    device, controller = ends()
    connect(device, controller)
    device.receive(controller.send(b"down"))
    controller.receive(device.send(b"up"))
    assert controller.received == [b"first", b"up"]
    assert device.received == [b"down"]
    assert device.controllers == [controller.own.identity]
    assert device.state == controller.records[DEVICE].confirmed


def test_the_device_signs_all_that_the_design_names() -> None:
    device, _ = ends()
    device.hello()
    assert device.attempt is not None
    hello = frames.read(device.attempt.frame, frames.Hello)
    keys.verify(
        device.own.peer.key,
        hello.signature,
        Label.HELLO_SIGNATURE,
        device.own.peer.certificate_hash,
        hello.body,
    )
    body = frames.read_body(hello.body, frames.HelloBody)
    assert [share.suite for share in body.shares] == ["qfleet1"]
    assert (body.fleet, body.region, body.device) == ("aurora", REGION, DEVICE)
    assert body.authority == fleet().authority.hash
    assert body.boot_id == "boot-1"
    assert len(body.shares[0].public_key) == 1216
    assert len(body.nonce) == 32
    assert body.preshared is None


def test_the_controller_answers_with_all_that_the_design_names() -> None:
    device, controller = ends()
    controller.epoch = 7
    frame = answer_to(device, controller)
    assert isinstance(device.attempt, initiator.Attempt)
    answer = frames.read(frame, frames.Answer)
    keys.verify(
        controller.own.peer.key,
        answer.signature,
        Label.ANSWER_SIGNATURE,
        device.attempt.frame,
        device.own.peer.certificate_hash,
        controller.own.peer.certificate_hash,
        answer.body,
    )
    assert answer.chain == controller.own.chain
    body = body_of(frame)
    assert (body.suite, body.time, body.epoch, body.preshared) == ("qfleet1", NOW, 7, None)
    assert len(body.ciphertext) == 1120
    assert (len(body.session), len(body.nonce)) == (16, 32)


def test_both_certificates_hashes_enter_the_derivation() -> None:
    inputs = (b"hello", b"d" * 32, b"answer", b"c" * 32)
    transcript = schedule.handshake_transcript(*inputs)
    for index in range(4):
        changed = list(inputs)
        changed[index] += b"x"
        assert schedule.handshake_transcript(*changed) != transcript
    assert schedule.resumption_transcript(*inputs) != transcript


def test_keys_are_extracted_from_length_prefixed_inputs_salted_with_the_transcript() -> None:
    transcript = b"t" * 32
    inputs = schedule.Inputs(b"k" * 32, b"p" * 32, b"r" * 32)
    length = (32).to_bytes(4, "big")
    material = length + b"k" * 32 + length + b"p" * 32 + length + b"r" * 32
    key = hmac.digest(transcript, material, "sha256")
    context = derivation.framed((Label.SESSION_UP_KEY, transcript))
    up = hmac.digest(key, context + b"\x01", hashlib.sha256)
    assert schedule.derive(transcript, inputs).secrets.up == up


def test_each_input_and_its_place_change_every_key() -> None:
    transcript = b"t" * 32
    derived = [
        schedule.derive(transcript, inputs)
        for inputs in (
            schedule.Inputs(b"k" * 32),
            schedule.Inputs(b"k" * 32, b"p" * 32),
            schedule.Inputs(b"k" * 32, b"", b"p" * 32),
            schedule.Inputs(b"k" * 32 + b"p" * 32),
        )
    ]
    derived.append(schedule.derive(b"u" * 32, schedule.Inputs(b"k" * 32)))
    every = [key for one in derived for key in (one.secrets.up, one.secrets.down, one.resumption)]
    assert len(set(every)) == len(every)


def test_up_and_down_keys_are_separate() -> None:
    derived = schedule.derive(b"t" * 32, schedule.Inputs(b"k" * 32))
    assert derived.secrets.up != derived.secrets.down
    assert derived.secrets.up.hex() not in repr(derived)
    assert repr(derived.secrets) == "Secrets()"


# ── confirmation, duplicates, replays ───────────────────────────────────────────────────────


def test_the_first_sealed_message_confirms_and_until_then_the_old_session_stays() -> None:
    device, controller = ends()
    connect(device, controller)
    old = controller.sessions[DEVICE].current
    device.receive(*controller.receive(device.hello()))
    assert controller.sessions[DEVICE].current is old
    controller.receive(device.send(b"now"))
    assert controller.sessions[DEVICE].current is not old


def test_messages_under_way_of_the_old_session_still_open_after_a_new_one() -> None:
    device, controller = ends()
    connect(device, controller)
    late_up, late_down = device.send(b"late up"), controller.send(b"late down")
    connect(device, controller)
    controller.receive(late_up)
    device.receive(late_down)
    assert controller.received[-1] == b"late up"
    assert device.received == [b"late down"]


def test_the_same_hello_gets_the_same_answer_bytes_for_a_minute() -> None:
    device, controller = ends()
    hello = device.hello()
    first = controller.receive(hello)
    controller.now = Millis(NOW + 59_999)
    assert controller.receive(hello) == first
    controller.now = Millis(NOW + 60_000)
    assert controller.receive(hello) != first


def test_the_duplicate_answer_of_a_duplicate_hello_does_no_harm() -> None:
    device, controller = ends()
    hello = device.hello()
    answers = controller.receive(hello) + controller.receive(hello)
    for answer in answers:
        device.receive(answer)
    controller.receive(device.send(b"one"))
    controller.receive(device.send(b"two"))
    assert controller.received == [b"one", b"two"]
    assert not device.refused


def test_a_replayed_hello_changes_nothing() -> None:
    device, controller = ends()
    hello = device.hello()
    exchange(device, controller, hello)
    current, confirmed = controller.sessions[DEVICE].current, controller.records[DEVICE].confirmed
    controller.now = Millis(NOW + 100_000)
    for _ in range(10):
        for answer in controller.receive(hello):
            device.receive(answer)  # the device has no attempt under way and leaves it alone
    controller.receive(device.send(b"still"))
    device.receive(controller.send(b"fine"))
    assert controller.sessions[DEVICE].current is current
    assert controller.records[DEVICE].confirmed == confirmed
    assert (controller.received[-1], device.received) == (b"still", [b"fine"])
    assert not device.refused


def test_a_new_attempt_leaves_the_answer_to_the_last_one_alone() -> None:
    device, controller = ends()
    first = answer_to(device, controller)
    device.hello()
    with pytest.raises(AnotherAnswer):
        finish(device, first)


def test_a_false_answer_does_not_end_the_attempt() -> None:
    device, controller = ends()
    true = answer_to(device, controller)
    device.receive((topic_for(DeviceTopic(REGION, DEVICE, Channel.DOWN)), true[:-1] + b"\x00"))
    assert device.refused
    assert finish(device, true).session.id == body_of(true).session


# ── who may play which role ─────────────────────────────────────────────────────────────────


def _answer_as(device: DeviceEnd, impostor: Credentials, **changes: object) -> bytes:
    """The answer that somebody with other credentials would make, after reading the hello."""
    controller = ControllerEnd(fleet().controller())
    device.hello()
    assert device.attempt is not None
    request = responder.examine(controller.own, device.attempt.frame, TOPIC)
    made = responder.answer(controller.own, request, controller.policy(), preshared=None, random=RANDOM)
    body = codec.encode(msgspec.structs.replace(body_of(made.frame), **changes))
    signature = keys.sign(
        impostor.key,
        Label.ANSWER_SIGNATURE,
        request.frame,
        request.peer.certificate_hash,
        impostor.peer.certificate_hash,
        body,
    )
    return frames.write(frames.Answer(body, impostor.chain, signature))


def test_an_enrolled_device_cannot_play_the_controller() -> None:
    device, _ = ends()
    frame = _answer_as(device, fleet().device(DeviceName("pi-2")))
    with pytest.raises(Untrusted, match="answers as if it were a controller"):
        finish(device, frame)


def test_a_controller_cannot_play_a_device() -> None:
    controller = fleet().controller()
    circumstances = initiator.Circumstances(REGION, "boot", Security())
    with pytest.raises(Untrusted, match="cannot say hello"):
        initiator.hello(controller, circumstances, preshared=None, random=RANDOM)
    device, _ = ends()
    device.hello()
    assert device.attempt is not None
    hello = frames.read(device.attempt.frame, frames.Hello)
    signature = keys.sign(controller.key, Label.HELLO_SIGNATURE, controller.peer.certificate_hash, hello.body)
    false = frames.write(frames.Hello(hello.body, controller.chain, signature))
    with pytest.raises(Untrusted, match="not that of device"):
        responder.examine(controller, false, TOPIC)
    with pytest.raises(Untrusted, match="cannot answer"):
        responder.examine(fleet().device(), device.attempt.frame, TOPIC)


def test_a_controller_of_another_region_or_fleet_is_refused() -> None:
    device, _ = ends()
    south = fleet().controller(region=RegionName("south"))
    with pytest.raises(Untrusted, match="of region 'south'"):
        finish(device, _answer_as(device, south))
    with pytest.raises(Untrusted, match="of fleet 'borealis'"):
        finish(device, _answer_as(device, Fleet("x", FleetName("borealis")).controller()))


def test_a_hello_for_another_region_fleet_or_authority_is_refused() -> None:
    device, controller = ends()
    device.region = RegionName("south")
    with pytest.raises(Untrusted, match="for region 'south'"):
        responder.examine(controller.own, device.hello()[1], TOPIC)
    with pytest.raises(Untrusted, match="this controller leads 'north'"):
        responder.examine(controller.own, device.hello()[1], TOPIC._replace(region=RegionName("south")))
    other = DeviceEnd(Fleet("x", FleetName("borealis")).device())
    with pytest.raises(Untrusted, match="another authority"):
        responder.examine(controller.own, other.hello()[1], TOPIC)
    same_name = DeviceEnd(Fleet("y").device())
    with pytest.raises(Untrusted, match="another authority"):
        responder.examine(controller.own, same_name.hello()[1], TOPIC)


def test_a_device_cannot_speak_on_another_devices_topic() -> None:
    device, controller = ends()
    with pytest.raises(Untrusted, match="came on the topic of 'pi-2'"):
        responder.examine(controller.own, device.hello()[1], TOPIC._replace(device=DeviceName("pi-2")))
    liar = DeviceEnd(fleet().device(DeviceName("pi-2")))
    body = frames.read(device.hello()[1], frames.Hello).body
    signature = keys.sign(liar.own.key, Label.HELLO_SIGNATURE, liar.own.peer.certificate_hash, body)
    with pytest.raises(Untrusted, match="not that of device 'pi-1'"):
        responder.examine(controller.own, frames.write(frames.Hello(body, liar.own.chain, signature)), TOPIC)


def test_an_unknown_protocol_version_is_refused_with_a_reason() -> None:
    device, controller = ends()
    body = frames.read_body(frames.read(device.hello()[1], frames.Hello).body, frames.HelloBody)
    raw = codec.encode(msgspec.structs.replace(body, version=2))
    with pytest.raises(Refused, match="version 2"):
        responder.examine(controller.own, frames.write(frames.Hello(raw, (), b"")), TOPIC)


def test_a_refusal_names_the_request_and_the_reason() -> None:
    device, controller = ends()
    controller.revoke(DEVICE)
    ((topic, frame),) = controller.receive(device.hello())
    refusal = frames.read(frame, frames.Refusal)
    assert device.attempt is not None
    assert refusal.request == frames.frame_hash(device.attempt.frame)
    assert (refusal.code, refusal.text) == ("revoked", "the device is revoked")
    device.receive((topic, frame))
    assert device.hints == ["revoked"]
    assert device.attempt is not None  # a hint ends nothing: anybody can send one


# ── suites ──────────────────────────────────────────────────────────────────────────────────


def test_the_device_offers_only_what_its_profile_accepts() -> None:
    device, _ = ends()
    device.security = Security(suites=("qfleet9",))
    with pytest.raises(SuiteUnavailable, match="qfleet9"):
        device.hello()


def test_a_policy_above_the_offer_is_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    better = suites.Suite("qfleet2", 9, suites.QFLEET1.generate, suites.QFLEET1.encapsulate)
    monkeypatch.setitem(suites.SUITES, "qfleet2", better)
    device, controller = ends()
    controller.suites = ("qfleet2",)
    device.receive(*controller.receive(device.hello()))
    assert device.hints == ["suite"]


def test_the_best_common_suite_is_chosen_and_a_downgrade_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    better = suites.Suite("qfleet2", 9, suites.QFLEET1.generate, suites.QFLEET1.encapsulate)
    monkeypatch.setitem(suites.SUITES, "qfleet2", better)
    device, controller = ends()
    device.security = Security(suites=("qfleet2", "qfleet1"))
    controller.suites = ("qfleet2", "qfleet1")
    assert body_of(answer_to(device, controller)).suite == "qfleet2"
    assert device.attempt is not None
    hello = frames.read(device.attempt.frame, frames.Hello)
    body = frames.read_body(hello.body, frames.HelloBody)
    weaker = codec.encode(msgspec.structs.replace(body, shares=body.shares[1:]))
    with pytest.raises(Untrusted, match="signature"):
        responder.examine(
            controller.own, frames.write(frames.Hello(weaker, hello.chain, hello.signature)), TOPIC
        )


def test_a_controller_cannot_choose_what_was_not_offered() -> None:
    device, controller = ends()
    with pytest.raises(Untrusted, match="not offered") as caught:
        finish(device, _answer_as(device, controller.own, suite="qfleet0"))
    assert caught.value.code == "suite"


# ── pre-shared keys ─────────────────────────────────────────────────────────────────────────


def test_a_preshared_key_enters_the_keys_and_its_absence_is_explicit() -> None:
    device, controller = ends()
    device.ring, controller.ring = Ring([PSK]), Ring([PSK])
    connect(device, controller)
    assert controller.received == [b"first"]
    assert device.state is not None
    assert device.state.preshared
    body = frames.read_body(frames.read(device.hello()[1], frames.Hello).body, frames.HelloBody)
    assert body.preshared is None  # the one key has served, and the hello says so in signed text


def test_a_wrong_preshared_key_opens_nothing() -> None:
    device, controller = ends()
    device.ring, controller.ring = Ring([PSK]), Ring([PresharedKey("k1", b"q" * 32)])
    connect(device, controller)
    assert controller.received == []
    assert controller.drops.forged == 1


def test_a_profile_that_requires_a_key_fails_without_one() -> None:
    device, controller = ends()
    device.security = Security(require_preshared_key=True)
    with pytest.raises(PresharedKeyMissing):
        device.hello()
    controller.require_preshared = True
    device.security = Security()
    device.receive(*controller.receive(device.hello()))
    assert device.hints == ["preshared-key"]


def test_a_key_id_serves_once() -> None:
    device, controller = ends()
    device.ring, controller.ring = Ring([PSK]), Ring([PSK])
    connect(device, controller)
    device.ring = Ring([PSK])  # a device that was set back to an old disk
    device.receive(*controller.receive(device.hello()))
    assert device.hints == ["preshared-key"]
    assert controller.ring.used == {"k1"}


def test_a_controller_cannot_drop_the_preshared_key() -> None:
    device, controller = ends()
    device.ring = Ring([PSK])
    controller.ring = Ring([PSK])
    device.hello()
    assert isinstance(device.attempt, initiator.Attempt)
    request = responder.examine(controller.own, device.attempt.frame, TOPIC)
    with pytest.raises(Refused, match="unknown or has served"):
        responder.answer(controller.own, request, controller.policy(), preshared=None, random=RANDOM)
    made = responder.answer(controller.own, request, controller.policy(), preshared=PSK, random=RANDOM)
    body = codec.encode(msgspec.structs.replace(body_of(made.frame), preshared=None))
    own = controller.own
    signature = keys.sign(
        own.key,
        Label.ANSWER_SIGNATURE,
        request.frame,
        request.peer.certificate_hash,
        own.peer.certificate_hash,
        body,
    )
    with pytest.raises(Untrusted, match="changed the pre-shared key"):
        finish(device, frames.write(frames.Answer(body, own.chain, signature)))


def test_a_key_file_is_read_and_its_mistakes_are_named_by_line() -> None:
    text = f"# keys\nk1 {'00' * 32}\n\nk2 {'11' * 32} # spare\n"
    assert [key.id for key in preshared.read(text)] == ["k1", "k2"]
    for bad, line in (
        ("k1", "line 1"),
        ("\nk1 zz", "line 2"),
        (f"k1 {'00' * 31}", "line 1"),
        (f"k/1 {'00' * 32}", "line 1"),
        (f"k1 {'00' * 32}\nk1 {'11' * 32}", "line 2"),
    ):
        with pytest.raises(InvalidKey, match=line) as caught:
            preshared.read(bad)
        assert "00000000" not in str(caught.value)
    assert "00" * 32 not in repr(preshared.read(text))


# ── time, revocation, epochs ────────────────────────────────────────────────────────────────


def test_a_device_whose_clock_says_1970_connects_and_learns_the_time() -> None:
    device, controller = ends()
    device.now = Millis(0)
    connect(device, controller)
    assert controller.received == [b"first"]
    assert device.standing.bound == NOW


def test_a_stolen_expired_controller_key_fails_where_the_bound_is_past_it() -> None:
    thief = fleet().controller(ControllerName("old"), now=Millis(NOW - 60 * DAY))
    device, _ = ends()
    device.standing = initiator.Standing(NOW)
    frame = _answer_as(device, thief, time=NOW - 40 * DAY)
    with pytest.raises(Untrusted, match="certificate ended") as caught:
        finish(device, frame)
    assert caught.value.code == "expired"
    assert device.standing.bound == NOW


def test_a_controller_that_states_a_time_outside_its_certificate_is_refused() -> None:
    device, controller = ends()
    for stated in (NOW + 31 * DAY, NOW - DAY, 0):
        with pytest.raises(Untrusted, match="states the time"):
            finish(device, _answer_as(device, controller.own, time=stated))


def test_a_revoked_controller_is_refused_by_list_and_by_memory() -> None:
    device, controller = ends()
    thief = controller.own.peer.certificate_hash
    blob = revocation.sign(Revocations(fleet().name, 3, (thief,)), fleet().root_key)
    with pytest.raises(Untrusted, match="revoked") as caught:
        finish(device, _answer_as(device, controller.own, revocations=blob))
    assert caught.value.code == "revoked"
    device.standing = initiator.Standing(Millis(0), blob)
    with pytest.raises(Untrusted, match="revoked"):
        finish(device, _answer_as(device, controller.own))


def test_the_list_travels_in_the_answer_and_the_highest_version_stays() -> None:
    device, controller = ends()
    old, new = (
        revocation.sign(Revocations(fleet().name, version, (b"x" * 32,)), fleet().root_key)
        for version in (1, 2)
    )
    controller.revocations = new
    connect(device, controller)
    assert device.standing.revocations == new
    controller.revocations = old
    connect(device, controller)
    assert device.standing.revocations == new
    assert len(controller.received) == 2


def test_a_false_revocation_list_is_refused() -> None:
    device, controller = ends()
    false = revocation.sign(Revocations(fleet().name, 9, ()), controller.own.key)
    with pytest.raises(Untrusted, match="signature"):
        finish(device, _answer_as(device, controller.own, revocations=false))


def test_a_controller_of_an_older_epoch_is_refused() -> None:
    device, controller = ends()
    controller.epoch = 5
    connect(device, controller)
    controller.epoch = 4
    device.receive(*controller.receive(device.hello()))
    assert "epoch 4" in str(device.refused[-1])
    assert device.standing.epoch == 5


# ── expired devices, revocation of devices ──────────────────────────────────────────────────


def test_an_expired_device_certificate_opens_a_session_that_can_only_renew() -> None:
    device, controller = ends()
    connect(device, controller)
    held = controller.sessions[DEVICE].current
    assert held is not None
    assert not held.renew_only(NOW)
    assert held.renew_only(Millis(NOW + 91 * DAY))  # also when it ends during the session
    old = DeviceEnd(fleet().device(days=1))
    controller.now = Millis(NOW + 2 * DAY)
    connect(old, controller)
    renewing = controller.sessions[DEVICE].current
    assert renewing is not None
    assert renewing is not held
    assert renewing.renew_only(controller.now)


def test_revoking_ends_the_session_at_once() -> None:
    device, controller = ends()
    connect(device, controller)
    controller.revoke(DEVICE)
    controller.receive(device.send(b"too late"))
    assert controller.received == [b"first"]
    device.receive(*controller.receive(device.hello()))
    device.receive(*controller.receive(device.resume()))
    assert device.hints == ["revoked", "resumption"]


def test_every_altered_byte_of_a_hello_is_noticed() -> None:
    device, controller = ends()
    hello = device.hello()[1]
    for place in range(0, len(hello), 251):
        altered = bytearray(hello)
        altered[place] ^= 1
        with pytest.raises(Refused):
            responder.examine(controller.own, bytes(altered), TOPIC)


def test_every_altered_byte_of_an_answer_is_noticed() -> None:
    device, controller = ends()
    frame = answer_to(device, controller)
    for place in range(0, len(frame), 251):
        altered = bytearray(frame)
        altered[place] ^= 1
        with pytest.raises((Refused, AnotherAnswer)):
            finish(device, bytes(altered))
    assert isinstance(finish(device, frame).controller, ControllerIdentity)


def test_a_respelled_hello_is_refused() -> None:
    device, controller = ends()
    hello = device.hello()[1]
    fields = msgspec.msgpack.decode(hello[1:])
    reordered = dict(reversed(fields.items()))
    longer = fields | {"padding": b"x"}
    for respelled in (reordered, longer):
        frame = hello[:1] + msgspec.msgpack.encode(respelled)
        with pytest.raises(Refused, match="canonically"):
            responder.examine(controller.own, frame, TOPIC)
    with pytest.raises(Refused, match="valid"):
        responder.examine(controller.own, hello + b"\x00", TOPIC)


def test_answers_are_forgotten_when_there_are_too_many() -> None:
    from qfleet_wire.channel import answers  # noqa: PLC0415 - used by this test only

    held = answers.Answers()
    for number in range(answers.MOST + 1):
        held.put(DEVICE, number.to_bytes(4, "big"), b"a", NOW)
    assert held.get(DEVICE, (0).to_bytes(4, "big"), NOW) is None
    assert held.get(DEVICE, (1).to_bytes(4, "big"), NOW) == b"a"
    assert held.get(DeviceName("pi-2"), (1).to_bytes(4, "big"), NOW) is None
    held.forget(DEVICE)
    assert held.get(DEVICE, (1).to_bytes(4, "big"), NOW) is None
