"""What was frozen opens, verifies and encodes as it did; see ``tests/vectors/wire/generate.py``."""

import base64
import json
import typing
from pathlib import Path

import msgspec
import pytest
from tests.simulation.wire_fleet import DEVICE, FLEET, NOW, REGION
from tests.vectors.wire import generate, samples

from qfleet_wire import codec, door, payloads, workload
from qfleet_wire.channel import (
    authority,
    enrolment,
    frames,
    initiator,
    invitation,
    keys,
    renewal,
    responder,
    resumption,
    revocation,
    session,
    xwing,
)
from qfleet_wire.channel.identity import ControllerIdentity, DeviceIdentity
from qfleet_wire.errors import EnrolmentRefused
from qfleet_wire.names import ControllerName, Millis
from qfleet_wire.profile import Security
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

FOLDER = Path(__file__).parent / "wire"
TOPIC = DeviceTopic(REGION, DEVICE, Channel.HELLO)


def _load(name: str) -> dict[str, bytes]:
    texts = json.loads((FOLDER / name).read_text())
    return {key: base64.b64decode(text, validate=True) for key, text in texts.items()}


MESSAGES = _load("messages.json")
PAYLOADS = _load("payloads.json")


def trust() -> authority.Authority:
    raw = MESSAGES["record"]
    return authority.read_record(raw, authority.record_hash(raw))


def own(who: str) -> authority.Credentials:
    framed, chain = MESSAGES[f"{who}_chain"], []
    while framed:
        length = int.from_bytes(framed[:4], "big")
        chain.append(framed[4 : 4 + length])
        framed = framed[4 + length :]
    return authority.credentials(MESSAGES[f"{who}_seed"], tuple(chain), trust())


def circumstances() -> initiator.Circumstances:
    return initiator.Circumstances(REGION, "boot-1", Security())


def established() -> initiator.Established:
    share = xwing.private_key(MESSAGES["hello_share_seed"])
    attempt = initiator.Attempt(
        MESSAGES["hello"], own("device"), circumstances(), {"qfleet1": share}, generate.PRESHARED
    )
    return initiator.finish(attempt, MESSAGES["answer"], initiator.Standing(Millis(0)), now=NOW)


def resumed() -> initiator.Established:
    share = xwing.private_key(MESSAGES["resume_share_seed"])
    attempt = initiator.ResumeAttempt(
        MESSAGES["resume"],
        resumption.read_state(MESSAGES["state"]),
        trust().root,
        circumstances(),
        share,
    )
    return initiator.finish_resume(attempt, MESSAGES["resume_answer"], initiator.Standing(Millis(0)), now=NOW)


def test_the_record_reads_and_encodes_identically() -> None:
    record = codec.decode(MESSAGES["record"], authority.AuthorityRecord)
    made = authority.make_record(FLEET, record.root, record.enrolment_key, ("qfleet1",))
    assert made == MESSAGES["record"]
    assert trust().fleet == FLEET
    assert xwing.private_key(MESSAGES["enrolment_seed"]).public == trust().enrolment_key


def test_the_token_reads_and_spells_identically() -> None:
    text = MESSAGES["token"].decode()
    assert invitation.read(text) == generate.token(trust().hash)
    assert invitation.write(generate.token(trust().hash)) == text


def test_the_enrolment_request_opens() -> None:
    token = generate.token(trust().hash)
    request = enrolment.open_request(
        MESSAGES["enrol_request"],
        trust(),
        xwing.private_key(MESSAGES["enrolment_seed"]),
        invitation.token_key(token.secret, token.token_id),
    )
    assert request.csr == MESSAGES["csr"]
    assert request.facts == generate.FACTS
    assert request.token_id == enrolment.token_id(MESSAGES["enrol_request"]) == generate.TOKEN_ID


def test_the_enrolment_answers_open() -> None:
    attempt = enrolment.Attempt(
        MESSAGES["enrol_request"],
        generate.token(trust().hash),
        trust(),
        xwing.private_key(MESSAGES["reply_seed"]),
    )
    grant, granted = enrolment.accept(attempt, MESSAGES["enrol_answer_grant"], MESSAGES["new_device_seed"])
    assert codec.encode(grant) == MESSAGES["grant"]
    assert granted.identity == DeviceIdentity(FLEET, DEVICE)
    with pytest.raises(EnrolmentRefused, match="the token has expired"):
        enrolment.accept(attempt, MESSAGES["enrol_answer_denial"], MESSAGES["new_device_seed"])


def test_the_hello_verifies_and_its_body_encodes_identically() -> None:
    request = responder.examine(own("controller"), MESSAGES["hello"], TOPIC)
    assert codec.encode(request.body) == frames.read(MESSAGES["hello"], frames.Hello).body
    assert request.preshared == "k1"
    assert frames.write(frames.read(MESSAGES["hello"], frames.Hello)) == MESSAGES["hello"]


def test_the_answer_verifies_and_yields_the_frozen_secrets() -> None:
    done = established()
    assert done.controller == ControllerIdentity(FLEET, REGION, ControllerName("c1"))
    assert resumption.write(done.state) == MESSAGES["state"]
    assert (done.stated, done.standing.epoch, done.standing.bound) == (NOW, 7, NOW)
    opened = done.session.open(MESSAGES["sealed_down"], NOW)
    assert isinstance(opened, session.Opened)
    assert opened.plaintext == b"a message down"
    body = frames.read(MESSAGES["answer"], frames.Answer).body
    assert codec.encode(frames.read_body(body, frames.AnswerBody)) == body


