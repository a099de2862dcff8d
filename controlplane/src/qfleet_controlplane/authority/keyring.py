"""What a running controller holds of the authority: issuers, its own key, the enrolment key.

It never reads the root key. A controller has one key and a certificate per region that it may
lead; each lasts 30 days and is renewed at half its life by the intermediate.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from qfleet_controlplane.authority import files
from qfleet_controlplane.authority.sealing import Sealer
from qfleet_controlplane.errors import ConfigurationError
from qfleet_wire.channel import authority, certificates, chains, identity, keys, revocation, xwing
from qfleet_wire.errors import LocalError, RemoteError
from qfleet_wire.names import DeviceName, Millis, RegionName

_log = logging.getLogger(__name__)

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was issued: its chain (DER, leaf first) and what is kept of it."""

    chain: tuple[bytes, ...]
    validity: certificates.Validity
    public_key: bytes = field(repr=False)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the leaf."""
        return hashlib.sha256(self.chain[0]).digest()


class Keyring:
    """The keys of a controller of one region, loaded and checked against each other.

    Args:
        layout: the authority's directory.
        who: the identity that the configuration claims; see ``qualify`` for a further region's.
        random: source of random bytes.

    Raises:
        ConfigurationError: a file is missing, damaged, or of another fleet or controller.
    """

    def __init__(self, layout: files.Layout, who: identity.ControllerIdentity, *, random: Random) -> None:
        self._layout = layout
        self._random = random
        self._certificate = certificate_of(layout, who.region)
        raw = files.read(layout.record)
        try:
            self.authority = authority.read_record(raw, authority.record_hash(raw))
            self._devices = self._issuer("device")
            self._controllers = self._issuer("controller")
            self.enrolment_key = xwing.private_key(files.read_secret(layout.enrolment_key))
            self.credentials = self._credentials()
        except (LocalError, RemoteError, ValueError) as error:
            raise ConfigurationError(f"the authority in {layout.directory} is not usable: {error}") from error
        if self.credentials.identity != who:
            raise ConfigurationError(
                f"{self._certificate} is for {identity.uri_for(self.credentials.identity)}, "
                f"the configuration says {identity.uri_for(who)}"
            )
        self.revocations = _revocations(layout, self.authority)
        self.sealer = Sealer(files.read_secret(layout.rest_key), random)

    def issue_device(self, device: DeviceName, public_key: MLDSA65PublicKey, now: Millis) -> Issued:
        """Issue a device's certificate; its name comes from our table, never from the request."""
        who = identity.DeviceIdentity(self.authority.fleet, device)
        validity = certificates.lasting(now, certificates.DEVICE_DAYS)
        chain = certificates.issue(self._devices, public_key, who, validity, random=self._random)
        shared = chains.verify(chain, self.authority.root).validity
        return Issued(chain, shared, public_key.public_bytes_raw())

    def renew_due(self) -> Millis:
        """When the controller's certificate has lived half its life."""
        validity = self.credentials.peer.validity
        return Millis((validity.not_before + validity.not_after) // 2)

    def renew(self, now: Millis) -> None:
        """Give the controller a fresh certificate for the same key, and store it."""
        who = self.credentials.identity
        validity = certificates.lasting(now, certificates.CONTROLLER_DAYS)
        chain = certificates.issue(
            self._controllers, self.credentials.key.public_key(), who, validity, random=self._random
        )
        files.replace(self._certificate, chain[0])
        self.credentials = self._credentials()
        _log.info("Renewed %s.", self._certificate.name, extra={"action": "controller_renewed"})

    def issuers_end(self) -> Millis:
        """When the first of the intermediates ends; only the root key can renew them."""
        return min(_end(self._devices.certificate), _end(self._controllers.certificate))

    def _issuer(self, role: identity.Role) -> certificates.Issuer:
        return _load_issuer(self._layout, role)

    def _credentials(self) -> authority.Credentials:
        chain = (files.read(self._certificate), *self._controllers.chain)
        seed = files.read_secret(self._layout.controller_key)
        return authority.credentials(seed, chain, self.authority)


def certificate_of(layout: files.Layout, region: RegionName) -> Path:
    """Return where this controller's certificate for a region is, or is looked for."""
    own = layout.region_certificate(region)
    return own if own.exists() else layout.controller_certificate


def qualify(layout: files.Layout, who: identity.ControllerIdentity, *, now: Millis, random: Random) -> None:
    """Issue this controller's certificate for a region unless it has one.

    Raises:
        ConfigurationError: the authority is not usable, or another fleet's or controller's.
    """
    if layout.region_certificate(who.region).exists():
        return
    try:
        controllers = _load_issuer(layout, "controller")
        raw = files.read(layout.record)
        trusted = authority.read_record(raw, authority.record_hash(raw))
        key = keys.load(files.read_secret(layout.controller_key)).public_key()
        first = chains.verify(
            (files.read(layout.controller_certificate), *controllers.chain), trusted.root
        ).identity
    except (LocalError, RemoteError, ValueError) as error:
        raise ConfigurationError(f"the authority in {layout.directory} is not usable: {error}") from error
    if first == who:
        return
    if not isinstance(first, identity.ControllerIdentity) or (first.fleet, first.controller) != (
        who.fleet,
        who.controller,
    ):
        raise ConfigurationError(
            f"{layout.controller_certificate} is for {identity.uri_for(first)}, "
            f"the configuration says {identity.uri_for(who)}"
        )
    validity = certificates.lasting(now, certificates.CONTROLLER_DAYS)
    chain = certificates.issue(controllers, key, who, validity, random=random)
    files.replace(layout.region_certificate(who.region), chain[0])
    _log.info("Issued the certificate for %s.", identity.uri_for(who), extra={"action": "region_qualified"})


def _load_issuer(layout: files.Layout, role: identity.Role) -> certificates.Issuer:
    key = keys.load(files.read_secret(layout.issuer_key(role)))
    return certificates.below((files.read(layout.issuer_certificate(role)),), key)


def _revocations(layout: files.Layout, trusted: authority.Authority) -> bytes:
    """Read the list of revoked controllers, which the root has signed; empty when there is none."""
    blob = files.read(layout.revocations) if layout.revocations.exists() else b""
    try:
        revocation.read(blob, trusted.root)
    except RemoteError as error:
        raise ConfigurationError(f"{layout.revocations} is not usable: {error}") from error
    return blob


def _end(certificate: bytes) -> Millis:
    end = x509.load_der_x509_certificate(certificate).not_valid_after_utc
    return Millis(int(end.timestamp()) * 1000)
