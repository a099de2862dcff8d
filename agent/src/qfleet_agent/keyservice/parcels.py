"""What the key processes of two devices say to each other over the one line between them.

A message of the line is one parcel: of a session of key exchange, of a relay, or of the delivery of keys.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from qfleet_agent.delivery.announcer import Answer
from qfleet_agent.errors import KeyParcelInvalid
from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.peers.stream import MOST_MESSAGE
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError

_ROOM = MOST_MESSAGE - 64
"""Bytes of the items of one parcel."""


class Exchanged(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """A message of a key exchange, which names its session itself."""

    data: bytes

    def __repr__(self) -> str:
        return f"Exchanged({len(self.data)} bytes)"


class Relayed(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """A message of a relay, which names it itself."""

    data: bytes

    def __repr__(self) -> str:
        return f"Relayed({len(self.data)} bytes)"


class Announced(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """Keys that were made at the sender. The answer bears the same number."""

    number: int
    items: tuple[Announcement, ...]


class Answered(msgspec.Struct, frozen=True, array_like=True, tag="A"):
    """What the sender says of the keys announced under this number; ``last``: that was all."""

    number: int
    answers: tuple[Answer, ...]
    last: bool


Parcel: TypeAlias = Exchanged | Relayed | Announced | Answered

_decoder: msgspec.msgpack.Decoder[Parcel] = msgspec.msgpack.Decoder(Parcel)


def opened(message: bytes) -> Parcel:
    """Read a message of a line.

    Raises:
        KeyParcelInvalid: it is no parcel.
    """
    try:
        return _decoder.decode(message)
    except (msgspec.MsgspecError, RemoteError, ValueError, RecursionError) as error:
        raise KeyParcelInvalid(f"a message of the other key process is not valid: {error}") from error


def announced(number: int, items: Iterable[Announcement]) -> Iterator[tuple[bytes, Announced]]:
    """Parcels of as many announcements as each has room for, numbered upwards from ``number``."""
    for group in _grouped(list(items)):
        parcel = Announced(number, tuple(group))
        yield codec.encode(parcel), parcel
        number += 1


def answered(number: int, answers: Sequence[Answer]) -> Iterator[bytes]:
    """Parcels of answers; the last one says that it is."""
    groups = _grouped(list(answers)) or [[]]
    for place, group in enumerate(groups, 1):
        yield codec.encode(Answered(number, tuple(group), last=place == len(groups)))


def _grouped(items: list[codec.T]) -> list[list[codec.T]]:
    """Items in their order, cut where another one would not fit; one that is too long alone stays alone."""
    groups: list[list[codec.T]] = []
    room = 0
    for item in items:
        size = len(msgspec.msgpack.encode(item))
        if not groups or size > room:
            groups.append([])
            room = _ROOM
        groups[-1].append(item)
        room -= size
    return groups
