from functools import cache

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulation.wire_fleet import DAY, DEVICE, FLEET, NOW, REGION, Fleet, seeded

from qfleet_wire import codec
from qfleet_wire.channel import certificates, enrolment, frames, identity, invitation, keys, rates, xwing
from qfleet_wire.channel.enrolment import Denial, Facts, Grant, TokenState
from qfleet_wire.channel.invitation import JoinToken
from qfleet_wire.errors import AnotherAnswer, EnrolmentRefused, InvalidToken, Refused, Untrusted
from qfleet_wire.names import DeviceName, Millis, RegionName

RANDOM = seeded("enrolment")
FACTS = Facts("aarch64", "Raspberry Pi 5", 4, 8 << 30, "0.1.0", "raspberry-pi-5")
SEED = seeded("device key")(32)


@cache
def fleet() -> Fleet:
    return Fleet("enrolment")


@cache
def csr() -> bytes:
    return certificates.make_request(keys.load(SEED))


def token(**changes: object) -> JoinToken:
    made = JoinToken(
        fleet=FLEET,
        region=REGION,
        device=DEVICE,
        broker="mqtt://broker.example:1883",
        login="enrol",
        password="pass word",
        authority=fleet().authority.hash,
        token_id=b"i" * 16,
        secret=b"s" * 32,
        expires=Millis(NOW + 3_600_000),
    )
    return msgspec.structs.replace(made, **changes)


def token_key(of: JoinToken) -> bytes:
    return invitation.token_key(of.secret, of.token_id)


def grant(request: enrolment.Request, **changes: object) -> Grant:
    chain = certificates.issue(
        fleet().issuers["device"],
        request.public_key,
        identity.DeviceIdentity(FLEET, DEVICE),
        certificates.lasting(NOW, 90),
        random=RANDOM,
    )
    made = Grant(chain, "device", "secret login", REGION, b"", NOW)
    return msgspec.structs.replace(made, **changes)


def ask(of: JoinToken | None = None) -> tuple[enrolment.Attempt, enrolment.Request]:
    one = of or token()
    attempt = enrolment.request(one, fleet().authority, csr(), FACTS, RANDOM)
    return attempt, enrolment.open_request(
        attempt.frame, fleet().authority, fleet().enrolment, token_key(one)
    )


# ── the token ───────────────────────────────────────────────────────────────────────────────


def test_a_token_is_one_line_that_reads_back() -> None:
    text = invitation.write(token())
    assert text.startswith("qf1-")
    assert text.isascii()
    assert " " not in text
    assert len(text) < 400  # fits a QR code of version 10 in alphanumeric mode, upper case
    assert invitation.read(text, now=NOW) == token()
    assert invitation.read(f"  {text.upper()[:90]}\n {text.upper()[90:]}\n") == token()


@given(st.binary(min_size=16, max_size=16), st.text(max_size=40), st.text(max_size=80))
def test_writing_and_reading_tokens_are_inverses(name: bytes, password: str, broker: str) -> None:
    one = token(token_id=name, password=password, broker=broker)
    assert invitation.read(invitation.write(one)) == one


def test_every_truncated_token_is_said_to_be_cut_off_or_mistyped() -> None:
    text = invitation.write(token())
    for length in range(len(text)):
        with pytest.raises(InvalidToken, match=r"cut off|starts with"):
            invitation.read(text[:length])


def test_every_mistyped_character_is_noticed() -> None:
    text = invitation.write(token())
    for place in range(4, len(text)):
        typed = "a" if text[place] != "a" else "b"
        with pytest.raises(InvalidToken, match=r"mistyped|cut off"):
            invitation.read(text[:place] + typed + text[place + 1 :])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "starts with 'qf1-'"),
        ("hello", "starts with 'qf1-'"),
        ("qf1-", "cut off"),
        ("qf1-0189", "character"),
        ("qf1-" + "a" * 5000, "too many"),
        ("qf1-" + "ä" * 80, "character"),
    ],
)
def test_what_is_no_token_says_so(text: str, complaint: str) -> None:
    with pytest.raises(InvalidToken, match=complaint):
        invitation.read(text)


def test_an_expired_token_says_since_when() -> None:
    text = invitation.write(token())
    with pytest.raises(InvalidToken, match="expired 60 s ago"):
        invitation.read(text, now=Millis(NOW + 3_660_000))
    assert invitation.read(text) == token()  # a device whose clock says anything lets the controller judge


def test_no_message_or_representation_shows_the_secret() -> None:
    text = invitation.write(token())
    with pytest.raises(InvalidToken) as caught:
        invitation.read(text[:-3])
    for shown in (str(caught.value), repr(token()), str(token().__rich_repr__())):
        assert text[40:60] not in shown
        assert "pass word" not in shown
        assert "sss" not in shown


