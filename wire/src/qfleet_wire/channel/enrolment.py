"""Joining a fleet with a one-time token.

The device seals its request to the fleet's enrolment key (HPKE with X-Wing) and proves the token's
secret by a MAC; the secret itself never travels. The controller looks at token id and rate limit
before it decapsulates, decides from the token's state, and seals its answer to the reply key.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from qfleet_wire import codec
from qfleet_wire.channel import authority as authorities
from qfleet_wire.channel import certificates, derivation, frames, invitation, xwing
from qfleet_wire.channel.authority import Authority, Credentials
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.frames import Bytes32
from qfleet_wire.channel.identity import DeviceIdentity
from qfleet_wire.channel.invitation import JoinToken
from qfleet_wire.channel.labels import Label
from qfleet_wire.errors import (
    AnotherAnswer,
    EnrolmentRefused,
    InvalidMessage,
    LimitExceeded,
    Refused,
    Untrusted,
)
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import Millis

_HPKE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


class Facts(msgspec.Struct, frozen=True):
    """What a device says of its hardware when it joins. Shown to people, decides nothing."""

    machine: str
    model: str
    cores: int
    memory_bytes: int
    agent_version: str
    profile: str


class Application(msgspec.Struct, frozen=True):
    """What is sealed in a request. ``facts`` are encoded; ``proof`` covers all under the token's secret."""

    csr: bytes
    facts: bytes
    reply_key: bytes
    proof: Bytes32


class Grant(msgspec.Struct, frozen=True, tag="grant"):
    """A device is in: its chain, its broker login, its region, the revocation list, the time."""

    chain: frames.Chain
    login: str
    password: str
    region: str
    revocations: bytes
    time: Millis

    def __repr__(self) -> str:
        """Leave out the password."""
        return f"Grant({self.region}, login={self.login!r}, …)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Leave out the password."""
        return [("", repr(self))]


class Denial(msgspec.Struct, frozen=True, tag="denial"):
    """A device is not in, and what to do."""

    reason: str


class Reply(msgspec.Struct, frozen=True):
    """What is sealed in an answer: an encoded ``Grant`` or ``Denial`` and the controller's proof."""

    body: bytes
    proof: Bytes32

    def __repr__(self) -> str:
        """Leave out the body: a grant has a password."""
        return f"Reply({len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that waits for its answer. The key and CSR were stored before it was made."""

    frame: bytes = field(repr=False)
    token: JoinToken
    authority: Authority
    reply: xwing.PrivateKey


@dataclass(frozen=True, slots=True)
class Request:
    """A request that proved the token's secret."""

    frame: bytes = field(repr=False)
    token_id: bytes
    csr: bytes = field(repr=False)
    csr_hash: bytes
    public_key: MLDSA65PublicKey = field(repr=False)
    facts: Facts
    reply_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenState:
    """What a controller stores of a token. ``used_by`` is the SHA-256 of the CSR it was used for."""

    expires: Millis
    used_by: bytes | None = None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """The token is not good; the reason may be told to whoever proved its secret."""

    reason: str


Decision: TypeAlias = Literal["issue", "same-answer", "alarm"] | Refuse


# ── the device's side ───────────────────────────────────────────────────────────────────────


def request(token: JoinToken, authority: Authority, csr: bytes, facts: Facts, random: Random) -> Attempt:
    """Make a request. Asking again with the same CSR is always safe."""
    reply = xwing.generate(random)
    encoded = codec.encode(facts)
    proof = _request_proof(_key(token), authority.hash, csr, encoded, reply.public)
    sealed = _HPKE.encrypt(
        codec.encode(Application(csr, encoded, reply.public, proof)),
        xwing.hpke_public_key(authority.enrolment_key),
        _request_info(authority.hash, token.token_id),
    )
    frame = frames.write(frames.EnrolRequest(frames.PROTOCOL, token.token_id, sealed))
    return Attempt(frame, token, authority, reply)


def accept(attempt: Attempt, frame: bytes, seed: bytes) -> tuple[Grant, Credentials]:
    """Open the answer to a request and check the certificate it grants; ``seed`` is the device's key.

    Raises:
        AnotherAnswer: it answers another request.
        EnrolmentRefused: an authentic denial, with the controller's reason.
        Untrusted: not sealed to us, not proven, or for another device, key or region.
    """
    message = frames.read(frame, frames.EnrolAnswer)
    request_hash = frames.frame_hash(attempt.frame)
    if message.request != request_hash:
        raise AnotherAnswer
    authority, token = attempt.authority, attempt.token
    info = _answer_info(authority.hash, request_hash)
    reply = _decode(_decrypt(message.sealed, attempt.reply, info), Reply)
    if not derivation.proves(
        reply.proof, _key(token), Label.ENROLMENT_ANSWER_PROOF, authority.hash, request_hash, reply.body
    ):
        raise Untrusted("the answer to an enrolment does not prove the token's secret")
    outcome = _read_outcome(reply.body)
    if isinstance(outcome, Denial):
        raise EnrolmentRefused(outcome.reason)
    if outcome.region != token.region:
        raise Untrusted(f"enrolled in region {outcome.region[:80]!r}, the token says {token.region!r}")
    own = authorities.credentials(seed, outcome.chain, authority)
    if own.identity != DeviceIdentity(token.fleet, token.device):
        raise Untrusted("the granted certificate is another device's")
    return outcome, own