def test_sealing_makes_the_frozen_envelope_from_the_same_nonce() -> None:
    done = established()
    nonce = MESSAGES["sealed_up"][28:52]
    assert done.session.seal(b"a message up", now=NOW, random=lambda _: nonce) == MESSAGES["sealed_up"]


def test_the_resumption_verifies_on_both_sides() -> None:
    request = responder.examine_resume(
        own("controller"),
        MESSAGES["resume"],
        TOPIC,
        record=resumption.read_record(MESSAGES["controller_record"]),
        now=NOW,
    )
    assert request.state == resumption.read_state(MESSAGES["state"])
    done = resumed()
    assert resumption.write(done.state) == MESSAGES["resumed_state"]
    nonce = MESSAGES["resumed_up"][28:52]
    assert done.session.seal(b"resumed", now=NOW, random=lambda _: nonce) == MESSAGES["resumed_up"]


def test_the_resumption_request_is_made_identically() -> None:
    state = resumption.read_state(MESSAGES["state"])
    body = frames.read_body(frames.read(MESSAGES["resume"], frames.Resume).body, frames.ResumeBody)
    drawn = iter([MESSAGES["resume_share_seed"], body.nonce])
    attempt = initiator.resume(
        state,
        own("device"),
        initiator.Standing(Millis(0)),
        circumstances=circumstances(),
        random=lambda _: next(drawn),
    )
    assert attempt.frame == MESSAGES["resume"]


def test_the_refusal_reads_and_encodes_identically() -> None:
    refusal = frames.read(MESSAGES["refusal"], frames.Refusal)
    assert refusal == frames.Refusal(frames.frame_hash(MESSAGES["hello"]), "suite", "no")
    assert frames.write(refusal) == MESSAGES["refusal"]


def test_what_is_signed_or_stored_outside_a_session_reads() -> None:
    listed = revocation.read(MESSAGES["revocation_list"], trust().root)
    assert (listed.version, listed.revoked) == (3, (b"r" * 32,))
    assert keys.unprotect(MESSAGES["protected_key"], b"passphrase") == b"k" * 32
    keys.verify_result_signature(own("device").peer.key, [b"one", b"two"], MESSAGES["result_signature"])
    identities = renewal.read(MESSAGES["identities"])
    assert renewal.write(identities) == MESSAGES["identities"]
    for name in ("state", "resumed_state"):
        assert resumption.write(resumption.read_state(MESSAGES[name])) == MESSAGES[name]
    record = MESSAGES["controller_record"]
    assert resumption.write(resumption.read_record(record)) == record


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("enrol_request", Channel.ENROL),
        ("enrol_answer_grant", Channel.ENROL),
        ("hello", Channel.HELLO),
        ("answer", Channel.DOWN),
        ("resume", Channel.HELLO),
        ("resume_answer", Channel.DOWN),
        ("refusal", Channel.DOWN),
        ("sealed_up", Channel.UP),
        ("sealed_down", Channel.DOWN),
    ],
)
def test_every_frozen_frame_passes_the_door(name: str, channel: Channel) -> None:
    got = door.read(topic_for(DeviceTopic(REGION, DEVICE, channel)), MESSAGES[name])
    assert isinstance(got, door.Frame)


def test_every_kind_of_frame_is_frozen() -> None:
    names = "enrol_request enrol_answer_grant hello answer resume resume_answer refusal sealed_up"
    frozen = {MESSAGES[name][0] for name in names.split()} | {_load("hints.json")["call"][0]}
    assert frozen == set(frames.Kind)


# ── payloads ────────────────────────────────────────────────────────────────────────────────

GROUPS = {
    "down": (payloads.Down, samples.DOWN),
    "up": (payloads.Up, samples.UP),
    "work": (workload.Work, samples.WORKS),
    "result": (workload.WorkResult, samples.WORK_RESULTS),
}


@pytest.mark.parametrize("group", GROUPS)
def test_every_kind_is_frozen(group: str) -> None:
    union, items = GROUPS[group]
    assert {type(item) for item in items} == set(typing.get_args(union))


@pytest.mark.parametrize("name", [name for name in PAYLOADS if "/" in name])
def test_frozen_payloads_decode_and_no_field_of_theirs_has_changed(name: str) -> None:
    group, kind = name.split("/")
    union, items = GROUPS[group]
    (sample,) = [item for item in items if item.__struct_config__.tag == kind]
    assert msgspec.msgpack.decode(PAYLOADS[name], type=union) == sample
    frozen, fresh = (msgspec.msgpack.decode(data) for data in (PAYLOADS[name], codec.encode(sample)))
    assert _holds(fresh, frozen), "a field was changed or removed; only new ones may join"


def _holds(fresh: object, frozen: object) -> bool:
    """Whether everything frozen is still there; mappings may have grown."""
    if isinstance(fresh, dict) and isinstance(frozen, dict):
        return all(key in fresh and _holds(fresh[key], value) for key, value in frozen.items())
    if isinstance(fresh, list) and isinstance(frozen, list):
        return len(fresh) == len(frozen) and all(map(_holds, fresh, frozen))
    return type(fresh) is type(frozen) and fresh == frozen


def test_the_frozen_batch_decodes() -> None:
    batch, items = codec.unpack_down(PAYLOADS["batch"])
    assert tuple(items) == samples.DOWN
    assert (batch.epoch, batch.sent) == (7, NOW)


def test_the_generator_still_makes_every_message_from_the_same_keys() -> None:
    fresh = generate.make()
    assert fresh.keys() == MESSAGES.keys()
    for name in fresh:
        assert (fresh[name] == MESSAGES[name]) >= name.endswith("_seed"), name
    assert generate.payload_fields().keys() == PAYLOADS.keys()