def test_the_secret_has_at_least_128_bits_and_never_travels() -> None:
    assert invitation.SECRET_BYTES * 8 >= 128
    secret = invitation.new_secret(RANDOM)
    one = token(secret=secret, token_id=invitation.new_token_id(RANDOM))
    attempt, request = ask(one)
    opened = codec.encode(request.facts) + request.csr + request.reply_key
    assert secret not in attempt.frame
    assert secret not in opened
    assert token_key(one) not in attempt.frame
    assert secret not in token_key(one)


# ── the request ─────────────────────────────────────────────────────────────────────────────


def test_a_device_joins() -> None:
    attempt, request = ask()
    assert request.facts == FACTS
    assert enrolment.decide(TokenState(token().expires), request.csr_hash, NOW) == "issue"
    sent = enrolment.answer(request, fleet().authority, token_key(token()), grant(request))
    granted, own = enrolment.accept(attempt, sent, SEED)
    assert own.identity == identity.DeviceIdentity(FLEET, DEVICE)
    assert granted.login == "device"
    assert own.peer.validity.not_after == NOW + 90 * DAY


def test_the_request_hides_csr_and_facts_from_the_broker() -> None:
    attempt, request = ask()
    assert b"Raspberry" not in attempt.frame
    assert request.public_key.public_bytes_raw()[:64] not in attempt.frame


def test_the_devices_key_never_leaves_it() -> None:
    attempt, request = ask()
    assert SEED not in attempt.frame
    assert SEED not in request.csr + codec.encode(request.facts) + request.reply_key
    assert SEED not in enrolment.answer(request, fleet().authority, token_key(token()), grant(request))


def test_token_id_and_rate_are_checked_before_decapsulation() -> None:
    attempt, _ = ask()
    assert enrolment.token_id(attempt.frame) == token().token_id
    junk = frames.write(frames.EnrolRequest(frames.PROTOCOL, b"i" * 16, b"not sealed at all"))
    assert enrolment.token_id(junk) == b"i" * 16  # without touching what is sealed
    buckets = rates.Buckets(burst=3, interval_ms=10_000)
    assert [buckets.admit(b"i" * 16, NOW) for _ in range(4)] == [True, True, True, False]
    assert buckets.admit(b"another", NOW)
    assert buckets.admit(b"i" * 16, Millis(NOW + 10_000))


def test_a_request_of_another_version_or_kind_is_refused() -> None:
    with pytest.raises(Refused, match="version 9"):
        enrolment.token_id(frames.write(frames.EnrolRequest(9, b"i" * 16, b"")))
    with pytest.raises(Refused, match="not a EnrolRequest"):
        enrolment.token_id(frames.write(frames.EnrolAnswer(bytes(32), b"")))


def test_a_request_sealed_under_another_secret_proves_nothing() -> None:
    attempt, _ = ask(token(secret=b"x" * 32))
    with pytest.raises(Untrusted, match="does not prove") as caught:
        enrolment.open_request(attempt.frame, fleet().authority, fleet().enrolment, token_key(token()))
    assert caught.value.code == "token"


def test_a_request_moved_to_another_token_or_fleet_does_not_open() -> None:
    attempt, _ = ask()
    sealed = frames.read(attempt.frame, frames.EnrolRequest).sealed
    moved = frames.write(frames.EnrolRequest(frames.PROTOCOL, b"j" * 16, sealed))
    with pytest.raises(Untrusted, match="not sealed for this side"):
        enrolment.open_request(moved, fleet().authority, fleet().enrolment, token_key(token()))
    with pytest.raises(Untrusted, match="not sealed for this side"):
        enrolment.open_request(attempt.frame, fleet().authority, xwing.generate(RANDOM), token_key(token()))
    other = Fleet("another fleet").authority
    with pytest.raises(Untrusted, match="not sealed for this side"):
        enrolment.open_request(attempt.frame, other, fleet().enrolment, token_key(token()))


def test_every_altered_byte_of_a_request_is_noticed() -> None:
    attempt, _ = ask()
    for place in range(0, len(attempt.frame), 101):
        altered = bytearray(attempt.frame)
        altered[place] ^= 1
        with pytest.raises(Refused):
            enrolment.open_request(bytes(altered), fleet().authority, fleet().enrolment, token_key(token()))


# ── the decision ────────────────────────────────────────────────────────────────────────────

HASH, OTHER = b"h" * 32, b"o" * 32
EXPIRES = Millis(NOW + 1000)
LATE = Millis(NOW + 5000)


def test_the_same_csr_asked_again_gets_the_same_answer_even_late() -> None:
    used = TokenState(EXPIRES, used_by=HASH)
    assert enrolment.decide(used, HASH, NOW) == "same-answer"
    assert enrolment.decide(used, HASH, LATE) == "same-answer"


def test_another_csr_with_a_used_token_is_an_alarm_even_late() -> None:
    used = TokenState(EXPIRES, used_by=HASH)
    assert enrolment.decide(used, OTHER, NOW) == "alarm"
    assert enrolment.decide(used, OTHER, LATE) == "alarm"


