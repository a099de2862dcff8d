"""Keys of a quantum link in the handshake: mixed in, demanded, and used once."""

import msgspec
import pytest
from tests.simulation.wire_fleet import (
    connect,
)
from tests.unit.handshake_cases import PSK, RANDOM, TOPIC, body_of, ends, finish

from qfleet_wire import codec
from qfleet_wire.channel import (
    frames,
    initiator,
    keys,
    preshared,
    responder,
)
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.errors import (
    InvalidKey,
    PresharedKeyMissing,
    Refused,
    Untrusted,
)
from qfleet_wire.profile import Security


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
