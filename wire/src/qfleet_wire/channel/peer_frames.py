"""The outer layer of what two devices say to each other, as controllers forward it: unverified bytes.

Kinds of their own, so that no frame of a device's channel to its controller is taken for one of these.
"""

from enum import IntEnum, unique
from typing import Annotated, Final, TypeVar

import msgspec

from qfleet_wire.channel import framing
from qfleet_wire.channel.frames import Bytes16, Bytes32, Chain, Number, Refusal, Share, Text, frame_hash
from qfleet_wire.channel.framing import Framing
from qfleet_wire.errors import Refused
from qfleet_wire.limits import LIMITS


@unique
class Kind(IntEnum):
    """First byte of a frame between devices."""

    HELLO = 0x30
    ANSWER = 0x31
    REFUSAL = 0x3F
    SEALED = 0x40


class PeerHelloBody(msgspec.Struct, frozen=True):
    """What the beginning device signs.

    ``generation`` is that of its current session (``peer_sessions``), 0 without one; ``preshared`` is None
    or the id of a key that both hold.
    """

    version: Number
    shares: Annotated[tuple[Share, ...], msgspec.Meta(min_length=1, max_length=LIMITS.suites)]
    fleet: Text
    initiator: Text
    responder: Text
    authority: Bytes32
    nonce: Bytes32
    generation: Number
    preshared: Text | None


class PeerHello(msgspec.Struct, frozen=True):
    """First message: an encoded ``PeerHelloBody``, who says it, and the signature."""

    body: bytes
    chain: Chain
    signature: bytes


class PeerAnswerBody(msgspec.Struct, frozen=True):
    """What the answering device signs; ``request`` is the SHA-256 of the hello's frame.

    ``generation`` is the new session's, above that of any that either device holds.
    """

    request: Bytes32
    suite: Text
    session: Bytes16
    ciphertext: bytes
    nonce: Bytes32
    generation: Number
    preshared: Text | None


class PeerAnswer(msgspec.Struct, frozen=True):
    """Second message: an encoded ``PeerAnswerBody``, who says it, and the signature."""

    body: bytes
    chain: Chain
    signature: bytes


Message = PeerHello | PeerAnswer | Refusal

TYPES: Final[dict[Kind, type[Message]]] = {
    Kind.HELLO: PeerHello,
    Kind.ANSWER: PeerAnswer,
    Kind.REFUSAL: Refusal,
}
_framing: Final = Framing(TYPES)

M = TypeVar("M", PeerHello, PeerAnswer, Refusal)
B = TypeVar("B", PeerHelloBody, PeerAnswerBody)


def write(message: Message) -> bytes:
    """Encode a message as a frame."""
    return _framing.write(message)


def read(frame: bytes, kind: type[M]) -> M:
    """Decode a frame that must be of this kind; raises ``Refused`` (code ``invalid``)."""
    return _framing.read(frame, kind)


def read_body(body: bytes, kind: type[B]) -> B:
    """Decode the signed part of a message; raises ``Refused`` (code ``invalid``)."""
    return framing.decode(body, kind)


def refusal(request: bytes, error: Refused) -> bytes:
    """Say why a hello was refused: an unauthenticated hint, because of which nothing is dropped."""
    return write(Refusal(frame_hash(request), error.code, str(error)[:512]))
