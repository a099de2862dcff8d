"""A first byte that says what follows, then one struct: how every unsealed message is written.

One message has one spelling: otherwise whoever carries it could respell a signed request at will and be
answered each time as if it were a new one. Bodies, which are signed, may hold unknown fields.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from qfleet_wire import codec
from qfleet_wire.errors import InvalidMessage, LimitExceeded, Refused
from qfleet_wire.limits import LIMITS

T = TypeVar("T", bound=msgspec.Struct)


class Framing:
    """Writes and reads the messages of one family, each after the byte that is its own."""

    __slots__ = ("_kinds",)

    def __init__(self, types: Mapping[Any, type[msgspec.Struct]]) -> None:
        self._kinds = {message: bytes((kind,)) for kind, message in types.items()}

    def write(self, message: msgspec.Struct) -> bytes:
        """Encode a message as a frame."""
        return self._kinds[type(message)] + codec.encode(message)

    def read(self, frame: bytes, kind: type[T]) -> T:
        """Decode a frame that must be of this kind and encoded as ``write`` does it.

        Raises:
            Refused: another kind, too long, or not decodable (code ``invalid``).
        """
        if frame[:1] != self._kinds[kind]:
            raise Refused(f"frame is not a {kind.__name__}", code="invalid")
        message = decode(frame[1:], kind)
        if self.write(message) != frame:
            raise Refused(f"{kind.__name__} is not encoded canonically", code="invalid")
        return message


def decode(data: bytes, kind: type[T]) -> T:
    """Decode an unsealed struct within the limit of a hello; raises ``Refused`` (code ``invalid``)."""
    try:
        return codec.decode(data, kind, limit=LIMITS.hello_bytes)
    except (InvalidMessage, LimitExceeded) as error:
        raise Refused(str(error), code="invalid") from error
