"""The list of revoked controllers: signed by the root, with a version that only rises.

It travels in every handshake's answer. A device keeps the highest version it has seen; an older one
changes nothing and does no harm.
"""

from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from qfleet_wire import codec
from qfleet_wire.channel import keys
from qfleet_wire.channel.chains import Root
from qfleet_wire.channel.frames import Bytes32, Number, Text
from qfleet_wire.channel.labels import Label
from qfleet_wire.errors import InvalidMessage, LimitExceeded, Untrusted
from qfleet_wire.limits import LIMITS


class Revocations(msgspec.Struct, frozen=True):
    """What is revoked: SHA-256 of certificates, leaves or intermediates. ``version`` 0 is empty."""

    fleet: Text
    version: Number
    revoked: Annotated[tuple[Bytes32, ...], msgspec.Meta(max_length=LIMITS.revocations)] = ()


class RevocationList(msgspec.Struct, frozen=True):
    """An encoded ``Revocations`` and the root's signature over it."""

    body: bytes
    signature: bytes


def sign(revocations: Revocations, root_key: MLDSA65PrivateKey) -> bytes:
    """Encode and sign a list. Every change takes a higher version."""
    body = codec.encode(revocations)
    return codec.encode(RevocationList(body, keys.sign(root_key, Label.REVOCATION_SIGNATURE, body)))


def read(blob: bytes, root: Root) -> Revocations:
    """Verify a list; no bytes mean that none was ever made.

    Raises:
        Untrusted: not signed by the root, of another fleet, or not decodable.
    """
    if not blob:
        return Revocations(root.fleet, 0)
    try:
        signed = codec.decode(blob, RevocationList, limit=LIMITS.hello_bytes)
        keys.verify(root.key, signed.signature, Label.REVOCATION_SIGNATURE, signed.body)
        revocations = codec.decode(signed.body, Revocations, limit=LIMITS.hello_bytes)
    except (InvalidMessage, LimitExceeded) as error:
        raise Untrusted(f"revocation list is not valid: {error}") from error
    if revocations.fleet != root.fleet:
        raise Untrusted(f"revocation list is of fleet {revocations.fleet!r}")
    return revocations


def newest(stored: bytes, received: bytes, root: Root) -> bytes:
    """Return whichever list has the higher version, as bytes to store; at a tie the stored one.

    Raises:
        Untrusted: the received list does not verify.
    """
    if received == stored:
        return stored
    return received if read(received, root).version > read(stored, root).version else stored


def check(blob: bytes, root: Root, *hashes: bytes) -> None:
    """Raise ``Untrusted`` (code ``revoked``) if one of these certificates is on the list."""
    revocations = read(blob, root)
    if not set(revocations.revoked).isdisjoint(hashes):
        raise Untrusted(f"a certificate is revoked (list version {revocations.version})", code="revoked")
