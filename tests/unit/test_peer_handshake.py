"""Two devices shake hands end to end: who may, what is bound, and what a forwarder cannot do."""

import itertools
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation.peer_fleet import ALICE, BOB, CAROL, End, ends, shake
from tests.simulation.wire_fleet import DAY, NOW, Fleet

from qfleet_wire import codec
from qfleet_wire.channel import keys, peer_frames, peer_handshake, revocation
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.peer_handshake import Offer
from qfleet_wire.channel.peering import HELLO_BURST, MOST_PLAINTEXT, Peering
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.errors import MessageTooLong, NoSession, PresharedKeyMissing, Untrusted
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import ControllerName, FleetName, Millis
from qfleet_wire.profile import Security


@cache
def fleet() -> Fleet:
    return Fleet("peers")


def pair(**both: object) -> tuple[End, End]:
    return ends(fleet(), **both)


# ── a session ───────────────────────────────────────────────────────────────────────────────


def test_two_devices_shake_hands_and_speak_both_ways() -> None:
    alice, bob = pair()
    shake(alice, bob)
    for number in range(20):
        bob.take(alice.seal(b"to bob %d" % number))
        alice.take(bob.seal(b"to alice %d" % number))
    assert bob.read == [b"to bob %d" % number for number in range(20)]
    assert alice.read == [b"to alice %d" % number for number in range(20)]
    assert (alice.opened, bob.opened) == (1, 1)
    assert not alice.dropped + bob.dropped


def test_nothing_is_sealed_before_the_answer_and_nothing_longer_than_a_forwarded_body() -> None:
    alice, bob = pair()
    with pytest.raises(NoSession):
        alice.seal(b"text")
    bob.take(alice.begin())
    with pytest.raises(NoSession):
        bob.seal(b"before the first message has confirmed")
    shake(alice, bob)
    assert len(alice.seal(bytes(MOST_PLAINTEXT))) == LIMITS.peer_bytes
    with pytest.raises(MessageTooLong, match="split it"):
        alice.seal(bytes(MOST_PLAINTEXT + 1))


def test_the_same_hello_gets_the_same_answer_and_a_later_one_changes_nothing() -> None:
    alice, bob = pair()
    hello = alice.begin()
    assert alice.begin() == hello
    answer = bob.take(hello)
    assert bob.take(hello) == answer is not None
    shake(alice, bob)
    later = Millis(NOW + 120_000)
    alice.now = bob.now = later
    replayed = bob.take(hello)
    assert replayed not in {None, answer}
    alice.take(replayed or b"")
    bob.take(alice.seal(b"still the same session"))
    alice.take(bob.seal(b"both ways"))
    assert (alice.read, bob.read, bob.opened) == ([b"both ways"], [b"still the same session"], 1)


def test_a_new_handshake_rekeys_and_what_is_under_way_still_opens() -> None:
    alice, bob = pair()
    shake(alice, bob)
    assert not alice.path.due(NOW)
    alice.now = bob.now = Millis(NOW + Security().rekey_minutes * 60_000)
    assert alice.path.due(alice.now)
    late = bob.seal(b"under way")
    before = alice.seal(b"")[4:20]
    shake(alice, bob)
    alice.take(late)
    assert alice.read == [b"under way"]
    assert alice.seal(b"")[4:20] != before
    assert not alice.path.due(alice.now)


@pytest.mark.parametrize("order", range(24))
def test_when_both_begin_the_same_session_remains_on_both_sides_in_whatever_order(order: int) -> None:
    alice, bob = pair()
    answers = [(alice, bob.take(alice.begin()) or b""), (bob, alice.take(bob.begin()) or b"")]
    deliveries: list[tuple[End, bytes | End]] = [*answers, (bob, alice), (alice, bob)]
    for hearer, what in list(itertools.permutations(deliveries))[order]:
        if isinstance(what, bytes):
            hearer.take(what)
        elif what.path.ready:
            hearer.take(what.seal(b"a message between"))
    for _ in range(2):
        for end, other in ((alice, bob), (bob, alice)):
            if end.path.ready:
                other.take(end.seal(b"a message after"))
    assert alice.seal(b"")[4:20] == bob.seal(b"")[4:20]
    assert not alice.path.opening
    assert not bob.path.opening


