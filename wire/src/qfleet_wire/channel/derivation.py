"""Hashing, MACs and HKDF-SHA-256 with labels: the only places where key material is mixed.

Every input is length-prefixed, so that no two lists of inputs give the same bytes.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from typing import Final

from qfleet_wire.channel.labels import Label

Random = Callable[[int], bytes]
"""Returns that many unpredictable bytes; ``os.urandom`` outside tests."""

HASH_BYTES: Final = 32
KEY_BYTES: Final = 32


def framed(parts: Iterable[bytes]) -> bytes:
    """Join ``parts``, each after its length in four bytes, big-endian; injective."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def digest(label: Label, *parts: bytes) -> bytes:
    """SHA-256 of the label and the parts, each length-prefixed."""
    return hashlib.sha256(framed((label, *parts))).digest()


def plain_hash(data: bytes) -> bytes:
    """SHA-256 without a label: names certificates, CSRs, records and frames, as other tools would."""
    return hashlib.sha256(data).digest()


def proof(key: bytes, label: Label, *parts: bytes) -> bytes:
    """HMAC-SHA-256 under ``key`` of the label and the parts, each length-prefixed."""
    return hmac.digest(key, framed((label, *parts)), "sha256")


def proves(claimed: bytes, key: bytes, label: Label, *parts: bytes) -> bool:
    """Whether ``claimed`` is that MAC, compared in constant time."""
    return hmac.compare_digest(claimed, proof(key, label, *parts))


def extract(salt: bytes, *inputs: bytes) -> bytes:
    """HKDF-Extract (RFC 5869, 2.2) of the inputs, each length-prefixed; an absent input is empty."""
    return hmac.digest(salt, framed(inputs), "sha256")


def expand(key: bytes, label: Label, *context: bytes) -> bytes:
    """One 32-byte block of HKDF-Expand (RFC 5869, 2.3) for a label and a context."""
    return hmac.digest(key, framed((label, *context)) + b"\x01", "sha256")
