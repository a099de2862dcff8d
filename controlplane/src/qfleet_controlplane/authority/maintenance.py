"""What only the root key can do: renew the issuers, and revoke a controller.

Both are done with the control plane's files and the root key beside them for that moment; a
running control plane takes the result up when it is started again.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import get_args

from qfleet_controlplane.authority import files
from qfleet_controlplane.errors import ConfigurationError
from qfleet_wire.channel import certificates, chains, identity, keys, revocation
from qfleet_wire.errors import InvalidKey, RemoteError
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import FleetName, Millis


def load_root(stored: bytes, passphrase: bytes, certificate: bytes, fleet: FleetName) -> certificates.Issuer:
    """Open the root key, which may be under a passphrase, and check that it is this fleet's.

    Raises:
        ConfigurationError: a wrong passphrase, a damaged file, or another fleet's key.
    """
    try:
        seed = keys.unprotect(stored, passphrase) if len(stored) != keys.SEED_BYTES else stored
        key = keys.load(seed)
        trusted = chains.read_root(certificate, fleet)
    except (InvalidKey, RemoteError) as error:
        raise ConfigurationError(f"the root key does not open: {error}") from error
    if trusted.key.public_bytes_raw() != key.public_key().public_bytes_raw():
        raise ConfigurationError("the root key is another fleet's: the root certificate is for another key")
    return certificates.Issuer(certificate, key)


def renew_issuers(
    layout: files.Layout,
    root: certificates.Issuer,
    controller: identity.ControllerIdentity,
    *,
    now: Millis,
    random: Callable[[int], bytes],
) -> None:
    """Give both issuers, and the controller below one of them, fresh certificates for their keys.

    The controller's certificates for further regions are removed: each is issued anew when needed.
    """
    issuers: dict[identity.Role, certificates.Issuer] = {}
    for role in get_args(identity.Role):
        key = keys.load(files.read_secret(layout.issuer_key(role)))
        who = identity.IssuerIdentity(controller.fleet, role)
        validity = certificates.lasting(now, certificates.ISSUER_DAYS)
        chain = certificates.issue(root, key.public_key(), who, validity, random=random)
        files.replace(layout.issuer_certificate(role), chain[0])
        issuers[role] = certificates.below(chain, key)
    own = keys.load(files.read_secret(layout.controller_key)).public_key()
    validity = certificates.lasting(now, certificates.CONTROLLER_DAYS)
    chain = certificates.issue(issuers["controller"], own, controller, validity, random=random)
    files.replace(layout.controller_certificate, chain[0])
    for further in layout.region_certificates():
        further.unlink()


def revoke_controllers(
    layout: files.Layout, root: certificates.Issuer, fleet: FleetName, hashes: Sequence[bytes]
) -> int:
    """Add certificates, by their SHA-256, to the list that every device is given; return its version.

    Raises:
        ConfigurationError: the present list is damaged, or the new one is too long.
    """
    blob = files.read(layout.revocations) if layout.revocations.exists() else b""
    try:
        trusted = chains.read_root(root.certificate, fleet)
        before = revocation.read(blob, trusted)
    except RemoteError as error:
        raise ConfigurationError(f"{layout.revocations} is not usable: {error}") from error
    revoked = tuple(dict.fromkeys((*before.revoked, *hashes)))
    if len(revoked) > LIMITS.revocations:
        raise ConfigurationError(
            f"{len(revoked)} revoked certificates are over the limit of {LIMITS.revocations}: "
            "revoke the issuer instead and renew it"
        )
    after = revocation.Revocations(fleet, before.version + 1, revoked)
    files.replace(layout.revocations, revocation.sign(after, root.key))
    return after.version


def hash_of(certificate: bytes) -> bytes:
    """SHA-256 of a certificate (DER), by which it is revoked."""
    return hashlib.sha256(certificate).digest()