def test_unknown_expired_and_withdrawn_tokens_are_refused_with_what_to_do() -> None:
    for state, now in (
        (None, NOW),
        (TokenState(EXPIRES), LATE),
        (TokenState(EXPIRES, withdrawn=True), NOW),
    ):
        decision = enrolment.decide(state, HASH, now)
        assert isinstance(decision, enrolment.Refuse)
        assert "invite the device again" in decision.reason
    assert enrolment.decide(TokenState(EXPIRES), HASH, EXPIRES) == "issue"


# ── the answer ──────────────────────────────────────────────────────────────────────────────


def test_the_same_answer_reaches_a_device_that_lost_its_reply_key() -> None:
    _, first = ask()
    stored = grant(first)
    again, second = ask()
    assert second.csr_hash == first.csr_hash
    assert second.reply_key != first.reply_key
    sent = enrolment.answer(second, fleet().authority, token_key(token()), stored)
    assert enrolment.accept(again, sent, SEED)[0] == stored


def test_a_denial_reaches_the_device_with_its_reason() -> None:
    attempt, request = ask()
    sent = enrolment.answer(request, fleet().authority, token_key(token()), Denial("the token has expired"))
    with pytest.raises(EnrolmentRefused, match="the token has expired"):
        enrolment.accept(attempt, sent, SEED)


def test_an_answer_to_another_request_is_left_alone() -> None:
    attempt, request = ask()
    sent = enrolment.answer(request, fleet().authority, token_key(token()), grant(request))
    other, _ = ask()
    with pytest.raises(AnotherAnswer):
        enrolment.accept(other, sent, SEED)
    enrolment.accept(attempt, sent, SEED)


def test_an_answer_from_who_does_not_know_the_token_is_refused() -> None:
    attempt, request = ask()
    forged = enrolment.answer(request, fleet().authority, b"x" * 32, grant(request))
    with pytest.raises(Untrusted, match="does not prove"):
        enrolment.accept(attempt, forged, SEED)


def test_every_altered_byte_of_an_answer_is_noticed() -> None:
    attempt, request = ask()
    sent = enrolment.answer(request, fleet().authority, token_key(token()), grant(request))
    for place in range(0, len(sent), 211):
        altered = bytearray(sent)
        altered[place] ^= 1
        with pytest.raises((Refused, AnotherAnswer)):
            enrolment.accept(attempt, bytes(altered), SEED)


def test_every_truncation_of_requests_and_answers_is_refused() -> None:
    attempt, request = ask()
    sent = enrolment.answer(request, fleet().authority, token_key(token()), Denial("no"))
    for length in (0, 1, 20, 100, 1100, 1180, 1200):
        short = frames.read(attempt.frame, frames.EnrolRequest).sealed[:length]
        cut = frames.write(frames.EnrolRequest(frames.PROTOCOL, token().token_id, short))
        with pytest.raises(Refused):
            enrolment.open_request(cut, fleet().authority, fleet().enrolment, token_key(token()))
        answer = frames.read(sent, frames.EnrolAnswer)
        with pytest.raises(Refused):
            enrolment.accept(
                attempt, frames.write(frames.EnrolAnswer(answer.request, answer.sealed[:length])), SEED
            )


def test_a_grant_for_another_device_region_or_key_is_refused() -> None:
    attempt, request = ask()

    def send(outcome: Grant) -> bytes:
        return enrolment.answer(request, fleet().authority, token_key(token()), outcome)

    with pytest.raises(Untrusted, match="region"):
        enrolment.accept(attempt, send(grant(request, region="south")), SEED)
    other = fleet().device(DeviceName("pi-2"))
    with pytest.raises(Untrusted, match="another key"):
        enrolment.accept(attempt, send(grant(request, chain=other.chain)), SEED)
    wrong_name = certificates.issue(
        fleet().issuers["device"],
        request.public_key,
        identity.DeviceIdentity(FLEET, DeviceName("pi-2")),
        certificates.lasting(NOW, 90),
        random=RANDOM,
    )
    with pytest.raises(Untrusted, match="another device's"):
        enrolment.accept(attempt, send(grant(request, chain=wrong_name)), SEED)


def test_a_false_reply_key_is_refused() -> None:
    _, request = ask()
    bad = enrolment.Request(
        request.frame,
        request.token_id,
        request.csr,
        request.csr_hash,
        request.public_key,
        request.facts,
        b"short",
    )
    with pytest.raises(Refused, match="public key"):
        enrolment.answer(bad, fleet().authority, token_key(token()), Denial("no"))


def test_nothing_secret_shows_in_representations() -> None:
    attempt, request = ask()
    made = grant(request)
    assert "secret login" not in repr(made)
    assert "secret login" not in str(made.__rich_repr__())
    assert "pass word" not in repr(attempt)
    assert made.region == RegionName("north")
