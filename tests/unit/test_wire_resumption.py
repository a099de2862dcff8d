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
    reconnect,
)

from qfleet_wire import codec
from qfleet_wire.channel import derivation, frames, initiator, keys, responder, resumption, revocation
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.channel.revocation import Revocations
from qfleet_wire.errors import InvalidKey, Refused, ResumptionUnusable, Untrusted
from qfleet_wire.names import ControllerName, DeviceName, Millis
from qfleet_wire.profile import Security
from qfleet_wire.topics import Channel, DeviceTopic

TOPIC = DeviceTopic(REGION, DEVICE, Channel.HELLO)


@cache
def fleet() -> Fleet:
    return Fleet("resumption")


def connected() -> tuple[DeviceEnd, ControllerEnd]:
    device, controller = DeviceEnd(fleet().device()), ControllerEnd(fleet().controller())
    connect(device, controller)
    return device, controller


def resume_body(frame: bytes) -> frames.ResumeBody:
    return frames.read_body(frames.read(frame, frames.Resume).body, frames.ResumeBody)


def answer_body(frame: bytes) -> frames.AnswerBody:
    return frames.read_body(frames.read(frame, frames.ResumeAnswer).body, frames.AnswerBody)


def test_a_resumption_carries_on_without_signatures() -> None:
    device, controller = connected()
    request = device.resume()
    ((_, answer),) = controller.receive(request)
    assert len(request[1]) < keys.SIGNATURE_BYTES
    assert len(answer) < keys.SIGNATURE_BYTES
    device.receive(("qfleet/1/north/pi-1/down", answer))
    controller.receive(device.send(b"again"))
    device.receive(controller.send(b"welcome"))
    assert controller.received[-1] == b"again"
    assert device.received == [b"welcome"]


def test_it_runs_a_fresh_exchange_with_nonces_from_both_sides() -> None:
    device, controller = connected()
    one, two = device.resume()[1], device.resume()[1]
    assert resume_body(one).share.public_key != resume_body(two).share.public_key
    assert resume_body(one).nonce != resume_body(two).nonce
    answers = [controller.receive(("qfleet/1/north/pi-1/hello", frame))[0][1] for frame in (one, two)]
    first, second = map(answer_body, answers)
    assert first.ciphertext != second.ciphertext
    assert first.nonce != second.nonce


def test_the_answer_still_states_time_epoch_and_revocations() -> None:
    device, controller = connected()
    controller.now, controller.epoch = Millis(NOW + DAY), 4
    controller.revocations = revocation.sign(Revocations(fleet().name, 2), fleet().root_key)
    reconnect(device, controller)
    assert device.standing == initiator.Standing(Millis(NOW + DAY), controller.revocations, 4)


def test_the_secret_ratchets_each_time_and_both_sides_agree() -> None:
    device, controller = connected()
    secrets = set()
    for generation in range(1, 6):
        reconnect(device, controller)
        assert device.state is not None
        assert device.state == controller.records[DEVICE].confirmed
        assert device.state.generation == generation
        secrets.add(device.state.secret)
    assert len(secrets) == 5


def test_an_old_generation_is_gone_once_the_next_is_confirmed() -> None:
    device, controller = connected()
    old = device.state
    reconnect(device, controller)
    device.state = old
    device.receive(*controller.receive(device.resume()))
    assert device.hints == ["resumption"]


def test_until_confirmed_current_and_previous_generations_both_resume() -> None:
    for lost in ("answer", "first message"):
        device, controller = connected()
        before = device.state
        for answer in controller.receive(device.resume()):
            if lost == "first message":
                device.receive(answer)
        assert (device.state == before) == (lost == "answer")
        reconnect(device, controller)
        assert controller.received[-1] == b"first"
        assert controller.records[DEVICE].offered == ()
        assert controller.records[DEVICE].confirmed == device.state


def test_a_delayed_older_resumption_does_not_lock_the_device_out() -> None:
    device, controller = connected()
    delayed = device.resume()
    for answer in controller.receive(device.resume()):
        device.receive(answer)
    controller.receive(delayed)  # before the device's first message confirms
    controller.now = Millis(NOW + 61_000)
    reconnect(device, controller)
    assert controller.records[DEVICE].confirmed == device.state


def test_many_unconfirmed_answers_keep_the_confirmed_generation() -> None:
    device, controller = connected()
    for _ in range(3 * resumption.MOST_CANDIDATES):
        controller.receive(device.resume())
    record = controller.records[DEVICE]
    assert len(record.offered) == resumption.MOST_CANDIDATES
    assert record.confirmed == device.state
    reconnect(device, controller)
    assert controller.received[-1] == b"first"


def test_a_replayed_resumption_changes_nothing() -> None:
    device, controller = connected()
    request = device.resume()
    for answer in controller.receive(request):
        device.receive(answer)
    controller.receive(device.send(b"on"))
    current, record = controller.sessions[DEVICE].current, controller.records[DEVICE]
    controller.now = Millis(NOW + 100_000)
    for answer in controller.receive(request):
        device.receive(answer)
    assert controller.sessions[DEVICE].current is current
    assert controller.records[DEVICE] == record


