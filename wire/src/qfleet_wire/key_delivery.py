"""A client's half of ETSI GS QKD 014 V1.1.1, without the call: what is asked for, and what an answer holds.

Devices and controllers mix such keys into their sessions, and rotators of tunnels give them to WireGuard;
each makes its calls its own way.
"""

import base64
import binascii
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import msgspec

from qfleet_wire.errors import KeyNotDelivered

KEY_BYTES: Final = 32
ANSWER_BYTES: Final = 1 << 16
"""The longest answer that is read."""
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FINE, _BAD_REQUEST, _UNAUTHORIZED = 200, 400, 401
_SAID = 200


@dataclass(frozen=True, slots=True)
class Key:
    """A key of 32 bytes and the ID by which both key deliveries know it."""

    id: str
    secret: bytes = field(repr=False)


class Address(NamedTuple):
    """A host and a port."""

    host: str
    port: int


class _Delivered(msgspec.Struct, frozen=True):
    key_ID: str  # noqa: N815 - the standard's name
    key: str


class _Container(msgspec.Struct, frozen=True):
    keys: list[_Delivered]


class _Standing(msgspec.Struct, frozen=True):
    stored_key_count: int
    min_key_size: int
    max_key_size: int


class _Refusal(msgspec.Struct, frozen=True):
    message: str = ""


def address(url: str) -> Address:
    """Where a key delivery is.

    Raises:
        ValueError: it is not ``https://HOST:PORT``.
    """
    try:
        read = urllib.parse.urlsplit(url)
        port = read.port or 443
    except ValueError:
        raise ValueError(f"url = {url!r} must be https://HOST:PORT") from None
    if read.scheme != "https" or not read.hostname or read.path not in {"", "/"} or read.username:
        raise ValueError(f"url = {url!r} must be https://HOST:PORT")
    return Address(read.hostname, port)


def new_key(slave: str) -> str:
    """The path that asks for one new key to share with another SAE (``enc_keys``)."""
    return _path(slave, "enc_keys", {"number": "1", "size": str(8 * KEY_BYTES)})


def known_key(master: str, key_id: str) -> str:
    """The path that asks for the key that another SAE has taken (``dec_keys``).

    Raises:
        KeyNotDelivered: no key can have such an ID.
    """
    if _ID.fullmatch(key_id) is None:
        raise KeyNotDelivered("no key of a key delivery has such an ID", for_good=True)
    return _path(master, "dec_keys", {"key_ID": key_id})


def standing(other: str) -> str:
    """The path that asks how many keys there are to share with another SAE (``status``)."""
    return f"/api/v1/keys/{urllib.parse.quote(other, safe='')}/status"


def read_standing(status: int, body: bytes) -> int:
    """How many keys are stored.

    Raises:
        KeyNotDelivered: it is a refusal, or no status, or keys of 32 bytes are not to be had.
    """
    if status != _FINE:
        raise _refusal("status", status, body)
    try:
        found = msgspec.json.decode(body, type=_Standing)
    except (msgspec.DecodeError, RecursionError):
        raise KeyNotDelivered("the answer to status is none as the standard has it") from None
    if not found.min_key_size <= 8 * KEY_BYTES <= found.max_key_size:
        raise KeyNotDelivered(
            f"keys have {found.min_key_size} to {found.max_key_size} bits there, "
            f"and {8 * KEY_BYTES} are needed"
        )
    return found.stored_key_count


def read(what: Literal["enc_keys", "dec_keys"], status: int, body: bytes) -> Key:
    """The one key of an answer.

    Raises:
        KeyNotDelivered: it is a refusal, or not one key of 32 bytes. Nothing of a key is repeated.
    """
    if status != _FINE:
        raise _refusal(what, status, body)
    try:
        (delivered,) = msgspec.json.decode(body, type=_Container).keys
        secret = base64.b64decode(delivered.key, validate=True)
    except (msgspec.DecodeError, binascii.Error, ValueError, RecursionError):
        raise KeyNotDelivered(f"the answer to {what} is not one key as the standard has it") from None
    if len(secret) != KEY_BYTES:
        raise KeyNotDelivered(f"{what} gave a key of {8 * len(secret)} bits, not of {8 * KEY_BYTES}")
    if _ID.fullmatch(delivered.key_ID) is None:
        raise KeyNotDelivered(f"{what} gave a key whose ID is not 1 to 64 of A-Z a-z 0-9 . _ -")
    return Key(delivered.key_ID, secret)


def _path(other: str, what: str, query: dict[str, str]) -> str:
    return f"/api/v1/keys/{urllib.parse.quote(other, safe='')}/{what}?{urllib.parse.urlencode(query)}"


def _refusal(what: str, status: int, body: bytes) -> KeyNotDelivered:
    try:
        said = msgspec.json.decode(body, type=_Refusal).message
    except (msgspec.DecodeError, RecursionError):
        said = ""
    hint = " (is the certificate that of an application there?)" if status == _UNAUTHORIZED else ""
    # 400 means that this key will never come; anything else may pass.
    return KeyNotDelivered(f"{what}: {status} {said[:_SAID]}{hint}", for_good=status == _BAD_REQUEST)
