"""What one end tells the other of a key that it has made: which bytes form it, and for whom.

It names bytes and never holds any, so it may be stored and repeated; only who holds the blocks
learns a key from it.
"""

import msgspec

from qfleet_agent.errors import AnnouncementRefused
from qfleet_agent.keystore.allotment import BLOCK_ID_BYTES, Range
from qfleet_wire import codec
from qfleet_wire.channel import derivation
from qfleet_wire.channel.labels import Label
from qfleet_wire.errors import RemoteError
from qfleet_wire.names import Millis

KEY_ID_BYTES = 16


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """A key of ``size`` bytes: its ranges joined in their order."""

    key: bytes
    """The 16 bytes of the UUID that is its key_ID."""
    master: str
    """SAE ID of the application that it was made for first."""
    slaves: tuple[str, ...]
    """SAE IDs of the applications at the other end that may fetch it."""
    size: int
    ranges: tuple[Range, ...]
    expires: Millis
    withdrawn: bool = False
    """It was given to nobody: its bytes are used up, and nobody may fetch it."""

    @property
    def digest(self) -> bytes:
        """What a repetition must have in common with it, withdrawn or not."""
        same = msgspec.structs.replace(self, withdrawn=False)
        return derivation.digest(Label.KEY_ANNOUNCEMENT, codec.encode(same))


def decode(data: bytes) -> Announcement:
    """Read an announcement.

    Raises:
        AnnouncementRefused: it is not one, or contradicts itself.
    """
    try:
        read = codec.decode(data, Announcement)
    except RemoteError as error:
        raise AnnouncementRefused(f"an announcement does not decode: {error}") from error
    check(read)
    return read


def check(read: Announcement) -> None:
    """Look for what no announcement may be. Raises ``AnnouncementRefused``."""
    if len(read.key) != KEY_ID_BYTES or any(len(one.block) != BLOCK_ID_BYTES for one in read.ranges):
        raise AnnouncementRefused("an announcement has an id of another length than 16 bytes")
    if read.size < 1 or sum(one.stop - one.start for one in read.ranges) != read.size:
        raise AnnouncementRefused(f"the ranges of key {read.key.hex()} do not have its {read.size} bytes")
    if not read.slaves and not read.withdrawn:
        raise AnnouncementRefused(f"key {read.key.hex()} is announced for no application")