def test_after_seven_days_from_the_full_handshake_a_full_one_is_needed() -> None:
    device, controller = connected()
    for day in range(1, 8):
        controller.now = Millis(NOW + day * DAY)
        reconnect(device, controller)
    assert len(controller.received) == 8
    controller.now = Millis(NOW + 7 * DAY + 1)
    device.receive(*controller.receive(device.resume()))
    assert device.hints == ["resumption"]
    connect(device, controller)
    assert controller.received[-1] == b"first"


def test_the_devices_status_is_checked() -> None:
    device, controller = connected()
    controller.revoked.add(DEVICE)
    device.receive(*controller.receive(device.resume()))
    assert device.hints == ["revoked"]


def test_anything_else_is_a_full_handshake_and_nothing_is_dropped() -> None:
    device, controller = connected()
    state = device.state
    controller.records.clear()
    device.receive(*controller.receive(device.resume()))
    assert device.hints == ["resumption"]
    assert device.state == state
    connect(device, controller)
    assert controller.received == [b"first", b"first"]


def test_takeover_by_another_controller_resumes_and_never_continues_sequence_numbers() -> None:
    device, one = connected()
    for _ in range(5):
        one.receive(device.send(b"x"))
    stored = resumption.write(one.records[DEVICE])
    two = ControllerEnd(fleet().controller(ControllerName("c2")), seed="c2", epoch=2)
    two.records[DEVICE] = resumption.read_record(stored)
    two.receive(device.send(b"of the old session"))
    assert two.received == []  # the sessions of another controller are not held anywhere
    reconnect(device, two)
    assert two.received == [b"first"]
    current = two.sessions[DEVICE].current
    assert current is not None
    assert current.sent == 0
    device.receive(one.send(b"from the controller that was only paused"))
    assert device.received == [b"from the controller that was only paused"]  # opens; its epoch refuses
    device.receive(*one.receive(device.resume()))  # one's record is behind: a full handshake follows
    assert device.hints == ["resumption"]


def test_a_session_resumes_across_restarts_of_either_side() -> None:
    device, controller = connected()
    assert device.state is not None
    restarted = DeviceEnd(device.own, seed="restarted")
    restarted.state = resumption.read_state(resumption.write(device.state))
    restarted.standing = device.standing
    again = ControllerEnd(controller.own, seed="again")
    again.records[DEVICE] = resumption.read_record(resumption.write(controller.records[DEVICE]))
    reconnect(restarted, again)
    assert again.received == [b"first"]


def test_damaged_stored_states_are_refused() -> None:
    for read in (resumption.read_state, resumption.read_record):
        with pytest.raises(InvalidKey, match="full handshake follows"):
            read(b"junk")


# ── who may resume with whom ────────────────────────────────────────────────────────────────


def test_a_controller_without_the_secret_cannot_answer() -> None:
    device, controller = connected()
    device.resume()
    assert isinstance(device.attempt, initiator.ResumeAttempt)
    request = responder.examine_resume(
        controller.own, device.attempt.frame, TOPIC, record=controller.records[DEVICE], now=NOW
    )
    made = responder.answer_resume(request, controller.policy(), controller.random)
    body = frames.read(made.frame, frames.ResumeAnswer).body
    for secret in (b"x" * 32, bytes(32)):
        proof = derivation.proof(secret, Label.RESUME_ANSWER_PROOF, device.attempt.frame, body)
        with pytest.raises(Untrusted, match="does not prove"):
            initiator.finish_resume(
                device.attempt,
                frames.write(frames.ResumeAnswer(body, proof)),
                device.standing,
                now=NOW,
            )


def test_the_devices_own_proof_cannot_be_reflected_as_the_answers() -> None:
    device, _ = connected()
    device.resume()
    assert isinstance(device.attempt, initiator.ResumeAttempt)
    request = frames.read(device.attempt.frame, frames.Resume)
    with pytest.raises(Refused):
        initiator.finish_resume(
            device.attempt,
            frames.write(frames.ResumeAnswer(request.body, request.proof)),
            device.standing,
            now=NOW,
        )


def test_a_device_without_the_secret_cannot_resume() -> None:
    device, controller = connected()
    assert device.state is not None
    body = frames.read(device.resume()[1], frames.Resume).body
    forged = frames.write(frames.Resume(body, bytes(32)))
    with pytest.raises(Untrusted, match="does not prove"):
        responder.examine_resume(controller.own, forged, TOPIC, record=controller.records[DEVICE], now=NOW)


def test_one_devices_secret_does_not_resume_another() -> None:
    device, controller = connected()
    record = controller.records[DEVICE]
    assert device.state is not None
    thief = DeviceEnd(fleet().device(DeviceName("pi-2")), device=DeviceName("pi-2"))
    thief.state = msgspec.structs.replace(
        device.state, device=DeviceName("pi-2"), device_certificate=thief.own.peer.certificate_hash
    )
    frame = thief.resume()[1]
    with pytest.raises(Untrusted, match="another device's"):
        responder.examine_resume(
            controller.own,
            frame,
            TOPIC._replace(device=DeviceName("pi-2")),
            record=record,
            now=NOW,
        )


