"""Authentication of classical messages by one-time keys, which no computing power forges.

What each way gives. ``sealed``: the peer path carries every message under session keys of X-Wing, so a forger
must break both X25519 and ML-KEM-768, or XChaCha20-Poly1305, while the session runs; key made then stays
secret even if all of them fall later. ``tagged`` adds a Wegman-Carter tag under key that only this link's two
ends have: one forgery passes with at most 8 ⌈l / 16⌉ / 2^106 for a message of l bytes, whatever the
forger computes, at the price of 16 bytes of key for each message.

The tag is Poly1305 (Bernstein, FSE 2005), a polynomial at a point r modulo 2^130 - 5 plus a pad: r is kept
for a session, and each message has a pad of its own, as in Wegman and Carter, J. Comput. Syst. Sci. 22, 265
(1981). A pad never meets a second message: it belongs to the direction and the message's number, and a
message that is sent again is sent as it was.
"""

from typing import Literal, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.poly1305 import Poly1305

from qfleet_agent.qkd.errors import ExchangeForged, ExchangeMisused

Direction: TypeAlias = Literal["from alice", "from bob"]

TAG_BYTES = 16
_POINT_BYTES = 16


def key_bytes(messages: int) -> int:
    """How much key tags of ``messages`` messages in each direction take, in bytes."""
    return _POINT_BYTES + 2 * TAG_BYTES * messages


class Tagger:
    """Tags and checks the messages of one session, in both directions.

    Args:
        key: Key of this link that serves nothing else, the same at both ends: ``key_bytes`` says how much.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < key_bytes(1):
            raise ExchangeMisused(f"{len(key)} bytes of key are too few for one tag in each direction")
        self._point = key[:_POINT_BYTES]
        self._pads = key[_POINT_BYTES:]

    @property
    def messages(self) -> int:
        """How many messages in each direction the key is enough for."""
        return len(self._pads) // (2 * TAG_BYTES)

    def tag(self, direction: Direction, number: int, message: bytes) -> bytes:
        """The tag of a message, ``number`` counting from 0 in its direction.

        Raises:
            ExchangeMisused: Where the key does not reach so far.
        """
        return Poly1305.generate_tag(self._key(direction, number), message)

    def check(self, direction: Direction, number: int, message: bytes, tag: bytes) -> None:
        """Return only where the message bears its tag.

        Raises:
            ExchangeForged: Where it does not, or has a number that no message can have.
        """
        try:
            Poly1305.verify_tag(self._key(direction, number), message, tag)
        except (InvalidSignature, ExchangeMisused) as error:
            raise ExchangeForged(f"message {number} {direction} does not bear its tag") from error

    def _key(self, direction: Direction, number: int) -> bytes:
        if not 0 <= number < self.messages:
            raise ExchangeMisused(f"the key of the link is enough for {self.messages} messages each way")
        at = TAG_BYTES * (2 * number + (direction == "from bob"))
        return self._point + self._pads[at : at + TAG_BYTES]
