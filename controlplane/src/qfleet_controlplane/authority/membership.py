"""What the store knows of a device when it knocks: may it come in, with which certificate.

Everything is read and written on an open connection. The device table decides, never the
certificate alone: a revoked row is never deleted.
"""

from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from qfleet_controlplane.authority.keyring import Issued, Keyring
from qfleet_controlplane.authority.sealing import SealBroken
from qfleet_controlplane.machine.tables import SHUT_OUT
from qfleet_controlplane.store import registry
from qfleet_wire.channel import chains, resumption
from qfleet_wire.errors import InvalidKey, Refused, Untrusted
from qfleet_wire.names import DeviceName, Millis

_decode_chain = msgspec.msgpack.Decoder(tuple[bytes, ...]).decode


@dataclass(frozen=True, slots=True)
class Member:
    """A device that may have a session, and the key that its certificate speaks for."""

    device: DeviceName
    certificate_hash: bytes
    key: MLDSA65PublicKey = field(repr=False)


def check_device(connection: sa.Connection, device: DeviceName) -> None:
    """Raise ``Refused`` for a device that the table does not allow in."""
    status = registry.device_status(connection, device)
    if status is None:
        raise Untrusted(f"device {device!r} is not in this control plane's table: invite it")
    if status in SHUT_OUT:
        raise Refused(f"device {device!r} is {status}", code="revoked")


def member(
    connection: sa.Connection, root: chains.Root, device: DeviceName, certificate_hash: bytes
) -> Member:
    """Return a device that the table allows in with this certificate.

    Raises:
        Refused: it is revoked, unknown, or its certificate was superseded.
    """
    check_device(connection, device)
    row = registry.certificate(connection, certificate_hash)
    if row is None or row.device != device:
        raise Untrusted(f"certificate of {device!r} was not issued here")
    if row.status != "active":
        raise Refused(f"certificate of {device!r} is {row.status}", code="revoked")
    return Member(device, certificate_hash, chains.verify(_decode_chain(row.chain), root).key)


def enter(connection: sa.Connection, device: DeviceName, csr_hash: bytes, issued: Issued) -> None:
    """Store a certificate that was issued for a CSR."""
    leaf = x509.load_der_x509_certificate(issued.chain[0])
    registry.add_certificate(
        connection,
        registry.Certificate(
            hash=issued.hash,
            serial=f"{leaf.serial_number:x}",
            device=device,
            csr_hash=csr_hash,
            chain=msgspec.msgpack.encode(issued.chain),
            not_before=issued.validity.not_before,
            not_after=issued.validity.not_after,
        ),
    )


def chain_of(row: registry.Certificate) -> tuple[bytes, ...]:
    """Return a stored certificate's chain (DER, leaf first)."""
    return _decode_chain(row.chain)


def record(connection: sa.Connection, ring: Keyring, device: DeviceName) -> resumption.Record:
    """Read what a device could resume with; an empty record when there is nothing or it is damaged."""
    sealed = registry.session(connection, device)
    if sealed is None:
        return resumption.Record()
    try:
        return resumption.read_record(ring.sealer.open(sealed, _context(device)))
    except (SealBroken, InvalidKey):
        # A full handshake follows; nothing is lost but the time for it.
        return resumption.Record()


def keep_record(
    connection: sa.Connection, ring: Keyring, device: DeviceName, kept: resumption.Record, now: Millis
) -> None:
    """Store what a device can resume with, sealed."""
    sealed = ring.sealer.seal(resumption.write(kept), _context(device))
    newest = kept.offered[-1] if kept.offered else kept.confirmed
    generation = newest.generation if newest else 0
    registry.put_session(connection, device, sealed, generation=generation, now=now)


def _context(device: DeviceName) -> str:
    return f"session/{device}"