def test_a_device_that_has_started_anew_gets_a_session_above_the_one_that_its_peer_holds() -> None:
    alice, bob = pair()
    for _ in range(3):
        shake(alice, bob)
    bob = End(bob.own, ALICE, seed="started anew")
    shake(bob, alice)
    alice.take(bob.seal(b"anew"))
    assert alice.read == [b"anew"]
    alice.take(alice.take(bob.begin()) or b"")
    assert alice.seal(b"")[4:20] == bob.seal(b"")[4:20]


def test_hellos_beyond_a_burst_cost_nothing_and_time_makes_room() -> None:
    _, bob = pair()
    hellos = [End(fleet().device(ALICE), BOB, seed=str(number)).begin() for number in range(HELLO_BURST + 1)]
    answers = [bob.take(hello) for hello in hellos]
    assert [answer is None for answer in answers] == [False] * HELLO_BURST + [True]
    bob.now = Millis(NOW + 10_000)
    assert bob.take(hellos[-1]) is not None


# ── who may ─────────────────────────────────────────────────────────────────────────────────


def body_of(hello: bytes) -> peer_frames.PeerHelloBody:
    """What a hello says, unverified."""
    return peer_frames.read_body(
        peer_frames.read(hello, peer_frames.PeerHello).body, peer_frames.PeerHelloBody
    )


def refused(bob: End, hello: bytes, text: str) -> None:
    """Bob drops a hello for this reason, and says so."""
    reply = bob.take(hello)
    assert reply is not None
    assert reply[0] == peer_frames.Kind.REFUSAL
    assert text in bob.dropped[-1]
    assert not bob.path.ready


def test_a_controller_that_plays_a_device_is_refused_even_when_it_is_called_like_one() -> None:
    controller = fleet().controller(ControllerName("alice"))
    _, bob = pair()
    alice = peer_handshake.hello(fleet().device(ALICE), BOB, Offer(Security()), bob.random)
    body = peer_frames.read(alice.frame, peer_frames.PeerHello).body
    signed = keys.sign(controller.key, Label.PEER_HELLO_SIGNATURE, controller.peer.certificate_hash, body)
    forged = peer_frames.write(peer_frames.PeerHello(body, controller.chain, signed))
    refused(bob, forged, "controller 'alice' speaks as if it were device 'alice'")
    with pytest.raises(Untrusted, match="cannot have a session"):
        Peering(controller, BOB, Security())


def test_another_device_of_the_fleet_cannot_speak_as_the_expected_one() -> None:
    _, bob = pair()
    carol = End(fleet().device(CAROL), BOB)
    refused(bob, carol.begin(), "hello is of 'carol' to 'bob', it came to 'bob' as from 'alice'")
    raw = codec.encode(msgspec.structs.replace(body_of(carol.begin()), initiator="alice"))
    signed = keys.sign(carol.own.key, Label.PEER_HELLO_SIGNATURE, carol.own.peer.certificate_hash, raw)
    lie = peer_frames.write(peer_frames.PeerHello(raw, carol.own.chain, signed))
    refused(bob, lie, "device 'carol' speaks as if it were device 'alice'")


def test_a_hello_for_one_peer_is_refused_by_every_other() -> None:
    alice, _ = pair()
    carol = End(fleet().device(CAROL), ALICE)
    refused(carol, alice.begin(), "hello is of 'alice' to 'bob'")


def test_an_answer_of_another_device_is_dropped_and_the_true_one_still_counts() -> None:
    alice, bob = pair()
    hello = alice.begin()
    carol = End(fleet().device(CAROL), ALICE)
    request = peer_handshake.Request(hello, carol.own, body_of(hello), alice.own.peer, ALICE)
    false = peer_handshake.answer(request, Offer(Security()), now=NOW, random=carol.random)
    alice.take(false.frame)
    assert "device 'carol' speaks as if it were device 'bob'" in alice.dropped[-1]
    alice.take(bob.take(hello) or b"")
    assert alice.path.ready


def test_a_reflected_hello_or_message_gives_nothing() -> None:
    alice, bob = pair()
    refused(End(fleet().device(ALICE), BOB), alice.begin(), "it came to 'alice' as from 'bob'")
    shake(alice, bob)
    alice.take(alice.seal(b"to bob"))
    assert alice.dropped[-1] == "forged"
    assert alice.read == []