# ── the controller's side ───────────────────────────────────────────────────────────────────


def token_id(frame: bytes) -> bytes:
    """Return a request's token id, before anything costly is done with it; raises ``Refused``."""
    message = frames.read(frame, frames.EnrolRequest)
    if message.version != frames.PROTOCOL:
        raise Refused(f"protocol version {message.version} is not spoken here", code="invalid")
    return message.token_id


def open_request(
    frame: bytes, authority: Authority, enrolment_key: xwing.PrivateKey, token_key: bytes
) -> Request:
    """Open a request whose token is known and within its rate; ``token_key`` is what is stored of it.

    Raises:
        Refused: not sealed for this fleet and token, the secret is not proven, or a bad CSR.
    """
    message = frames.read(frame, frames.EnrolRequest)
    info = _request_info(authority.hash, message.token_id)
    application = _decode(_decrypt(message.sealed, enrolment_key, info), Application)
    parts = application.csr, application.facts, application.reply_key
    if not derivation.proves(
        application.proof, token_key, Label.ENROLMENT_REQUEST_PROOF, authority.hash, *parts
    ):
        raise Untrusted("the request does not prove the token's secret", code="token")
    return Request(
        frame,
        message.token_id,
        application.csr,
        derivation.plain_hash(application.csr),
        certificates.read_request(application.csr),
        _decode(application.facts, Facts),
        application.reply_key,
    )


def decide(token: TokenState | None, csr_hash: bytes, now: Millis) -> Decision:
    """Decide about a request that proved its token's secret. Pure; consume the token atomically.

    ``issue``: first use, store ``csr_hash`` and the answer in one transaction, only then send.
    ``same-answer``: the reply may have been lost, send the stored answer, expired or not.
    ``alarm``: somebody else knows the secret; answer nothing that helps them.
    """
    if token is None:
        return Refuse("the token is unknown: invite the device again")
    if token.used_by is not None:
        return "same-answer" if token.used_by == csr_hash else "alarm"
    if token.withdrawn:
        return Refuse("the token was withdrawn: invite the device again")
    if now > token.expires:
        return Refuse("the token has expired: invite the device again")
    return "issue"


def answer(request: Request, authority: Authority, token_key: bytes, outcome: Grant | Denial) -> bytes:
    """Seal a grant or a denial to the request's reply key, proven under the token's secret.

    Raises:
        Refused: the reply key is not valid.
    """
    request_hash = frames.frame_hash(request.frame)
    body = codec.encode(outcome)
    proof = derivation.proof(token_key, Label.ENROLMENT_ANSWER_PROOF, authority.hash, request_hash, body)
    sealed = _HPKE.encrypt(
        codec.encode(Reply(body, proof)),
        xwing.hpke_public_key(request.reply_key),
        _answer_info(authority.hash, request_hash),
    )
    return frames.write(frames.EnrolAnswer(request_hash, sealed))


# ── shared ──────────────────────────────────────────────────────────────────────────────────


def _key(token: JoinToken) -> bytes:
    return invitation.token_key(token.secret, token.token_id)


def _request_proof(key: bytes, authority: bytes, csr: bytes, facts: bytes, reply_key: bytes) -> bytes:
    return derivation.proof(key, Label.ENROLMENT_REQUEST_PROOF, authority, csr, facts, reply_key)


def _request_info(authority: bytes, token: bytes) -> bytes:
    return derivation.framed((Label.ENROLMENT_REQUEST_SEAL, authority, token))


def _answer_info(authority: bytes, request_hash: bytes) -> bytes:
    return derivation.framed((Label.ENROLMENT_ANSWER_SEAL, authority, request_hash))


def _decrypt(sealed: bytes, key: xwing.PrivateKey, info: bytes) -> bytes:
    try:
        return _HPKE.decrypt(sealed, key.for_hpke(), info)
    except (InvalidTag, ValueError) as error:
        raise Untrusted("an enrolment message is not sealed for this side") from error


def _read_outcome(body: bytes) -> Grant | Denial:
    try:
        outcome: Grant | Denial = _outcome_decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Untrusted("an enrolment answer does not decode") from error
    return outcome


_outcome_decoder: Final = msgspec.msgpack.Decoder(Grant | Denial)


T = TypeVar("T")


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return codec.decode(data, kind, limit=LIMITS.hello_bytes)
    except (InvalidMessage, LimitExceeded) as error:
        raise Refused(f"an enrolment message does not decode: {error}", code="invalid") from error
