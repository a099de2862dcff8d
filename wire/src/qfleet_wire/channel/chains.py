"""Verifying certificate chains up to a fleet's root: the only way a network name becomes trusted.

Checks signatures, issuers, CA flags, path lengths, key usages, the one critical URI name, roles of
issuers and unknown critical extensions. Times are returned, not judged: devices without a clock
have rules of their own (``clock``), and a controller lets an expired device renew.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from qfleet_wire.channel import derivation
from qfleet_wire.channel.certificates import Validity
from qfleet_wire.channel.identity import (
    ControllerIdentity,
    DeviceIdentity,
    Identity,
    IssuerIdentity,
    parse_uri,
)
from qfleet_wire.errors import Untrusted
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import FleetName, Millis

_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
"""Extensions that are checked here, and so may be critical."""


_INVALID: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
)
"""What the library raises for bytes that are no certificate."""


class Root(NamedTuple):
    """A fleet's trust anchor, as read from its authority record."""

    fleet: FleetName
    name: x509.Name
    key: MLDSA65PublicKey
    path_length: int | None


@dataclass(frozen=True, slots=True)
class Peer:
    """Who a verified chain speaks for. ``validity`` is what all its certificates share."""

    identity: DeviceIdentity | ControllerIdentity
    key: MLDSA65PublicKey = field(repr=False)
    validity: Validity
    hashes: tuple[bytes, ...] = field(repr=False)
    """SHA-256 of each certificate, leaf first."""

    @property
    def certificate_hash(self) -> bytes:
        """SHA-256 of the leaf."""
        return self.hashes[0]


class _Certificate(NamedTuple):
    parsed: x509.Certificate
    key: MLDSA65PublicKey
    identity: Identity


def read_root(der: bytes, fleet: FleetName) -> Root:
    """Read a trust anchor; raises ``Untrusted`` if it is no self-signed ML-DSA-65 CA."""
    certificate = _parse(der)
    key = _key(certificate)
    path_length = _authority_depth(certificate)
    _check_signature(certificate, certificate.subject, key)
    return Root(fleet, certificate.subject, key, path_length)


def verify(chain: Sequence[bytes], root: Root) -> Peer:
    """Verify a chain (DER, leaf first, root excluded) and say who it speaks for.

    Raises:
        Untrusted: with the first thing that is wrong.
    """
    if not 1 <= len(chain) <= LIMITS.certificate_chain:
        raise Untrusted(f"chain has {len(chain)} certificates, must have 1 to {LIMITS.certificate_chain}")
    certificates = [_read(der, root.fleet) for der in chain]
    leaf = certificates[0]
    if isinstance(leaf.identity, IssuerIdentity):
        raise Untrusted("the certificate is an issuer's, not a device's or a controller's")
    _check_leaf_usage(leaf.parsed)
    _check_path(certificates, root)
    return Peer(
        leaf.identity,
        leaf.key,
        _shared_validity([certificate.parsed for certificate in certificates]),
        tuple(derivation.plain_hash(der) for der in chain),
    )


def _check_path(certificates: list[_Certificate], root: Root) -> None:
    role = "device" if isinstance(certificates[0].identity, DeviceIdentity) else "controller"
    for depth, (below, issuer) in enumerate(itertools.pairwise(certificates)):
        if not isinstance(issuer.identity, IssuerIdentity) or issuer.identity.role != role:
            raise Untrusted(f"a certificate in the chain may not issue {role} certificates")
        allowed = _authority_depth(issuer.parsed)
        if allowed is not None and depth > allowed:
            raise Untrusted(f"chain is {depth} deep under a certificate that allows {allowed}")
        _check_signature(below.parsed, issuer.parsed.subject, issuer.key)
    if root.path_length is not None and len(certificates) - 1 > root.path_length:
        raise Untrusted(f"chain is longer than the root allows ({root.path_length} intermediates)")
    _check_signature(certificates[-1].parsed, root.name, root.key)


def _read(der: bytes, fleet: FleetName) -> _Certificate:
    parsed = _parse(der)
    identity = parse_uri(_uri(parsed))
    if identity.fleet != fleet:
        raise Untrusted(f"certificate is of fleet {identity.fleet!r}, not {fleet!r}")
    return _Certificate(parsed, _key(parsed), identity)


def _parse(der: bytes) -> x509.Certificate:
    if len(der) > LIMITS.certificate_bytes:
        raise Untrusted(f"certificate of {len(der)} bytes is too long")
    try:
        certificate = x509.load_der_x509_certificate(der)
        extensions = list(certificate.extensions)
        _read_lazy(certificate)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
    ) as error:
        raise Untrusted("not a valid X.509 certificate") from error
    except x509.UnsupportedGeneralNameType as error:
        raise Untrusted("certificate has a name of an unknown type") from error
    if certificate.version is not x509.Version.v3:
        raise Untrusted("certificate is not X.509 v3")
    unknown = [item.oid.dotted_string for item in extensions if item.critical and item.oid not in _UNDERSTOOD]
    if unknown:
        raise Untrusted(f"certificate has an unknown critical extension {unknown[0]}")
    return certificate


def _read_lazy(certificate: x509.Certificate) -> None:
    """Read what the library parses only when it is asked for, so that nothing raises later."""
    for part in (
        certificate.issuer,
        certificate.subject,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.signature_algorithm_oid,
    ):
        assert part is not None


def _key(certificate: x509.Certificate) -> MLDSA65PublicKey:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Untrusted("certificate has an unknown kind of key") from error
    if not isinstance(key, MLDSA65PublicKey):
        raise Untrusted("certificate is not for an ML-DSA-65 key")
    return key


def _uri(certificate: x509.Certificate) -> str:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound as error:
        raise Untrusted("certificate names nobody") from error
    names = list(extension.value)
    if not extension.critical or len(names) != 1 or not isinstance(names[0], x509.UniformResourceIdentifier):
        raise Untrusted("certificate must have exactly one name, a critical URI")
    return names[0].value


def _authority_depth(certificate: x509.Certificate) -> int | None:
    """Return the path length of a CA certificate; raise ``Untrusted`` for any other."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound as error:
        raise Untrusted("an issuer's certificate lacks its constraints") from error
    if not constraints.critical or not constraints.value.ca or not usage.value.key_cert_sign:
        raise Untrusted("a certificate in the chain may not issue certificates")
    return constraints.value.path_length


def _check_leaf_usage(certificate: x509.Certificate) -> None:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound as error:
        raise Untrusted("certificate lacks its constraints") from error
    if constraints.value.ca or usage.value.key_cert_sign or not usage.value.digital_signature:
        raise Untrusted("certificate must be for signatures and not for issuing")


def _check_signature(certificate: x509.Certificate, issuer: x509.Name, key: MLDSA65PublicKey) -> None:
    if certificate.issuer != issuer:
        raise Untrusted("certificate was issued by another authority")
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ML_DSA_65:
        raise Untrusted("certificate is not signed with ML-DSA-65")
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes)
    except InvalidSignature as error:
        raise Untrusted("a certificate's signature does not verify") from error


def _shared_validity(certificates: list[x509.Certificate]) -> Validity:
    begin = max(certificate.not_valid_before_utc for certificate in certificates)
    end = min(certificate.not_valid_after_utc for certificate in certificates)
    if end < begin:
        raise Untrusted("the certificates of the chain are never valid together")
    return Validity(Millis(int(begin.timestamp()) * 1000), Millis(int(end.timestamp()) * 1000))
