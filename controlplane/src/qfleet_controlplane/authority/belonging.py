"""Which fleet an authority makes a database belong to: its name and its root certificate's SHA-256."""

import hashlib
from pathlib import Path

from qfleet_controlplane.authority import files
from qfleet_controlplane.authority.bundle import Bundle
from qfleet_controlplane.store.ownership import Owner


def of_directory(state: Path, fleet: str) -> Owner:
    """The fleet of a state directory; one without an authority is told by its name alone."""
    path = files.Layout(state / "authority").root_certificate
    return of_certificate(fleet, files.read(path)) if path.exists() else Owner(fleet)


def of_bundle(bundle: Bundle) -> Owner:
    """The fleet that a bundle lets join."""
    name = files.Layout(Path()).root_certificate.name
    return of_certificate(bundle.fleet, bundle.public.get(name, b""))


def of_certificate(fleet: str, root: bytes) -> Owner:
    """The fleet of a root certificate, DER."""
    return Owner(fleet, hashlib.sha256(root).digest())