def test_altered_bytes_of_a_resumption_and_its_answer_are_noticed() -> None:
    device, controller = connected()
    frame = device.resume()[1]
    record = controller.records[DEVICE]
    for place in range(0, len(frame), 37):
        altered = bytearray(frame)
        altered[place] ^= 1
        with pytest.raises(Refused):
            responder.examine_resume(controller.own, bytes(altered), TOPIC, record=record, now=NOW)
    ((_, answer),) = controller.receive(("qfleet/1/north/pi-1/hello", frame))
    before = device.state
    for place in range(0, len(answer), 37):
        altered = bytearray(answer)
        altered[place] ^= 1
        device.receive(("qfleet/1/north/pi-1/down", bytes(altered)))
    assert device.state == before
    device.receive(("qfleet/1/north/pi-1/down", answer))
    assert device.state != before


def test_a_controller_that_was_revoked_since_is_not_resumed_with() -> None:
    device, controller = connected()
    listed = Revocations(fleet().name, 2, (controller.own.peer.certificate_hash,))
    blob = revocation.sign(listed, fleet().root_key)
    device.standing = msgspec.structs.replace(device.standing, revocations=blob)
    with pytest.raises(ResumptionUnusable, match="revoked"):
        device.resume()


def test_a_list_in_the_answer_that_revokes_the_controller_refuses_the_answer() -> None:
    device, controller = connected()
    listed = Revocations(fleet().name, 2, (controller.own.peer.certificate_hash,))
    controller.revocations = revocation.sign(listed, fleet().root_key)
    device.receive(*controller.receive(device.resume()))
    assert "revoked" in str(device.refused[-1])


def test_a_resumed_session_trusts_no_longer_than_the_controllers_certificate() -> None:
    device, controller = connected()
    controller.now = Millis(NOW + 5 * DAY)
    short = ControllerEnd(fleet().controller(days=2))
    device = DeviceEnd(fleet().device())
    connect(device, short)
    short.now = Millis(NOW + 3 * DAY)
    device.receive(*short.receive(device.resume()))
    assert "states the time" in str(device.refused[-1])
    device.standing = msgspec.structs.replace(device.standing, bound=Millis(NOW + 3 * DAY))
    with pytest.raises(ResumptionUnusable, match="has ended"):
        device.resume()


def test_a_profile_that_has_risen_since_is_not_undercut() -> None:
    device, controller = connected()
    device.security = Security(require_preshared_key=True)
    with pytest.raises(ResumptionUnusable, match="pre-shared key"):
        device.resume()
    device.security = Security(suites=("qfleet2",))
    with pytest.raises(ResumptionUnusable, match="suite 'qfleet1'"):
        device.resume()
    device.security = Security()
    controller.suites = ("qfleet2",)
    device.receive(*controller.receive(device.resume()))
    controller.suites, controller.require_preshared = ("qfleet1",), True
    device.receive(*controller.receive(device.resume()))
    assert device.hints == ["resumption", "resumption"]


def test_a_preshared_key_stands_behind_all_sessions_that_descend_from_it() -> None:
    key = PresharedKey("k1", b"p" * 32)
    device = DeviceEnd(fleet().device(), security=Security(require_preshared_key=True))
    controller = ControllerEnd(fleet().controller(), require_preshared=True)
    device.ring, controller.ring = Ring([key]), Ring([key])
    connect(device, controller)
    reconnect(device, controller)
    assert controller.received == [b"first", b"first"]


def test_a_renewed_device_makes_a_full_handshake() -> None:
    device, _ = connected()
    device.own = fleet().device()
    with pytest.raises(ResumptionUnusable, match="another certificate"):
        device.resume()


def test_a_changed_term_in_the_answer_is_refused() -> None:
    device, controller = connected()
    device.resume()
    assert isinstance(device.attempt, initiator.ResumeAttempt)
    request = responder.examine_resume(
        controller.own, device.attempt.frame, TOPIC, record=controller.records[DEVICE], now=NOW
    )
    made = responder.answer_resume(request, controller.policy(), controller.random)
    body = codec.encode(msgspec.structs.replace(answer_body(made.frame), suite="qfleet0"))
    proof = derivation.proof(
        device.attempt.state.secret, Label.RESUME_ANSWER_PROOF, device.attempt.frame, body
    )
    with pytest.raises(Untrusted, match="changes its terms"):
        initiator.finish_resume(
            device.attempt, frames.write(frames.ResumeAnswer(body, proof)), device.standing, now=NOW
        )


def test_the_secret_does_not_show() -> None:
    device, controller = connected()
    assert device.state is not None
    shown = repr(device.state) + repr(controller.records[DEVICE]) + str(device.state.__rich_repr__())
    assert repr(device.state.secret)[2:-1] not in shown
    assert resumption.identifier(device.state.secret) != device.state.secret[:16]