def test_another_fleet_is_refused() -> None:
    other = Fleet("elsewhere", name=FleetName("borealis"))
    same_name = Fleet("false aurora")
    _, bob = pair()
    refused(bob, End(other.device(ALICE), BOB).begin(), "another authority")
    refused(bob, End(same_name.device(ALICE), BOB).begin(), "another authority")
    lie = End(same_name.device(ALICE), BOB)
    raw = codec.encode(msgspec.structs.replace(body_of(lie.begin()), authority=fleet().authority.hash))
    signed = keys.sign(lie.own.key, Label.PEER_HELLO_SIGNATURE, lie.own.peer.certificate_hash, raw)
    refused(bob, peer_frames.write(peer_frames.PeerHello(raw, lie.own.chain, signed)), "does not verify")


@pytest.mark.parametrize("place", [0, 1])
def test_a_certificate_on_the_list_of_revocations_is_refused_whether_the_devices_or_its_issuers(
    place: int,
) -> None:
    alice, bob = pair()
    listed = revocation.Revocations(fleet().name, 4, (alice.own.peer.hashes[place],))
    bob.standing = Standing(Millis(0), revocation.sign(listed, fleet().root_key))
    refused(bob, alice.begin(), "revoked (list version 4)")
    alice.take(peer_frames.refusal(alice.begin(), Untrusted("no", code="revoked")))
    assert alice.refused == ["revoked: no"]


def test_a_certificate_that_ended_before_the_earliest_possible_time_is_refused_by_either_side() -> None:
    own = fleet().device(ALICE, days=1)
    alice, bob = End(own, BOB), End(fleet().device(BOB), ALICE)
    bob.standing = Standing(Millis(NOW + 2 * DAY))
    refused(bob, alice.begin(), "the certificate of device 'alice' ended at")
    bob.take(alice.take(bob.begin()) or b"")
    assert "the certificate of device 'alice' ended at" in bob.dropped[-1]


def test_a_device_has_no_session_with_itself() -> None:
    own = fleet().device(ALICE)
    with pytest.raises(Untrusted, match="cannot have a session"):
        Peering(own, ALICE, Security())
    with pytest.raises(Untrusted, match="with itself"):
        peer_handshake.hello(own, ALICE, Offer(Security()), End(own, BOB).random)


# ── identity misbinding, and what the keys depend on ────────────────────────────────────────


def test_an_attacker_who_signs_the_answer_of_another_as_its_own_gains_no_session() -> None:
    """Identity misbinding: carol strips bob's signature and puts hers beside his key agreement."""
    alice = End(fleet().device(ALICE), CAROL)
    bob = End(fleet().device(BOB), ALICE)
    carol = fleet().device(CAROL)
    hello = alice.begin()
    request = peer_handshake.Request(hello, bob.own, body_of(hello), alice.own.peer, ALICE)
    honest = peer_handshake.answer(request, Offer(Security()), now=NOW, random=bob.random)
    body = peer_frames.read(honest.frame, peer_frames.PeerAnswer).body
    parts = (hello, alice.own.peer.certificate_hash, carol.peer.certificate_hash, body)
    signed = keys.sign(carol.key, Label.PEER_ANSWER_SIGNATURE, *parts)
    alice.take(peer_frames.write(peer_frames.PeerAnswer(body, carol.chain, signed)))
    assert alice.path.ready  # alice speaks to carol, who signed ...
    sealed = alice.seal(b"for carol alone")
    bob.path._sessions.propose(honest.session, honest.rank, NOW)
    bob.take(sealed)
    assert bob.dropped == ["forged"]  # ... and bob, who made the secret, cannot be made to read it
    assert bob.read == []


def test_a_preshared_key_enters_the_keys_and_serves_once() -> None:
    key = PresharedKey("k1", b"k" * 32)
    required = Security(require_preshared_key=True)
    alice = End(fleet().device(ALICE), BOB, security=required, ring=Ring([key]))
    bob = End(fleet().device(BOB), ALICE, security=required, ring=Ring([key]))
    shake(alice, bob)
    assert alice.ring.used == bob.ring.used == {"k1"}
    with pytest.raises(PresharedKeyMissing):
        alice.begin()
    wrong = End(fleet().device(ALICE), BOB, ring=Ring([PresharedKey("k1", b"x" * 32)]))
    other = End(fleet().device(BOB), ALICE, ring=Ring([key]))
    wrong.take(other.take(wrong.begin()) or b"")
    other.take(wrong.seal(b"text"))
    assert other.dropped == ["forged"]


