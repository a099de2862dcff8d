"""Making certificates: the root, its intermediates, and certificates for devices and controllers.

X.509 v3 with ML-DSA-65 (RFC 9881). The one name that counts is a critical URI
(``identity``); subjects are there for people. Nothing is verified here; that is ``chains``.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.identity import Identity, IssuerIdentity, uri_for
from qfleet_wire.errors import Refused
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import FleetName, Millis

DAY_MS: Final = 86_400_000
DEVICE_DAYS: Final = 90
CONTROLLER_DAYS: Final = 30
ISSUER_DAYS: Final = 365
ROOT_DAYS: Final = 3650
_BACKDATED_MS: Final = 300_000
"""Certificates begin this much before they are made: clocks of one site differ."""


class Validity(NamedTuple):
    """From when until when a certificate counts, both ends included, whole seconds."""

    not_before: Millis
    not_after: Millis


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA certificate (DER), its key, and the certificates between it and the root.

    ``chain`` is what stands above a certificate that this issuer makes: empty for the root.
    """

    certificate: bytes
    key: MLDSA65PrivateKey = field(repr=False)
    chain: tuple[bytes, ...] = ()


def lasting(now: Millis, days: float) -> Validity:
    """Return the validity of a certificate made now, for that many days."""
    begin = (now - _BACKDATED_MS) // 1000 * 1000
    return Validity(Millis(begin), Millis((now + int(days * DAY_MS)) // 1000 * 1000))


def make_root(fleet: FleetName, key: MLDSA65PrivateKey, validity: Validity, random: Random) -> bytes:
    """Make a fleet's self-signed root certificate (DER); intermediates may follow, one deep."""
    name = _subject(f"{fleet} root")
    builder = _builder(name, name, key.public_key(), validity, random)
    builder = _with_authority(builder, path_length=1)
    return builder.sign(key, None).public_bytes(Encoding.DER)


def issue(
    issuer: Issuer, public_key: MLDSA65PublicKey, identity: Identity, validity: Validity, *, random: Random
) -> tuple[bytes, ...]:
    """Issue a certificate and return its chain (DER), leaf first, root excluded.

    An ``IssuerIdentity`` makes an intermediate that may issue leaves of its role only.
    """
    above = x509.load_der_x509_certificate(issuer.certificate)
    uri = uri_for(identity)
    builder = _builder(above.subject, _subject(uri.removeprefix("qfleet://")), public_key, validity, random)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=True
    ).add_extension(x509.AuthorityKeyIdentifier(_key_id(issuer.key.public_key()), None, None), critical=False)
    if isinstance(identity, IssuerIdentity):
        builder = _with_authority(builder, path_length=0)
    else:
        builder = builder.add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        ).add_extension(_usage(signs_certificates=False), critical=True)
    return (builder.sign(issuer.key, None).public_bytes(Encoding.DER), *issuer.chain)


def below(issuer_chain: tuple[bytes, ...], key: MLDSA65PrivateKey) -> Issuer:
    """Return the issuer whose certificate heads ``issuer_chain`` (as ``issue`` returned it)."""
    return Issuer(issuer_chain[0], key, issuer_chain)


def make_request(key: MLDSA65PrivateKey) -> bytes:
    """Make a certificate signing request (DER). It proves possession; it asks for no name."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, None)
    return request.public_bytes(Encoding.DER)


def read_request(csr: bytes) -> MLDSA65PublicKey:
    """Check a CSR's proof of possession and return its key; names in it are ignored.

    Raises:
        Refused: not a CSR, not for ML-DSA-65, or not signed by its own key.
    """
    if len(csr) > LIMITS.certificate_bytes:
        raise Refused(f"CSR of {len(csr)} bytes is too long", code="invalid")
    try:
        request = x509.load_der_x509_csr(csr)
        key = request.public_key()
        if not isinstance(key, MLDSA65PublicKey):
            raise Refused("CSR is not for an ML-DSA-65 key", code="invalid")
        key.verify(request.signature, request.tbs_certrequest_bytes)
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise Refused("CSR is not valid", code="invalid") from error
    return key


def _builder(
    issuer: x509.Name,
    subject: x509.Name,
    public_key: MLDSA65PublicKey,
    validity: Validity,
    random: Random,
) -> x509.CertificateBuilder:
    serial = int.from_bytes(random(19), "big") | 1 << 151  # positive, at most 20 octets (RFC 5280, 4.1.2.2)
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(_moment(validity.not_before))
        .not_valid_after(_moment(validity.not_after))
        .add_extension(x509.SubjectKeyIdentifier(_key_id(public_key)), critical=False)
    )


def _with_authority(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    return builder.add_extension(
        x509.BasicConstraints(ca=True, path_length=path_length), critical=True
    ).add_extension(_usage(signs_certificates=True), critical=True)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(text: str) -> x509.Name:
    # A common name holds at most 64 characters (RFC 5280, ub-common-name); it is for people only.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _key_id(key: MLDSA65PublicKey) -> bytes:
    return hashlib.sha256(key.public_bytes_raw()).digest()[:20]  # RFC 7093, method 1


def _moment(time: Millis) -> dt.datetime:
    return dt.datetime.fromtimestamp(time // 1000, dt.UTC)
