"""The handshake of two devices, end to end under their own certificates; controllers only carry it.

Like that of a device with its controller: the hello offers ephemeral keys and is signed, the answer
carries a KEM ciphertext and a signature over both messages, and the hashes of both certificates enter
the keys. Either device may begin. There is no resumption: devices that have lost their session shake hands.

What a device knows of another: that the fleet's authority issued its certificate to it as a device, that
neither this nor its issuer's is on the root's list of revocations as far as a controller has told it, and
that it has not ended before the earliest time that it can be. That a device was revoked in the control
plane's table it cannot know; the controllers know, and carry nothing to or from it any more.
"""

from dataclasses import dataclass, field
from typing import Final

from qfleet_wire import codec
from qfleet_wire.channel import chains, keys, peer_frames, revocation, schedule, suites
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.frames import NONCE_BYTES, PROTOCOL, SESSION_ID_BYTES, Share, frame_hash
from qfleet_wire.channel.identity import DeviceIdentity
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.peer_sessions import Rank, rank
from qfleet_wire.channel.preshared import PresharedKey, agree_on
from qfleet_wire.channel.session import PeerBinding, Role, Secrets, Session, Terms
from qfleet_wire.channel.suites import PrivateShare
from qfleet_wire.errors import AnotherAnswer, PresharedKeyMissing, Refused, Untrusted
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.profile import Security

_NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Offer:
    """What a device brings to a handshake beside its credentials.

    ``generation`` is that of its current session with the peer; ``preshared`` is the key to mix in.
    """

    security: Security
    generation: int = 0
    preshared: PresharedKey | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A hello that waits for its answer. Send ``frame`` again, unchanged, while it waits."""

    frame: bytes = field(repr=False)
    own: Credentials = field(repr=False)
    peer: DeviceName
    shares: dict[str, PrivateShare] = field(repr=False)
    offer: Offer


@dataclass(frozen=True, slots=True)
class Request:
    """A hello whose signature and names have been verified."""

    frame: bytes = field(repr=False)
    own: Credentials = field(repr=False)
    body: peer_frames.PeerHelloBody = field(repr=False)
    peer: chains.Peer
    device: DeviceName


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and the session that counts once its first message opens: propose it, then send."""

    frame: bytes = field(repr=False)
    session: Session
    rank: Rank


def hello(own: Credentials, peer: DeviceName, offer: Offer, random: Random) -> Attempt:
    """Begin a handshake with the device ``peer``.

    Raises:
        SuiteUnavailable: none of the suites that are accepted works here.
        PresharedKeyMissing: one is required and none is offered.
        Untrusted: our own credentials are no device's, or ``peer`` is ourselves.
    """
    identity = _ours(own, peer)
    if offer.security.require_preshared_key and offer.preshared is None:
        raise PresharedKeyMissing
    shares = suites.offer(offer.security.suites, random)
    body = codec.encode(
        peer_frames.PeerHelloBody(
            version=PROTOCOL,
            shares=tuple(Share(name, share.public) for name, share in shares.items()),
            fleet=identity.fleet,
            initiator=identity.device,
            responder=peer,
            authority=own.authority.hash,
            nonce=random(NONCE_BYTES),
            generation=offer.generation,
            preshared=_id(offer),
        )
    )
    signature = keys.sign(own.key, Label.PEER_HELLO_SIGNATURE, own.peer.certificate_hash, body)
    frame = peer_frames.write(peer_frames.PeerHello(body, own.chain, signature))
    return Attempt(frame, own, peer, shares, offer)


def examine(own: Credentials, frame: bytes, peer: DeviceName, standing: Standing) -> Request:
    """Verify a hello that is said to come from ``peer``.

    Raises:
        Refused: it does not decode; ``Untrusted`` when it is not that device's, or not for this one.
    """
    message = peer_frames.read(frame, peer_frames.PeerHello)
    body = peer_frames.read_body(message.body, peer_frames.PeerHelloBody)
    _check_scope(own, body, peer)
    who = _judge(own, message.chain, peer, standing)
    keys.verify(who.key, message.signature, Label.PEER_HELLO_SIGNATURE, who.certificate_hash, message.body)
    return Request(frame, own, body, who, peer)


def answer(request: Request, offer: Offer, *, now: Millis, random: Random) -> Answered:
    """Answer a verified hello; the key that it asks for was taken off the ring and stands in ``offer``.

    Raises:
        Refused: no common suite; a pre-shared key that is required, unknown or used.
        SuiteUnavailable: no accepted suite works here.
    """
    own, asked = request.own, request.body
    agree_on(asked.preshared, offer.preshared, required=offer.security.require_preshared_key)
    offered = {share.suite: share.public_key for share in asked.shares}
    suite = suites.choose(tuple(offered), offer.security.suites)
    agreed = suite.encapsulate(offered[suite.name], random)
    body = peer_frames.PeerAnswerBody(
        request=frame_hash(request.frame),
        suite=suite.name,
        session=random(SESSION_ID_BYTES),
        ciphertext=agreed.ciphertext,
        nonce=random(NONCE_BYTES),
        generation=max(asked.generation, offer.generation) + 1,
        preshared=asked.preshared,
    )
    raw = codec.encode(body)
    theirs, ours = request.peer.certificate_hash, own.peer.certificate_hash
    signature = keys.sign(own.key, Label.PEER_ANSWER_SIGNATURE, request.frame, theirs, ours, raw)
    transcript = schedule.peer_transcript(request.frame, theirs, raw, ours)
    secrets = schedule.derive_peer(transcript, schedule.Inputs(agreed.secret, _key(offer)))
    binding = PeerBinding(suite.number, body.session, request.device, _ours(own, request.device).device)
    frame = peer_frames.write(peer_frames.PeerAnswer(raw, own.chain, signature))
    session = _session("responder", secrets, binding, now)
    return Answered(frame, session, rank(body.generation, binding.initiator, binding.responder))


