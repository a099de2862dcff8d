"""The join token: all that a device needs to enrol, in one line of text that fits a QR code.

``qf1-`` and base32 of: length (2 bytes), MessagePack, checksum (4 bytes). Base32, so that case does
not matter and QR codes stay small. A token is a secret: it is shown once and never logged.
"""

import base64
from typing import Annotated, Any, Final

import msgspec

from qfleet_wire import codec
from qfleet_wire.channel import derivation
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.labels import Label
from qfleet_wire.errors import InvalidMessage, InvalidName, InvalidToken, LimitExceeded
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, FleetName, Millis, RegionName, parse_name

PREFIX: Final = "qf1-"
TOKEN_ID_BYTES: Final = 16
SECRET_BYTES: Final = 32
_CHECKSUM_BYTES: Final = 4
_LENGTH_BYTES: Final = 2

_Id = Annotated[bytes, msgspec.Meta(min_length=TOKEN_ID_BYTES, max_length=TOKEN_ID_BYTES)]
_Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class JoinToken(msgspec.Struct, frozen=True, array_like=True):
    """What an invitation hands to a device.

    ``login`` and ``password`` open the ``enrol`` topic and the authority record only.
    ``authority`` is the SHA-256 of the authority record. ``secret`` has 256 bits and never travels.
    """

    fleet: FleetName
    region: RegionName
    device: DeviceName
    broker: str
    login: str
    password: str
    authority: _Bytes32
    token_id: _Id
    secret: _Bytes32
    expires: Millis

    def __repr__(self) -> str:
        """Leave out the secret and the password."""
        return f"JoinToken({self.fleet}/{self.region}/{self.device}, id={self.token_id.hex()}, …)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Leave out the secret and the password."""
        return [("", repr(self))]


def new_token_id(random: Random) -> bytes:
    """Draw the public id of a token."""
    return random(TOKEN_ID_BYTES)


def new_secret(random: Random) -> bytes:
    """Draw the secret of a token."""
    return random(SECRET_BYTES)


def token_key(secret: bytes, token_id: bytes) -> bytes:
    """Derive the key that proves knowledge of the secret; a controller stores this, not the secret."""
    return derivation.expand(secret, Label.TOKEN_KEY, token_id)


def write(token: JoinToken) -> str:
    """Spell a token; the inverse of ``read``."""
    body = codec.encode(token)
    framed = len(body).to_bytes(_LENGTH_BYTES, "big") + body + _checksum(body)
    return _spell(framed)


def read(text: str, *, now: Millis | None = None) -> JoinToken:
    """Read a token; white space around and inside it, and case, do not matter.

    Args:
        text: the token.
        now: checks the expiry when given. A device whose clock may be wrong gives None and lets
            the controller decide.

    Raises:
        InvalidToken: cut off, mistyped, expired, or none of ours; never with the token's text.
    """
    line = "".join(text.split()).lower()
    framed = _frame(line)
    length = int.from_bytes(framed[:_LENGTH_BYTES], "big")
    total = _LENGTH_BYTES + length + _CHECKSUM_BYTES
    if len(framed) < total:
        raise InvalidToken(
            f"join token is cut off: {len(framed)} of {total} bytes are there; copy the whole line"
        )
    body, checksum = framed[_LENGTH_BYTES:-_CHECKSUM_BYTES], framed[-_CHECKSUM_BYTES:]
    if len(framed) != total or checksum != _checksum(body) or _spell(framed) != line:
        raise InvalidToken("join token is mistyped (its checksum is wrong): copy it again")
    token = _decode(body)
    if now is not None and now > token.expires:
        raise InvalidToken(
            f"join token expired {(now - token.expires) // 1000} s ago: invite the device again"
        )
    return token


def _frame(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise InvalidToken(f"not a join token: one starts with {PREFIX!r}")
    digits = text[len(PREFIX) :].upper()
    if len(digits) > LIMITS.token_characters:
        raise InvalidToken(f"not a join token: {len(digits)} characters are too many")
    try:
        # b32decode wants whole groups; a cut token still decodes up to its last whole byte.
        whole = digits[: len(digits) // 8 * 8 + {2: 2, 4: 4, 5: 5, 7: 7}.get(len(digits) % 8, 0)]
        framed = base64.b32decode(whole + "=" * (-len(whole) % 8))
    except ValueError as error:  # also what is not ASCII
        raise InvalidToken(
            "join token has a character that none can have (only a-z and 2-7): copy it again"
        ) from error
    if len(framed) <= _LENGTH_BYTES + _CHECKSUM_BYTES:
        raise InvalidToken("join token is cut off: copy the whole line")
    return framed


def _spell(framed: bytes) -> str:
    return PREFIX + base64.b32encode(framed).decode().rstrip("=").lower()


def _decode(body: bytes) -> JoinToken:
    try:
        token = codec.decode(body, JoinToken)
        parse_name(token.fleet, "fleet")
        parse_name(token.region, "region")
        parse_name(token.device, "device")
    except (InvalidMessage, LimitExceeded, InvalidName) as error:
        raise InvalidToken("join token is of another version of qfleet: update the agent") from error
    return token


def _checksum(body: bytes) -> bytes:
    return derivation.digest(Label.TOKEN_CHECKSUM, body)[:_CHECKSUM_BYTES]
