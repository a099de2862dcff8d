"""What a running controller holds of the authority: issuers, its own key, the enrolment key.

It never reads the root key. The controller's certificate lasts 30 days and is renewed at half
its life by the intermediate; the key stays.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from qfleet_controlplane.authority import files
from qfleet_controlplane.authority.sealing import Sealer
from qfleet_controlplane.errors import ConfigurationError
from qfleet_wire.channel import authority, certificates, chains, identity, keys, revocation, xwing
from qfleet_wire.errors import LocalError, RemoteError
from qfleet_wire.names import DeviceName, Millis

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
    """The keys of a running controller, loaded and checked against each other.

    Args:
        layout: the authority's directory.
        who: the identity that the configuration claims.
        random: source of random bytes.

    Raises:
        ConfigurationError: a file is missing, damaged, or of another fleet or controller.
    """

    def __init__(self, layout: files.Layout, who: identity.ControllerIdentity, *, random: Random) -> None:
        self._layout = layout
        self._random = random
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
                f"{layout.controller_certificate} is for {identity.uri_for(self.credentials.identity)}, "
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
        files.replace(self._layout.controller_certificate, chain[0])
        self.credentials = self._credentials()
        _log.info("Renewed the controller's certificate.", extra={"action": "controller_renewed"})

    def issuers_end(self) -> Millis:
        """When the first of the intermediates ends; only the root key can renew them."""
        return min(_end(self._devices.certificate), _end(self._controllers.certificate))

    def _issuer(self, role: str) -> certificates.Issuer:
        key = keys.load(files.read_secret(self._layout.issuer_key(role)))
        return certificates.below((files.read(self._layout.issuer_certificate(role)),), key)

    def _credentials(self) -> authority.Credentials:
        chain = (files.read(self._layout.controller_certificate), *self._controllers.chain)
        seed = files.read_secret(self._layout.controller_key)
        return authority.credentials(seed, chain, self.authority)


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
