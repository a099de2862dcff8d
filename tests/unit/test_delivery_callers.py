import datetime as dt
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from qfleet_agent.delivery import callers, certificates
from qfleet_agent.errors import CertificatesInvalid

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def subject(*names: tuple[str, str]) -> dict[str, Any]:
    return {"subject": tuple(((kind, value),) for kind, value in names)}


@pytest.mark.parametrize(
    ("certificate", "field", "caller"),
    [
        (None, "common-name", None),
        ({}, "serial", None),
        (subject(("organizationName", "x"), ("commonName", "alice")), "common-name", "alice"),
        (subject(("commonName", "alice"), ("commonName", "bob")), "common-name", None),
        (subject(("organizationName", "alice")), "common-name", None),
        ({"subjectAltName": (("DNS", "alice"), ("URI", "sae://alice"))}, "uri", "sae://alice"),
        ({"subjectAltName": (("URI", "sae://a"), ("URI", "sae://b"))}, "uri", None),
        (subject(("commonName", "alice")), "uri", None),
        ({"serialNumber": "0A1B"}, "serial", "0A1B"),
        (subject(("commonName", "alice")), "serial", None),
    ],
)
def test_the_caller_is_read_from_the_field_that_is_set(
    certificate: dict[str, Any] | None, field: callers.Field, caller: str | None
) -> None:
    assert callers.sae_id(certificate, field) == caller


def test_certificates_are_made_once_and_checked_by_openssl(tmp_path: Path) -> None:
    ca = certificates.authority(tmp_path, NOW)
    again = certificates.authority(tmp_path, NOW)
    assert again.certificate == ca.certificate
    server = certificates.server(tmp_path, ca, ["127.0.0.1", "kme.example"], NOW)
    alice = certificates.application(tmp_path, ca, "sae://site/alice", NOW)
    for path in (server, alice):
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, path.with_suffix(".key"))
        assert path.with_suffix(".key").stat().st_mode & 0o777 == 0o600
        read = x509.load_pem_x509_certificate(path.read_bytes())
        read.verify_directly_issued_by(ca.certificate)
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["sae://site/alice"]
    assert read.subject.rfc4514_string() == "CN=sae://site/alice"
    assert "PRIVATE" not in repr(ca)
    seen = ssl._ssl._test_decode_cert(str(alice))  # type: ignore[attr-defined]  # as a server sees it
    fields: tuple[callers.Field, ...] = ("common-name", "uri", "serial")
    assert [callers.sae_id(seen, field) for field in fields] == [
        "sae://site/alice",
        "sae://site/alice",
        f"{read.serial_number:X}".zfill(len(seen["serialNumber"])),
    ]


@pytest.mark.parametrize("name", ["ca", "server", "..", "", "x" * 65])
def test_an_application_of_no_usable_name_gets_no_certificate(tmp_path: Path, name: str) -> None:
    ca = certificates.authority(tmp_path, NOW)
    with pytest.raises(CertificatesInvalid):
        certificates.application(tmp_path, ca, name, NOW)


def test_a_damaged_ca_is_not_replaced(tmp_path: Path) -> None:
    certificates.authority(tmp_path / "other", NOW)
    certificates.authority(tmp_path, NOW)
    (tmp_path / "ca.key").chmod(0o600)
    (tmp_path / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(CertificatesInvalid, match="not the ECDSA key"):
        certificates.authority(tmp_path, NOW)
    (tmp_path / "ca.key").write_bytes(b"nothing")
    with pytest.raises(CertificatesInvalid, match="are no CA"):
        certificates.authority(tmp_path, NOW)
