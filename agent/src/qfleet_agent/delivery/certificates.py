"""A small certificate authority for local applications: classical ECDSA P-256, in a folder.

It is there so that a newcomer can start; where there is a public-key infrastructure, its
certificates are configured instead. The CA's key stays in the folder, readable for its owner alone.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from qfleet_agent.errors import CertificatesInvalid
from qfleet_agent.journal import files

CA_DAYS: Final = 3650
DAYS: Final = 365
CA: Final = "ca"
SERVER: Final = "server"
_SLACK = dt.timedelta(minutes=5)


class Authority(NamedTuple):
    """The CA's key and certificate; never printed."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"Authority({self.certificate.subject.rfc4514_string()}, …)"


def authority(folder: Path, now: dt.datetime) -> Authority:
    """Read the folder's CA; make it where there is none. Blocking.

    Raises:
        CertificatesInvalid: it does not read, or the folder cannot be written.
    """
    key_path, certificate_path = _paths(folder, CA)
    try:
        if key_path.exists():
            return _read(key_path, certificate_path)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("qfleet key delivery CA")
        begun = (
            _begun(name, key, now, CA_DAYS)
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        made = Authority(key, begun.sign(key, hashes.SHA256()))
        _write(folder, CA, key, made.certificate)
    except OSError as error:
        raise CertificatesInvalid(f"{folder}: no CA can be made here: {error}") from error
    return made


def server(folder: Path, ca: Authority, hosts: Sequence[str], now: dt.datetime) -> Path:
    """Make the server's certificate for host names and addresses; return the certificate's path."""
    return _issue(folder, SERVER, ca, _Subject("qfleet key delivery", [_host(host) for host in hosts]), now)


def application(folder: Path, ca: Authority, sae_id: str, now: dt.datetime) -> Path:
    """Make an application's certificate, whose common name is its SAE ID (and its URI, if it is one)."""
    plain = "".join(one if one.isalnum() or one in "-_." else "_" for one in sae_id)
    if plain.strip("._") == "" or plain in {CA, SERVER}:
        raise CertificatesInvalid(f"{sae_id!r} gives no name for a file: choose another SAE ID")
    is_uri = "://" in sae_id and sae_id.isascii()
    uri: list[x509.GeneralName] = [x509.UniformResourceIdentifier(sae_id)] if is_uri else []
    return _issue(folder, plain, ca, _Subject(sae_id, uri), now)


class _Subject(NamedTuple):
    common_name: str
    names: Sequence[x509.GeneralName]


def _issue(folder: Path, stem: str, ca: Authority, subject: _Subject, now: dt.datetime) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if stem == SERVER else ExtendedKeyUsageOID.CLIENT_AUTH
    try:
        begun = _begun(_name(subject.common_name), key, now, DAYS)
    except ValueError as error:
        raise CertificatesInvalid(f"{subject.common_name!r} is no common name: {error}") from error
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    begun = (
        begun.issuer_name(ca.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(issuer, critical=False)
    )
    if subject.names:
        begun = begun.add_extension(x509.SubjectAlternativeName(subject.names), critical=False)
    try:
        return _write(folder, stem, key, begun.sign(ca.key, hashes.SHA256()))
    except OSError as error:
        raise CertificatesInvalid(f"{folder}: no certificate can be written: {error}") from error


def _begun(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _read(key_path: Path, certificate_path: Path) -> Authority:
    try:
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificatesInvalid(f"{key_path} and {certificate_path} are no CA: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        raise CertificatesInvalid(f"{key_path} is not the ECDSA key of {certificate_path}")
    return Authority(key, certificate)


def _write(folder: Path, stem: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Path:
    key_path, certificate_path = _paths(folder, stem)
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.replace(key_path, plain, 0o600)
    files.replace(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate_path


def _paths(folder: Path, stem: str) -> tuple[Path, Path]:
    return folder / f"{stem}.key", folder / f"{stem}.crt"
