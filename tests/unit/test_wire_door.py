from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.simulation.wire_fleet import DEVICE, REGION, ControllerEnd, DeviceEnd, Fleet, connect, exchange

from qfleet_wire import door
from qfleet_wire.channel import frames
from qfleet_wire.channel.frames import Kind
from qfleet_wire.door import Frame, Presence, Reason, Record, Rejected
from qfleet_wire.limits import LIMITS
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, topic_for

CARRIED = {
    Channel.ENROL: {Kind.ENROL_REQUEST, Kind.ENROL_ANSWER, Kind.REFUSAL},
    Channel.HELLO: {Kind.HELLO, Kind.RESUME},
    Channel.UP: {Kind.SEALED},
    Channel.DOWN: {Kind.ANSWER, Kind.RESUME_ANSWER, Kind.CALL, Kind.REFUSAL, Kind.SEALED},
    Channel.PEER: set[Kind](),
    Channel.PRESENCE: set[Kind](),
}


def topic(channel: Channel) -> str:
    return topic_for(DeviceTopic(REGION, DEVICE, channel))


@cache
def valid() -> dict[Kind, bytes]:
    """One real frame of every kind."""
    fleet = Fleet("door")
    device, controller = DeviceEnd(fleet.device()), ControllerEnd(fleet.controller())
    hello = device.hello()
    ((_, answer),) = controller.receive(hello)
    exchange(device, controller, hello)
    connect(device, controller)
    resume = device.resume()
    ((_, resume_answer),) = controller.receive(resume)
    controller.revoke()
    ((_, refusal),) = controller.receive(device.hello())
    return {
        Kind.ENROL_REQUEST: frames.write(frames.EnrolRequest(1, bytes(16), b"sealed")),
        Kind.ENROL_ANSWER: frames.write(frames.EnrolAnswer(bytes(32), b"sealed")),
        Kind.HELLO: hello[1],
        Kind.ANSWER: answer,
        Kind.RESUME: resume[1],
        Kind.RESUME_ANSWER: resume_answer,
        Kind.CALL: frames.call(500),
        Kind.REFUSAL: refusal,
        Kind.SEALED: device.send(b"text")[1],
    }


def test_every_kind_of_frame_passes_on_its_topics_and_on_no_other() -> None:
    for channel, kinds in CARRIED.items():
        for kind, payload in valid().items():
            got = door.read(topic(channel), payload)
            assert isinstance(got, Frame) == (kind in kinds), (channel, kind)
            if isinstance(got, Frame):
                assert (got.kind, got.payload) == (kind, payload)
                assert (got.region, got.device) == (REGION, DEVICE)


def test_presence_is_a_hint() -> None:
    got = door.read(topic(Channel.PRESENCE), b"online")
    assert isinstance(got, Presence)
    assert got.online
    for payload in (b"", b"offline", b"\xff"):
        assert door.read(topic(Channel.PRESENCE), payload) == Presence(got.topic, online=False)
    assert door.read(topic(Channel.PRESENCE), bytes(17)) == Rejected(Reason.SIZE, "presence of 17 bytes")


def test_the_authority_record_passes_unread() -> None:
    assert door.read("qfleet/1/north/authority", b"raw") == Record(AuthorityTopic(REGION), b"raw")
    for payload in (b"", bytes(LIMITS.hello_bytes + 1)):
        got = door.read("qfleet/1/north/authority", payload)
        assert isinstance(got, Rejected)
        assert got.reason is Reason.SIZE


def test_device_to_device_messages_are_reserved() -> None:
    got = door.read(topic(Channel.PEER), valid()[Kind.SEALED])
    assert isinstance(got, Rejected)
    assert got.reason is Reason.RESERVED


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        (topic(Channel.UP), bytes(LIMITS.frame_bytes + 1), Reason.SIZE),
        (topic(Channel.UP), b"\x20" + bytes(66), Reason.SIZE),
        (topic(Channel.HELLO), b"\x10" + bytes(LIMITS.hello_bytes), Reason.SIZE),
        (topic(Channel.UP), b"", Reason.KIND),
        (topic(Channel.UP), b"\x99", Reason.KIND),
        (topic(Channel.HELLO), b"\x10junk", Reason.CONTENT),
        (topic(Channel.HELLO), b"\x10" + b"\x91" * 60_000, Reason.CONTENT),
        (topic(Channel.HELLO), b"\x10" + b"\x81\xa1x" * 20_000, Reason.CONTENT),
        ("elsewhere/1/north/pi-1/up", b"\x20" + bytes(80), Reason.TOPIC),
        ("qfleet/2/north/pi-1/up", b"\x20" + bytes(80), Reason.TOPIC),
        ("qfleet/1/north/Pi-1/up", b"\x20" + bytes(80), Reason.TOPIC),
        ("qfleet/1/north/+/up", b"\x20" + bytes(80), Reason.TOPIC),
    ],
)
def test_what_is_rejected_says_why(name: str, payload: bytes, reason: Reason) -> None:
    got = door.read(name, payload)
    assert isinstance(got, Rejected)
    assert got.reason is reason
    assert len(got.text) < 1000


TOPICS = st.one_of(
    st.sampled_from([topic(channel) for channel in Channel]),
    st.just("qfleet/1/north/authority"),
    st.text(max_size=60),
)


@given(TOPICS, st.binary(max_size=300))
def test_the_door_never_raises_on_anything(name: str, payload: bytes) -> None:
    assert isinstance(door.read(name, payload), Frame | Presence | Record | Rejected)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=200)
@given(st.data())
def test_the_door_never_raises_on_mutated_frames(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(Kind)))
    payload = bytearray(valid()[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(payload) - 1)))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "nest"])):
            case "flip":
                if payload:
                    payload[place] = data.draw(st.integers(0, 255))
            case "cut":
                del payload[place:]
            case "insert":
                payload[place:place] = data.draw(st.binary(max_size=20))
            case _:
                payload[1:1] = b"\x91" * data.draw(st.integers(0, 3000))
    for channel in Channel:
        assert isinstance(door.read(topic(channel), bytes(payload)), Frame | Presence | Rejected)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.data())
def test_both_ends_survive_mutated_frames_behind_the_door(data: st.DataObject) -> None:
    fleet = Fleet("door")
    device, controller = DeviceEnd(fleet.device()), ControllerEnd(fleet.controller())
    device.hello()
    kind = data.draw(st.sampled_from(list(Kind)))
    payload = bytearray(valid()[kind])
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= data.draw(st.integers(1, 255))
    for channel in Channel:
        controller.receive((topic(channel), bytes(payload)))
        device.receive((topic(channel), bytes(payload)))
    assert controller.received == []
    assert device.sessions.current is None
