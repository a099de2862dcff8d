"""A device and a controller of one fleet, and what they say to each other."""

from functools import cache

import msgspec
from tests.simulation.wire_fleet import (
    DEVICE,
    NOW,
    REGION,
    ControllerEnd,
    DeviceEnd,
    Fleet,
    seeded,
)

from qfleet_wire import codec
from qfleet_wire.channel import (
    frames,
    initiator,
    keys,
    responder,
)
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.preshared import PresharedKey
from qfleet_wire.topics import Channel, DeviceTopic

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


def answer_as(device: DeviceEnd, impostor: Credentials, **changes: object) -> bytes:
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
