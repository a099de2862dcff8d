"""Two messages make a session: what they carry, and what comes twice or altered."""

import hashlib
import hmac

import msgspec
import pytest
from tests.simulation.wire_fleet import (
    DEVICE,
    NOW,
    REGION,
    connect,
    exchange,
)
from tests.unit.handshake_cases import TOPIC, answer_to, body_of, ends, finish, fleet

from qfleet_wire.channel import (
    derivation,
    frames,
    initiator,
    keys,
    responder,
    schedule,
)
from qfleet_wire.channel.identity import ControllerIdentity
from qfleet_wire.channel.labels import Label
from qfleet_wire.errors import (
    AnotherAnswer,
    Refused,
)
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.topics import Channel, DeviceTopic, topic_for


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
