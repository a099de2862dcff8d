"""Authentication of classical messages by one-time keys, which no computing power forges.

What each way gives. ``sealed``: the peer path carries every message under session keys of X-Wing, so a forger
must break both X25519 and ML-KEM-768, or XChaCha20-Poly1305, while the session runs; a key made then stays
secret even if all of them fall later. ``tagged``: Wegman-Carter tags on top, under key that only this link's
two ends have. A changed, added or missing message then passes with at most 16 ⌈l / 16⌉ / 2^106, where l bytes
were said in its direction, whatever the forger computes. The price is ``KEY_BYTES`` of the link's key for a
session, however many messages it has.

The messages that make a key are tagged together, at the end: each is hashed when it is heard, and one tag
for each direction covers all hashes. No end releases a key before it has seen both tags, so whoever changes
a message on the way gets no more than a session that fails. What settles a session is tagged message by
message.

A hash is Poly1305 (Bernstein, FSE 2005) without its pad, a polynomial modulo 2^130 - 5 at a secret point; a
tag is one at another point plus a pad. Points serve a session, a pad serves one message (Wegman and Carter,
J. Comput. Syst. Sci. 22, 265 (1981)): what is said again is said in the same words.
"""

from typing import Literal, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.poly1305 import Poly1305

from qfleet_agent.qkd.errors import ExchangeForged, ExchangeMisused

Direction: TypeAlias = Literal["from alice", "from bob"]
Purpose: TypeAlias = Literal["transcript", "released", "gone"]

TAG_BYTES = 16
_PART = 16
_PADS: tuple[tuple[Direction, Purpose], ...] = (
    ("from alice", "transcript"),
    ("from alice", "released"),
    ("from alice", "gone"),
    ("from bob", "transcript"),
    ("from bob", "released"),
    ("from bob", "gone"),
)
KEY_BYTES = _PART * (2 + len(_PADS))
"""How much key of the link a session takes: two points and the pads."""


class Tagger:
    """Tags and checks what is said in one session, in both directions.

    Args:
        key: ``KEY_BYTES`` of this link's key that serve nothing else, the same at both ends.

    Raises:
        ExchangeMisused: Where the key has another length.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ExchangeMisused(
                f"{len(key)} bytes of the link's key were given, and {KEY_BYTES} are needed"
            )
        self._hashing, self._tagging = key[:_PART], key[_PART : 2 * _PART]
        self._pads = key[2 * _PART :]

    def hashed(self, message: bytes) -> bytes:
        """The hash of a message, ``TAG_BYTES`` long; nobody but the two ends may see it."""
        return Poly1305.generate_tag(self._hashing + bytes(_PART), message)

    def tag(self, direction: Direction, purpose: Purpose, message: bytes) -> bytes:
        """The tag of the one message of this purpose in this direction."""
        return Poly1305.generate_tag(self._key(direction, purpose), message)

    def check(self, direction: Direction, purpose: Purpose, message: bytes, tag: bytes) -> None:
        """Return only where the message bears its tag.

        Raises:
            ExchangeForged: Where it does not.
        """
        try:
            Poly1305.verify_tag(self._key(direction, purpose), message, tag)
        except InvalidSignature as error:
            raise ExchangeForged(f"the word {purpose!r} {direction} does not bear its tag") from error

    def _key(self, direction: Direction, purpose: Purpose) -> bytes:
        at = _PART * _PADS.index((direction, purpose))
        return self._tagging + self._pads[at : at + _PART]
