"""What ``qfleet-agent check`` says of the key delivery, without starting it."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path
from typing import Final, Literal, NamedTuple

from cryptography import x509

from qfleet_agent.delivery import assembly, server
from qfleet_agent.errors import KeyDeliveryUnusable
from qfleet_agent.settings import Settings

HYBRID: Final = (3, 5)
"""The OpenSSL that first agrees on X25519MLKEM768 by itself."""
SOON: Final = dt.timedelta(days=30)


class Look(NamedTuple):
    """What was found."""

    verdict: Literal["fine", "warning"]
    text: str


def look(settings: Settings, now: dt.datetime, openssl: tuple[int, ...]) -> Look:
    """Look at names, files and TLS. ``openssl`` is ``ssl.OPENSSL_VERSION_INFO``.

    Raises:
        KeyDeliveryUnusable: the key delivery would not start, with the reason.
    """
    keys = settings.keys
    where = assembly.listening(keys)
    name = assembly.device(settings)
    server.context(where)
    ends = _end(where.certificate)
    text = f"{name} delivers to {', '.join(keys.applications)} at https://{keys.host}:{keys.port}"
    if ends < now:
        raise KeyDeliveryUnusable(f"{where.certificate} ended on {ends:%Y-%m-%d}: make a new one")
    if ends < now + SOON:
        return Look("warning", f"{text}; {where.certificate} ends on {ends:%Y-%m-%d}")
    if not keys.peers:
        return Look("warning", f"{text}; there is no peer: name one in [keys.peers.NAME]")
    if openssl[:2] < HYBRID and not _is_loopback(keys.host):
        return Look(
            "warning",
            f"{text}; {ssl.OPENSSL_VERSION} does not offer X25519MLKEM768, so keys on the way to "
            "applications are safe only from those without a quantum computer: use OpenSSL 3.5 or newer",
        )
    return Look("fine", f"{text}, with {', '.join(sorted(keys.peers))}")


def _end(certificate: Path) -> dt.datetime:
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise KeyDeliveryUnusable(f"{certificate} cannot be read: {error}") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
