"""The fleet's authority record: the trust anchor that a join token names by its SHA-256.

Retained on the ``authority`` topic, so that an agent can fetch it and check the hash. Nothing in
it changes over time; intermediates travel in chains.
"""

from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from qfleet_wire import codec
from qfleet_wire.channel import chains, derivation, keys, xwing
from qfleet_wire.channel.identity import ControllerIdentity, DeviceIdentity
from qfleet_wire.errors import InvalidMessage, InvalidName, LimitExceeded, Untrusted
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import FleetName, parse_name

VERSION: Final = 1


class AuthorityRecord(msgspec.Struct, frozen=True):
    """What a device must know of a fleet before it can enrol.

    ``root`` is the root certificate (DER), ``enrolment_key`` the X-Wing public key (1,216 bytes)
    to which enrolment requests are sealed, ``suites`` what the fleet's controllers may speak.
    """

    version: int
    fleet: str
    root: bytes
    enrolment_key: Annotated[
        bytes, msgspec.Meta(min_length=xwing.PUBLIC_KEY_BYTES, max_length=xwing.PUBLIC_KEY_BYTES)
    ]
    suites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Authority:
    """A record that has been checked: ``hash`` is the SHA-256 of its bytes ``raw``."""

    fleet: FleetName
    hash: bytes
    root: chains.Root = field(repr=False)
    enrolment_key: bytes = field(repr=False)
    suites: tuple[str, ...]
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Our own side of a handshake: key, chain, and the authority that both sides trust."""

    key: MLDSA65PrivateKey = field(repr=False)
    chain: tuple[bytes, ...] = field(repr=False)
    peer: chains.Peer
    """Our own certificate as others see it."""
    authority: Authority

    @property
    def identity(self) -> DeviceIdentity | ControllerIdentity:
        """Who we are."""
        return self.peer.identity


def make_record(fleet: FleetName, root: bytes, enrolment_key: bytes, suites: tuple[str, ...]) -> bytes:
    """Encode a fleet's record; publish it retained and keep it for good."""
    return codec.encode(AuthorityRecord(VERSION, fleet, root, enrolment_key, suites))


def record_hash(raw: bytes) -> bytes:
    """SHA-256 of a record, as it stands in join tokens and hellos."""
    return derivation.plain_hash(raw)


def read_record(raw: bytes, expected_hash: bytes) -> Authority:
    """Check a record against the hash from a trusted place (token, own state) and read it.

    Raises:
        Untrusted: another record, or one that does not decode.
    """
    if derivation.plain_hash(raw) != expected_hash:
        raise Untrusted(
            f"authority record has SHA-256 {derivation.plain_hash(raw).hex()[:16]}…, "
            f"expected {expected_hash.hex()[:16]}…: the broker carries another fleet's or a false one"
        )
    try:
        record = codec.decode(raw, AuthorityRecord, limit=LIMITS.hello_bytes)
        fleet = FleetName(parse_name(record.fleet, "fleet"))
    except (InvalidMessage, LimitExceeded, InvalidName) as error:
        raise Untrusted(f"authority record is not valid: {error}") from error
    if record.version != VERSION:
        raise Untrusted(f"authority record has version {record.version}: update the agent")
    root = chains.read_root(record.root, fleet)
    return Authority(fleet, expected_hash, root, record.enrolment_key, record.suites, raw)


def credentials(seed: bytes, chain: tuple[bytes, ...], authority: Authority) -> Credentials:
    """Load our own key and chain, and check that they belong together and to the fleet.

    Raises:
        Untrusted: the chain does not verify, or is for another key.
        InvalidKey: the seed is damaged.
    """
    key = keys.load(seed)
    peer = chains.verify(chain, authority.root)
    if peer.key.public_bytes_raw() != key.public_key().public_bytes_raw():
        raise Untrusted("own certificate is for another key")
    return Credentials(key, chain, peer, authority)
