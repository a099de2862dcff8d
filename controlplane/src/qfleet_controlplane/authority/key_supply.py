"""Keys of the key delivery at the controller's own site (ETSI GS QKD 014), for devices' sessions. Blocking.

A device names in its hello a key that it took from the key delivery at its site; the same key is asked for
here by that ID. The key delivery gives each key once, and the ID is stored as used with the session.
"""

import http.client
import ssl

from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.settings import QuantumKeys
from qfleet_wire import key_delivery
from qfleet_wire.channel.preshared import DELIVERED, PresharedKey
from qfleet_wire.errors import KeyNotDelivered
from qfleet_wire.names import DeviceName


class KeySupply:
    """Asks the key delivery of the settings.

    Raises:
        ConfigurationError: The certificate, its key or the authority's file cannot be used.
    """

    def __init__(self, settings: QuantumKeys) -> None:
        self._settings = settings
        self._where = key_delivery.address(settings.url)
        self._context = _context(settings)

    def known(self, device: DeviceName, key_id: str) -> PresharedKey:
        """The key that a device has taken; ``key_id`` as it stands in the hello.

        Raises:
            KeyNotDelivered: It does not come, and perhaps never will.
        """
        master = self._settings.devices.get(device, device)
        plain = key_id.removeprefix(DELIVERED)
        status, body = self._get(key_delivery.known_key(master, plain))
        key = key_delivery.read("dec_keys", status, body)
        if key.id != plain:
            raise KeyNotDelivered("the key delivery gave another key than it was asked for", for_good=True)
        return PresharedKey(key_id, key.secret)

    def _get(self, path: str) -> tuple[int, bytes]:
        host, port = self._where
        line = http.client.HTTPSConnection(host, port, timeout=self._settings.answer_s, context=self._context)
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


def _context(settings: QuantumKeys) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        made.load_cert_chain(settings.certificate_file, settings.key_file)
        made.load_verify_locations(settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"[security.qkd]: {settings.certificate_file}, {settings.key_file} and {settings.ca_file} are no "
            f"certificate, its key and what to check others against: {error}"
        ) from error
    return made