def test_a_peer_without_the_key_refuses_and_the_next_key_is_offered() -> None:
    keyed = [PresharedKey("k1", b"1" * 32), PresharedKey("k2", b"2" * 32)]
    alice = End(fleet().device(ALICE), BOB, ring=Ring(keyed))
    bob = End(fleet().device(BOB), ALICE, ring=Ring(keyed, used=["k1"]))
    hello = alice.begin()
    refused(bob, hello, "is unknown or has served")
    alice.take(peer_frames.refusal(hello, Untrusted("used", code="preshared-key")))
    shake(alice, bob)
    assert alice.ring.used == {"k2"}
    plain = End(fleet().device(ALICE), BOB)
    strict = End(fleet().device(BOB), ALICE, security=Security(require_preshared_key=True))
    refused(strict, plain.begin(), "a pre-shared key is required")


def test_suites_that_do_not_meet_are_refused_with_both_lists() -> None:
    alice = End(fleet().device(ALICE), BOB)
    bob = End(fleet().device(BOB), ALICE)
    body = body_of(alice.begin())
    share = msgspec.structs.replace(body.shares[0], suite="qfleet9")
    raw = codec.encode(msgspec.structs.replace(body, shares=(share,)))
    signed = keys.sign(alice.own.key, Label.PEER_HELLO_SIGNATURE, alice.own.peer.certificate_hash, raw)
    refused(bob, peer_frames.write(peer_frames.PeerHello(raw, alice.own.chain, signed)), "none in common")


def test_labels_keep_the_two_handshakes_apart() -> None:
    """A signature of a device for its controller serves in no hello between devices."""
    alice, bob = pair()
    message = peer_frames.read(alice.begin(), peer_frames.PeerHello)
    signed = keys.sign(alice.own.key, Label.HELLO_SIGNATURE, alice.own.peer.certificate_hash, message.body)
    refused(bob, peer_frames.write(msgspec.structs.replace(message, signature=signed)), "does not verify")


def test_secrets_stand_in_no_text() -> None:
    alice, bob = pair()
    shake(alice, bob)
    attempt = peer_handshake.hello(
        alice.own, BOB, Offer(Security(), preshared=PresharedKey("k1", b"k" * 32)), alice.random
    )
    assert "PresharedKey(id='k1')" in repr(attempt)
    assert "kkk" not in repr(attempt)
    assert "alice to bob" in repr(alice.path._sessions.current)


# ── the door ────────────────────────────────────────────────────────────────────────────────


@cache
def valid() -> tuple[bytes, ...]:
    """A real frame of every kind, as they came to bob."""
    alice, bob = pair()
    hello = alice.begin()
    answer = bob.take(hello) or b""
    alice.take(answer)
    return hello, answer, alice.seal(b"text"), peer_frames.refusal(hello, Untrusted("no"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_bytes_raise_and_none_but_the_true_ones_open(data: st.DataObject) -> None:
    alice, bob = pair()
    bob.take(alice.begin())
    frame = bytearray(data.draw(st.sampled_from(valid())))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, max(0, len(frame) - 1)))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "nest"])):
            case "flip" if frame:
                frame[place] ^= data.draw(st.integers(1, 255))
            case "cut":
                del frame[place:]
            case "nest":
                frame[1:1] = b"\x91" * data.draw(st.integers(1, 3000))
            case _:
                frame[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    if bytes(frame) in valid():
        return
    for end in (alice, bob):
        reply = end.take(bytes(frame))
        assert reply is None or reply[0] == peer_frames.Kind.REFUSAL
        assert end.read == []
        assert not end.path.ready


@given(st.binary(max_size=400))
def test_junk_is_dropped_with_a_reason(junk: bytes) -> None:
    alice = End(_alice(), BOB)
    alice.take(junk)
    assert alice.dropped


@cache
def _alice() -> Credentials:
    return fleet().device(ALICE)


def test_what_is_over_the_limit_is_not_looked_at() -> None:
    alice, _ = pair()
    assert alice.take(b"\x30" + bytes(LIMITS.peer_bytes)) is None
    assert alice.dropped == [f"a frame of {LIMITS.peer_bytes + 1} bytes"]
