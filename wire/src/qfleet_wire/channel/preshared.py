"""Pre-shared keys: an optional second input to a handshake, each used once.

A key that serves twice could be replayed into; so a controller takes it off the ring before it
answers, a device before it sends under the session, and either stores ``used`` first. A hello that
nobody has answered has used no key: the device may offer the same one in the next.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from qfleet_wire.errors import InvalidKey, Refused

KEY_BYTES: Final = 32
DELIVERED: Final = "qkd:"
"""Before the ID of a key that both sides take from key deliveries; no id in a file can begin so."""
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class PresharedKey:
    """A key of 32 bytes and the id by which both sides know it; the id travels in clear."""

    id: str
    key: bytes = field(repr=False)


class Ring:
    """Pre-shared keys in order, and which of them have served."""

    __slots__ = ("_keys", "_used")

    def __init__(self, keys: Iterable[PresharedKey], used: Iterable[str] = ()) -> None:
        self._keys = {key.id: key for key in keys}
        self._used = set(used)

    @property
    def used(self) -> frozenset[str]:
        """Ids that have served and must be stored, so that they never serve again."""
        return frozenset(self._used)

    @property
    def unused(self) -> tuple[PresharedKey, ...]:
        """Keys that have not served, in order (device side)."""
        return tuple(key for key in self._keys.values() if key.id not in self._used)

    def next(self) -> PresharedKey | None:
        """Take the first unused key, or None when there is none (device side)."""
        return self.take(self.unused[0].id) if self.unused else None

    def take(self, key_id: str) -> PresharedKey | None:
        """Take a key by its id; None if it is unknown or has served."""
        if key_id in self._used or key_id not in self._keys:
            return None
        self._used.add(key_id)
        return self._keys[key_id]


def agree_on(asked: str | None, held: PresharedKey | None, *, required: bool) -> None:
    """Check the key that a hello asks for against the one that was taken off the ring for it.

    Raises:
        Refused: one is required and none asked for; or the id is unknown or has served.
    """
    if required and asked is None:
        raise Refused("a pre-shared key is required", code="preshared-key")
    if asked != (held.id if held else None):
        raise Refused(f"pre-shared key {str(asked)[:80]!r} is unknown or has served", code="preshared-key")


def read(text: str) -> tuple[PresharedKey, ...]:
    """Read a key file: one ``ID HEX`` a line, ``#`` starts a comment.

    Raises:
        InvalidKey: with the line's number, never with its text.
    """
    keys: dict[str, PresharedKey] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        key = _key(words, number)
        if key.id in keys:
            raise InvalidKey(f"pre-shared key file, line {number}: id stands twice")
        keys[key.id] = key
    return tuple(keys.values())


def _key(words: list[str], number: int) -> PresharedKey:
    try:
        name, digits = words
        key = bytes.fromhex(digits)
    except ValueError:
        raise InvalidKey(
            f"pre-shared key file, line {number}: must be an id and hexadecimal digits"
        ) from None
    if _ID.fullmatch(name) is None or len(key) != KEY_BYTES:
        raise InvalidKey(
            f"pre-shared key file, line {number}: an id has 1 to 64 of A-Z a-z 0-9 . _ -, "
            f"a key {KEY_BYTES} bytes"
        )
    return PresharedKey(name, key)
