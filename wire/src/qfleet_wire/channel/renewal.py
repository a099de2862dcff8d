"""Renewing a device's certificate: when, and how the old identity stays until the new one works.

The new key and its CSR are stored before they are sent. The old identity is dropped when the new
one has opened a session, not before. An expired certificate still opens a session that can only
renew.
"""

from typing import Any, Final

import msgspec

from qfleet_wire import codec
from qfleet_wire.channel import certificates, derivation, keys
from qfleet_wire.channel.certificates import Validity
from qfleet_wire.channel.derivation import Random
from qfleet_wire.errors import InvalidKey, InvalidMessage, LimitExceeded
from qfleet_wire.names import Millis

JITTER: Final = 0.1
"""Share of a certificate's life by which renewals of a fleet spread around its half."""


class StoredIdentity(msgspec.Struct, frozen=True):
    """A key's seed, its CSR, and its chain once there is one."""

    seed: bytes
    csr: bytes
    chain: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        """Leave out the seed."""
        return f"StoredIdentity({len(self.chain)} certificates, …)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Leave out the seed."""
        return [("", repr(self))]

    @property
    def csr_hash(self) -> bytes:
        """SHA-256 of the CSR, as answers name it."""
        return derivation.plain_hash(self.csr)


class Identities(msgspec.Struct, frozen=True):
    """A device's identity and, while it renews, the next one. Stored as one value, whole."""

    current: StoredIdentity
    following: StoredIdentity | None = None

    @property
    def to_open(self) -> StoredIdentity:
        """The identity for the next handshake: the new one as soon as it has a chain."""
        granted = self.following is not None and self.following.chain
        return self.following if granted and self.following is not None else self.current


def due(validity: Validity, now: Millis, jitter: float) -> bool:
    """Whether a certificate should be renewed: at half its life.

    Args:
        validity: of the certificate.
        now: the device's best knowledge of the time (never less than its lower bound).
        jitter: in [-1, 1], drawn once per certificate, so that a fleet does not renew at once.
    """
    life = validity.not_after - validity.not_before
    return now >= validity.not_before + life * (0.5 + JITTER * jitter)


def new_identity(random: Random) -> StoredIdentity:
    """Make a key and its CSR; store it before the CSR is sent."""
    key = keys.generate(random)
    return StoredIdentity(keys.save(key), certificates.make_request(key))


def begin(identities: Identities, random: Random) -> Identities:
    """Begin a renewal, or go on with one that has begun: a second key is never made for it."""
    if identities.following is not None:
        return identities
    return Identities(identities.current, new_identity(random))


def granted(identities: Identities, csr_hash: bytes, chain: tuple[bytes, ...]) -> Identities:
    """Take up the chain for the CSR that was sent; an answer to any other changes nothing.

    The caller has checked the chain (``authority.credentials``).
    """
    following = identities.following
    if following is None or following.csr_hash != csr_hash:
        return identities
    return Identities(identities.current, StoredIdentity(following.seed, following.csr, chain))


def opened(identities: Identities, certificate_hash: bytes) -> Identities:
    """Drop the old identity if the session that has just opened was the new one's."""
    following = identities.following
    if (
        following is None
        or not following.chain
        or derivation.plain_hash(following.chain[0]) != certificate_hash
    ):
        return identities
    return Identities(following)


def write(identities: Identities) -> bytes:
    """Encode for storage. What comes out is secret."""
    return codec.encode(identities)


def read(data: bytes) -> Identities:
    """Decode from storage; raises ``InvalidKey`` when it is damaged."""
    try:
        return codec.decode(data, Identities)
    except (InvalidMessage, LimitExceeded) as error:
        raise InvalidKey("the stored identity is damaged: restore it, or enrol the device again") from error
