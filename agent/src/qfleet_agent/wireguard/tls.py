"""TLS of a rotator: both ends show certificates, 1.3 only."""

import ssl
from pathlib import Path

from qfleet_agent.errors import SettingsInvalid


def client(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Make the side that calls. Raises ``SettingsInvalid``, as ``server`` does."""
    return _filled(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca, certificate, key)


def server(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Make the side that is called; callers without a certificate get nowhere."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.verify_mode = ssl.CERT_REQUIRED
    return _filled(made, ca, certificate, key)


def _filled(made: ssl.SSLContext, ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        made.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsInvalid(f"{certificate} and {key}: no certificate and its key: {error}") from error
    try:
        made.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise SettingsInvalid(f"{ca}: no certificates to check others against: {error}") from error
    return made
