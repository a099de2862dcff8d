"""Clocks, revocation and epochs in the handshake, and what an expired device may do."""

import pytest
from tests.simulation.wire_fleet import DAY, DEVICE, NOW, DeviceEnd, connect
from tests.unit.handshake_cases import answer_as, ends, finish, fleet

from qfleet_wire.channel import initiator, revocation
from qfleet_wire.channel.revocation import Revocations
from qfleet_wire.errors import Untrusted
from qfleet_wire.names import ControllerName, Millis


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
    frame = answer_as(device, thief, time=NOW - 40 * DAY)
    with pytest.raises(Untrusted, match="certificate ended") as caught:
        finish(device, frame)
    assert caught.value.code == "expired"
    assert device.standing.bound == NOW


def test_a_controller_that_states_a_time_outside_its_certificate_is_refused() -> None:
    device, controller = ends()
    for stated in (NOW + 31 * DAY, NOW - DAY, 0):
        with pytest.raises(Untrusted, match="states the time"):
            finish(device, answer_as(device, controller.own, time=stated))


def test_a_revoked_controller_is_refused_by_list_and_by_memory() -> None:
    device, controller = ends()
    thief = controller.own.peer.certificate_hash
    blob = revocation.sign(Revocations(fleet().name, 3, (thief,)), fleet().root_key)
    with pytest.raises(Untrusted, match="revoked") as caught:
        finish(device, answer_as(device, controller.own, revocations=blob))
    assert caught.value.code == "revoked"
    device.standing = initiator.Standing(Millis(0), blob)
    with pytest.raises(Untrusted, match="revoked"):
        finish(device, answer_as(device, controller.own))


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
        finish(device, answer_as(device, controller.own, revocations=false))


def test_a_controller_of_an_older_epoch_is_refused() -> None:
    device, controller = ends()
    controller.epoch = 5
    connect(device, controller)
    controller.epoch = 4
    device.receive(*controller.receive(device.hello()))
    assert "epoch 4" in str(device.refused[-1])
    assert device.standing.epoch == 5


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
