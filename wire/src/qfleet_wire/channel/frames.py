"""The outermost layer of what the broker carries: one byte that says what follows, then the rest.

Everything here is unverified. Handshake functions take the raw frame, because signatures and
transcripts cover bytes.
"""

from enum import IntEnum, unique
from typing import Annotated, Final, TypeVar

import msgspec

from qfleet_wire.channel import derivation, framing
from qfleet_wire.channel.framing import Framing
from qfleet_wire.errors import RefusalCode, Refused
from qfleet_wire.limits import LIMITS

PROTOCOL: Final = 1
"""Major version: in every signed body and in every envelope header."""
NONCE_BYTES: Final = 32
SESSION_ID_BYTES: Final = 16

Bytes16 = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]
Text = Annotated[str, msgspec.Meta(max_length=256)]
Chain = Annotated[tuple[bytes, ...], msgspec.Meta(max_length=LIMITS.certificate_chain)]


@unique
class Kind(IntEnum):
    """First byte of a frame."""

    ENROL_REQUEST = 0x01
    ENROL_ANSWER = 0x02
    HELLO = 0x10
    ANSWER = 0x11
    RESUME = 0x12
    RESUME_ANSWER = 0x13
    CALL = 0x1E
    REFUSAL = 0x1F
    SEALED = 0x20


class EnrolRequest(msgspec.Struct, frozen=True):
    """A device's request to join; ``sealed`` is for the enrolment key (``enrolment.Application``)."""

    version: Number
    token_id: Bytes16
    sealed: bytes


class EnrolAnswer(msgspec.Struct, frozen=True):
    """The answer to a request with this SHA-256; ``sealed`` is for the reply key."""

    request: Bytes32
    sealed: bytes


class Share(msgspec.Struct, frozen=True, array_like=True):
    """A suite that a device offers, and its ephemeral public key for it."""

    suite: Text
    public_key: bytes


class HelloBody(msgspec.Struct, frozen=True):
    """What a device signs. ``shares`` is the suite list; ``preshared`` is None or a key's id."""

    version: Number
    shares: Annotated[tuple[Share, ...], msgspec.Meta(min_length=1, max_length=LIMITS.suites)]
    fleet: Text
    region: Text
    device: Text
    authority: Bytes32
    boot_id: Text
    nonce: Bytes32
    preshared: Text | None


class Hello(msgspec.Struct, frozen=True):
    """First message of a handshake: an encoded ``HelloBody``, who says it, and the signature."""

    body: bytes
    chain: Chain
    signature: bytes


class AnswerBody(msgspec.Struct, frozen=True):
    """What a controller signs, or proves under a resumption secret.

    ``request`` is the SHA-256 of the frame that is answered, ``time`` the controller's clock,
    ``epoch`` its region lease's, ``revocations`` an encoded ``revocation.RevocationList`` or empty.
    """

    request: Bytes32
    suite: Text
    session: Bytes16
    ciphertext: bytes
    time: Number
    epoch: Number
    revocations: bytes
    nonce: Bytes32
    preshared: Text | None


class Answer(msgspec.Struct, frozen=True):
    """Second message of a handshake: an encoded ``AnswerBody``, who says it, and the signature."""

    body: bytes
    chain: Chain
    signature: bytes


class ResumeBody(msgspec.Struct, frozen=True):
    """What a device proves under its resumption secret, which ``secret_id`` names."""

    version: Number
    share: Share
    fleet: Text
    region: Text
    device: Text
    authority: Bytes32
    boot_id: Text
    nonce: Bytes32
    secret_id: Bytes16


class Resume(msgspec.Struct, frozen=True):
    """First message of a resumption: an encoded ``ResumeBody`` and its MAC."""

    body: bytes
    proof: Bytes32


class ResumeAnswer(msgspec.Struct, frozen=True):
    """Second message of a resumption: an encoded ``AnswerBody`` and its MAC."""

    body: bytes
    proof: Bytes32


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """An unauthenticated hint that the request with this SHA-256 was refused.

    Anyone can send one: a device may try another way sooner, and drops nothing because of it. With
    code ``rate``, ``after_ms`` is when the same request will find room; 0 says nothing.
    """

    request: Bytes32
    code: RefusalCode
    text: Annotated[str, msgspec.Meta(max_length=512)]
    after_ms: Number = 0


class Call(msgspec.Struct, frozen=True):
    """An unauthenticated call to say something at a random moment of the next ``within_ms``.

    A controller that takes a region over sends it, because it has no session with anyone: what the
    device then sends shows whether its session still stands. Anyone can send one: a device answers
    now and then, with a message that it would have sent anyway.
    """

    version: Number
    within_ms: Number


Message = EnrolRequest | EnrolAnswer | Hello | Answer | Resume | ResumeAnswer | Call | Refusal

TYPES: Final[dict[Kind, type[Message]]] = {
    Kind.ENROL_REQUEST: EnrolRequest,
    Kind.ENROL_ANSWER: EnrolAnswer,
    Kind.HELLO: Hello,
    Kind.ANSWER: Answer,
    Kind.RESUME: Resume,
    Kind.RESUME_ANSWER: ResumeAnswer,
    Kind.CALL: Call,
    Kind.REFUSAL: Refusal,
}

_framing: Final = Framing(TYPES)

M = TypeVar("M", bound=Message)
B = TypeVar("B", HelloBody, AnswerBody, ResumeBody)


def write(message: Message) -> bytes:
    """Encode a message as a frame."""
    return _framing.write(message)


def read(frame: bytes, kind: type[M]) -> M:
    """Decode a frame that must be of this kind and encoded as ``write`` does it.

    Raises:
        Refused: another kind, too long, or not decodable (code ``invalid``).
    """
    return _framing.read(frame, kind)


def read_body(body: bytes, kind: type[B]) -> B:
    """Decode the signed part of a message; raises ``Refused`` (code ``invalid``)."""
    return framing.decode(body, kind)


def frame_hash(frame: bytes) -> bytes:
    """SHA-256 of a frame: what an answer or a refusal refers to."""
    return derivation.plain_hash(frame)


def refusal(request: bytes, error: Refused, *, after_ms: int = 0) -> bytes:
    """Answer the frame ``request`` with the reason why it was refused, and when to come again."""
    return write(Refusal(frame_hash(request), error.code, str(error)[:512], after_ms))


def call(within_ms: int) -> bytes:
    """Call a device."""
    return write(Call(PROTOCOL, within_ms))
