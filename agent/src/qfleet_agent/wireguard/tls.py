"""TLS of a rotator: both ends show certificates, 1.3 only."""

import ssl
from pathlib import Path

from qfleet_agent import keycalls


def client(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Make the side that calls. Raises ``SettingsInvalid``, as ``server`` does."""
    return keycalls.client(ca, certificate, key)


def server(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Make the side that is called; callers without a certificate get nowhere."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.verify_mode = ssl.CERT_REQUIRED
    return keycalls.filled(made, ca, certificate, key)