def finish(attempt: Attempt, frame: bytes, standing: Standing, *, now: Millis) -> tuple[Session, Rank]:
    """Judge the answer to a hello; one that does not verify leaves the attempt as it was.

    Raises:
        AnotherAnswer: it answers another hello.
        Untrusted: wrong signature, role, fleet or device; a revoked or outdated certificate; a suite,
            a generation or a pre-shared key that was not offered.
        Refused: it does not decode.
    """
    message = peer_frames.read(frame, peer_frames.PeerAnswer)
    body = peer_frames.read_body(message.body, peer_frames.PeerAnswerBody)
    if body.request != frame_hash(attempt.frame):
        raise AnotherAnswer
    own = attempt.own
    who = _judge(own, message.chain, attempt.peer, standing)
    ours, theirs = own.peer.certificate_hash, who.certificate_hash
    signed = (attempt.frame, ours, theirs, message.body)
    keys.verify(who.key, message.signature, Label.PEER_ANSWER_SIGNATURE, *signed)
    _check_offer(attempt, body)
    transcript = schedule.peer_transcript(attempt.frame, ours, message.body, theirs)
    agreed = attempt.shares[body.suite].decapsulate(body.ciphertext)
    secrets = schedule.derive_peer(transcript, schedule.Inputs(agreed, _key(attempt.offer)))
    number = suites.SUITES[body.suite].number
    binding = PeerBinding(number, body.session, _ours(own, attempt.peer).device, attempt.peer)
    session = _session("initiator", secrets, binding, now)
    return session, rank(body.generation, binding.initiator, binding.responder)


def _check_offer(attempt: Attempt, body: peer_frames.PeerAnswerBody) -> None:
    if body.suite not in attempt.shares:
        raise Untrusted(f"the peer chose suite {body.suite!r}, which was not offered", code="suite")
    if body.preshared != _id(attempt.offer):
        raise Untrusted("the peer changed the pre-shared key", code="preshared-key")
    if body.generation <= attempt.offer.generation:
        raise Untrusted(f"the peer answers with a session of generation {body.generation}, no new one")


def _judge(own: Credentials, chain: tuple[bytes, ...], peer: DeviceName, standing: Standing) -> chains.Peer:
    """Verify who speaks: ``peer`` and nobody else, as far as a device can know."""
    who = chains.verify(chain, own.authority.root)
    if not isinstance(who.identity, DeviceIdentity):
        raise Untrusted(f"controller {who.identity.controller!r} speaks as if it were device {peer!r}")
    if who.identity.device != peer:
        raise Untrusted(f"device {who.identity.device!r} speaks as if it were device {peer!r}")
    revocation.check(standing.revocations, own.authority.root, *who.hashes)
    if who.validity.not_after < standing.bound:
        raise Untrusted(
            f"the certificate of device {peer!r} ended at {who.validity.not_after}, it is at least "
            f"{standing.bound} (ms since 1970)",
            code="expired",
        )
    return who


def _check_scope(own: Credentials, body: peer_frames.PeerHelloBody, peer: DeviceName) -> None:
    identity = _ours(own, peer)
    if body.version != PROTOCOL:
        raise Refused(f"protocol version {body.version} is not spoken here", code="invalid")
    if (body.fleet, body.authority) != (identity.fleet, own.authority.hash):
        raise Untrusted(f"hello is for fleet {body.fleet[:80]!r} under another authority")
    if (body.initiator, body.responder) != (peer, identity.device):
        raise Untrusted(
            f"hello is of {body.initiator[:80]!r} to {body.responder[:80]!r}, "
            f"it came to {identity.device!r} as from {peer!r}"
        )


def _ours(own: Credentials, peer: DeviceName) -> DeviceIdentity:
    if not isinstance(own.identity, DeviceIdentity):
        raise Untrusted("a controller's credentials cannot speak to a device as a device")
    if own.identity.device == peer:
        raise Untrusted(f"device {peer!r} cannot have a session with itself")
    return own.identity


def _id(offer: Offer) -> str | None:
    return offer.preshared.id if offer.preshared else None


def _key(offer: Offer) -> bytes:
    return offer.preshared.key if offer.preshared else b""


def _session(role: Role, secrets: Secrets, binding: PeerBinding, now: Millis) -> Session:
    # The next handshake rekeys: within a session only the count of messages moves the phase.
    return Session(role, secrets, binding, Terms(Millis(_NEVER), rekey_ms=_NEVER), now=now)
