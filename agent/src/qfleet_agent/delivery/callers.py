"""Which application has called: its SAE ID, from the certificate that TLS has checked; pure.

ETSI GS QKD 014 V1.1.1, 5.1, has the KME take the ID of the calling SAE from its certificate and
leaves open from which field. An ambiguous certificate names nobody.
"""

from collections.abc import Mapping
from typing import Any, Literal

Field = Literal["common-name", "uri", "serial"]
"""``common-name``: of the subject; ``uri``: of the subject's alternative names; ``serial``: of the
certificate, in hexadecimal digits (capitals) as ``openssl x509 -serial`` prints them."""


def sae_id(certificate: Mapping[str, Any] | None, field: Field) -> str | None:
    """Return the SAE ID in a certificate as ``ssl.SSLSocket.getpeercert`` gives it; None: there is none."""
    if not certificate:
        return None
    if field == "serial":
        serial = certificate.get("serialNumber")
        return serial if isinstance(serial, str) and serial else None
    found = _names(certificate) if field == "common-name" else _uris(certificate)
    return found[0] if len(found) == 1 else None


def _names(certificate: Mapping[str, Any]) -> list[str]:
    return [
        value
        for relative in certificate.get("subject", ())
        for kind, value in relative
        if kind == "commonName"
    ]


def _uris(certificate: Mapping[str, Any]) -> list[str]:
    return [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
