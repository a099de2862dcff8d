"""What two devices said to each other when it was frozen verifies, opens and encodes as it did."""

import base64
import json
from pathlib import Path

from tests.simulation.peer_fleet import ALICE, BOB
from tests.simulation.wire_fleet import FLEET, NOW
from tests.vectors.wire import generate

from qfleet_wire import codec
from qfleet_wire.channel import authority, frames, peer_frames, peer_handshake, session, xwing
from qfleet_wire.channel.identity import DeviceIdentity
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.channel.peer_handshake import Attempt, Offer
from qfleet_wire.channel.peer_sessions import Rank
from qfleet_wire.names import Millis
from qfleet_wire.profile import Security

FROZEN = {
    name: base64.b64decode(text, validate=True)
    for name, text in json.loads((Path(__file__).parent / "wire" / "peers.json").read_text()).items()
}
STANDING = Standing(Millis(0))


def own(who: str) -> authority.Credentials:
    raw, framed, chain = FROZEN["record"], FROZEN[f"{who}_chain"], []
    while framed:
        length = int.from_bytes(framed[:4], "big")
        chain.append(framed[4 : 4 + length])
        framed = framed[4 + length :]
    trusted = authority.read_record(raw, authority.record_hash(raw))
    return authority.credentials(FROZEN[f"{who}_seed"], tuple(chain), trusted)


def test_the_hello_verifies_and_its_body_encodes_identically() -> None:
    request = peer_handshake.examine(own("bob"), FROZEN["hello"], ALICE, STANDING)
    assert request.peer.identity == DeviceIdentity(FLEET, ALICE)
    assert request.body.preshared == "k1"
    message = peer_frames.read(FROZEN["hello"], peer_frames.PeerHello)
    assert codec.encode(request.body) == message.body
    assert peer_frames.write(message) == FROZEN["hello"]


def test_the_answer_verifies_and_its_session_opens_and_seals_what_is_frozen() -> None:
    share = xwing.private_key(FROZEN["hello_share_seed"])
    offer = Offer(Security(), 0, generate.PRESHARED)
    attempt = Attempt(FROZEN["hello"], own("alice"), BOB, {"qfleet1": share}, offer)
    held, rank = peer_handshake.finish(attempt, FROZEN["answer"], STANDING, now=NOW)
    assert rank == Rank(1, first=True)
    opened = held.open(FROZEN["sealed_to_alice"], NOW)
    assert isinstance(opened, session.Opened)
    assert opened.plaintext == b"a message to alice"
    nonce = FROZEN["sealed_to_bob"][28:52]
    assert held.seal(b"a message to bob", now=NOW, random=lambda _: nonce) == FROZEN["sealed_to_bob"]
    body = peer_frames.read(FROZEN["answer"], peer_frames.PeerAnswer).body
    assert codec.encode(peer_frames.read_body(body, peer_frames.PeerAnswerBody)) == body


def test_the_refusal_reads_and_encodes_identically() -> None:
    refusal = peer_frames.read(FROZEN["refusal"], frames.Refusal)
    assert refusal == frames.Refusal(frames.frame_hash(FROZEN["hello"]), "suite", "no")
    assert peer_frames.write(refusal) == FROZEN["refusal"]


def test_every_kind_is_frozen_and_none_is_a_kind_of_the_channel_to_a_controller() -> None:
    names = ("hello", "answer", "refusal", "sealed_to_bob")
    assert {FROZEN[name][0] for name in names} == set(peer_frames.Kind)
    assert not set(map(int, peer_frames.Kind)) & set(map(int, frames.Kind))


def test_the_generator_still_makes_the_same_from_the_same_seeds() -> None:
    fresh = generate.peers()
    assert fresh.keys() == FROZEN.keys()
    assert all(fresh[name] == FROZEN[name] for name in fresh if name.endswith("_seed"))
