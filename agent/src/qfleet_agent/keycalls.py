"""Calls to a key delivery (ETSI GS QKD 014) over mutual TLS, with the standard library alone. Blocking."""

import http.client
import ssl
from pathlib import Path
from typing import NamedTuple

from qfleet_agent.errors import SettingsInvalid
from qfleet_wire import key_delivery
from qfleet_wire.errors import KeyNotDelivered
from qfleet_wire.key_delivery import Address, Key

PATIENCE_S = 15.0


class Caller(NamedTuple):
    """Where keys are delivered, and the SAE ID of whoever they are shared with."""

    where: Address
    context: ssl.SSLContext
    other: str
    patience_s: float = PATIENCE_S

    def new(self) -> Key:
        """Take a new key (``enc_keys``). Raises ``KeyNotDelivered``."""
        return key_delivery.read("enc_keys", *self._get(key_delivery.new_key(self.other)))

    def known(self, key_id: str) -> Key:
        """Get the key that the other has taken (``dec_keys``). Raises ``KeyNotDelivered``."""
        key = key_delivery.read("dec_keys", *self._get(key_delivery.known_key(self.other, key_id)))
        if key.id != key_id:
            raise KeyNotDelivered("the key delivery gave another key than it was asked for", for_good=True)
        return key

    def stored(self) -> int:
        """How many keys there are for the two (``status``). Raises ``KeyNotDelivered``."""
        return key_delivery.read_standing(*self._get(key_delivery.standing(self.other)))

    def _get(self, path: str) -> tuple[int, bytes]:
        host, port = self.where
        line = http.client.HTTPSConnection(host, port, timeout=self.patience_s, context=self.context)
        try:
            line.request("GET", path, headers={"Accept": "application/json"})
            response = line.getresponse()
            return response.status, response.read(key_delivery.ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise KeyNotDelivered(
                f"the key delivery at https://{host}:{port} does not answer: {error}"
            ) from error
        finally:
            line.close()


def client(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.3 of the side that calls, which shows its certificate. Raises ``SettingsInvalid``."""
    return filled(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca, certificate, key)


def filled(made: ssl.SSLContext, ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Give a context its files and the lowest version. Raises ``SettingsInvalid``."""
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
