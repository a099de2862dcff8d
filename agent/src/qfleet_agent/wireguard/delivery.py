"""A client of the key delivery at this end: ETSI GS QKD 014 V1.1.1, over mutual TLS. Blocking."""

import base64
import binascii
import http.client
import ssl
import urllib.parse
from typing import NamedTuple

import msgspec

from qfleet_agent.errors import KeyNotDelivered
from qfleet_agent.wireguard.keys import PSK_BYTES, Key
from qfleet_agent.wireguard.messages import KeyId

_PATIENCE_S = 15.0
_MOST_BYTES = 1 << 16
_SAID = 200


class _Delivered(msgspec.Struct, frozen=True):
    key_ID: KeyId  # noqa: N815 - the standard's name
    key: str


class _Container(msgspec.Struct, frozen=True):
    keys: list[_Delivered]


class _Refusal(msgspec.Struct, frozen=True):
    message: str = ""


class Delivery(NamedTuple):
    """Where keys are delivered, and the SAE ID of the other rotator."""

    host: str
    port: int
    context: ssl.SSLContext
    other: str

    def new(self) -> Key:
        """Take a new key (``enc_keys``). Raises ``KeyNotDelivered``."""
        return self._get("enc_keys", {"number": "1", "size": str(8 * PSK_BYTES)})

    def known(self, key_id: str) -> Key:
        """Get the key that the other rotator has taken (``dec_keys``). Raises ``KeyNotDelivered``."""
        key = self._get("dec_keys", {"key_ID": key_id})
        if key.id != key_id:
            raise KeyNotDelivered("the key delivery gave another key than it was asked for", for_good=True)
        return key

    def _get(self, what: str, query: dict[str, str]) -> Key:
        other = urllib.parse.quote(self.other, safe="")
        path = f"/api/v1/keys/{other}/{what}?{urllib.parse.urlencode(query)}"
        line = http.client.HTTPSConnection(self.host, self.port, timeout=_PATIENCE_S, context=self.context)
        try:
            line.request("GET", path, headers={"Accept": "application/json"})
            response = line.getresponse()
            status, body = response.status, response.read(_MOST_BYTES)
        except (OSError, http.client.HTTPException) as error:
            where = f"https://{self.host}:{self.port}"
            raise KeyNotDelivered(f"the key delivery at {where} does not answer: {error}") from error
        finally:
            line.close()
        if status != http.HTTPStatus.OK:
            raise _refusal(what, status, body)
        return _key(what, body)


def _key(what: str, body: bytes) -> Key:
    try:
        (delivered,) = msgspec.json.decode(body, type=_Container).keys
        secret = base64.b64decode(delivered.key, validate=True)
    except (msgspec.DecodeError, binascii.Error, ValueError, RecursionError):
        # Nothing of it is repeated: it may hold a key.
        raise KeyNotDelivered(f"the answer to {what} is not one key as the standard has it") from None
    if len(secret) != PSK_BYTES:
        raise KeyNotDelivered(f"{what} gave a key of {8 * len(secret)} bits, not of {8 * PSK_BYTES}")
    return Key(delivered.key_ID, secret)


def _refusal(what: str, status: int, body: bytes) -> KeyNotDelivered:
    try:
        said = msgspec.json.decode(body, type=_Refusal).message
    except (msgspec.DecodeError, RecursionError):
        said = ""
    hint = (
        " (is the certificate that of an application there?)"
        if status == http.HTTPStatus.UNAUTHORIZED
        else ""
    )
    text = said[:_SAID] or http.client.responses.get(status, "")
    # 400 means that this key will never come; anything else may pass.
    return KeyNotDelivered(f"{what}: {status} {text}{hint}", for_good=status == http.HTTPStatus.BAD_REQUEST)
