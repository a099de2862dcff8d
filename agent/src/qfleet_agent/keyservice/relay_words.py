"""What key processes say to each other of relays: a message, with the announcement of its pad."""

from typing import TypeAlias

import msgspec

from qfleet_agent.errors import AnnouncementRefused
from qfleet_agent.keystore import announcement
from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.relay.errors import RelayRefused
from qfleet_wire import codec


class Carry(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """A message of ``relay.messages``, and which bytes form the pad that it names."""

    message: bytes
    pad: Announcement | None = None

    def __repr__(self) -> str:
        return f"Carry({len(self.message)} bytes)"


class Received(msgspec.Struct, frozen=True, array_like=True, tag="g"):
    """The bytes of this pad are used up here, too: its announcement need not be repeated."""

    pad: bytes


Said: TypeAlias = Carry | Received

_decoder: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)


def opened(data: bytes) -> Said:
    """Read what was said.

    Raises:
        RelayRefused: It is nothing that is said of a relay.
    """
    try:
        said = _decoder.decode(data)
        if isinstance(said, Carry) and said.pad is not None:
            announcement.check(said.pad)
    except (msgspec.MsgspecError, AnnouncementRefused, ValueError, RecursionError) as error:
        raise RelayRefused(f"what was said of a relay does not read: {error}") from error
    return said


def received(pad: bytes) -> bytes:
    """Say that a pad's bytes are used up."""
    return codec.encode(Received(pad))
