"""Who may play which role in a handshake, and by which suite."""

import msgspec
import pytest
from tests.simulation.wire_fleet import (
    DEVICE,
    REGION,
    DeviceEnd,
    Fleet,
)
from tests.unit.handshake_cases import RANDOM, TOPIC, answer_as, answer_to, body_of, ends, finish, fleet

from qfleet_wire import codec
from qfleet_wire.channel import (
    frames,
    initiator,
    keys,
    responder,
    suites,
)
from qfleet_wire.channel.labels import Label
from qfleet_wire.errors import (
    Refused,
    SuiteUnavailable,
    Untrusted,
)
from qfleet_wire.names import DeviceName, FleetName, RegionName
from qfleet_wire.profile import Security


def test_an_enrolled_device_cannot_play_the_controller() -> None:
    device, _ = ends()
    frame = answer_as(device, fleet().device(DeviceName("pi-2")))
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
        finish(device, answer_as(device, south))
    with pytest.raises(Untrusted, match="of fleet 'borealis'"):
        finish(device, answer_as(device, Fleet("x", FleetName("borealis")).controller()))


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
        finish(device, answer_as(device, controller.own, suite="qfleet0"))
    assert caught.value.code == "suite"
