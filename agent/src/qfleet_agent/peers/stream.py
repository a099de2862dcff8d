"""An ordered stream of messages over packets that get lost, doubled, delayed and reordered. Pure.

Both ends draw an id when they begin. A packet names its sender's id and, once it is known, the receiver's;
messages travel only in packets that name both, so that what was meant for an end which has since begun anew
is never taken by its successor. An end that meets a new id of its peer begins anew itself: the stream is
cut, what was not confirmed may be lost, and its user is told. Only a later session brings a new id, so a
packet that comes late from an end that is no more cuts nothing. Timeouts follow RFC 6298.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

from qfleet_wire import codec
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.peering import MOST_PLAINTEXT
from qfleet_wire.errors import RemoteError
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import Millis

ID_BYTES: Final = 8
WINDOW: Final = 256
"""Messages under way at most."""
WINDOW_BYTES: Final = 512 * 1024
"""Bytes under way at most, unless one message is larger."""
MOST_MESSAGE: Final = MOST_PLAINTEXT - 128
"""Bytes of one message; the rest is the packet's own."""
MOST_WAITING: Final = 1024
MOST_WAITING_BYTES: Final = 8 * 1024 * 1024
"""What waits to be confirmed, and what waits to be read, at most."""
FIRST_MS: Final = 1_000
LEAST_MS: Final = 250
MOST_MS: Final = 20_000
"""Times until a packet is repeated: at first, at least, at most (RFC 6298, 2.1 and 2.4, but sooner)."""
_ITEM_BYTES: Final = 16

Id = Annotated[bytes, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class Packet(msgspec.Struct, frozen=True, array_like=True):
    """The plaintext of one sealed message between two devices.

    ``to`` is empty until the receiver's id is known. ``next`` is the number of the message that the sender
    of the packet waits for, ``first`` that of the first in ``items``.
    """

    sender: Id
    to: Annotated[bytes, msgspec.Meta(max_length=ID_BYTES)]
    next: Count
    first: Count = 0
    items: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=WINDOW)] = ()


class Cut(msgspec.Struct, frozen=True):
    """The stream has begun anew; so many messages may not have arrived."""

    unconfirmed: int


@dataclass(slots=True)
class _Outgoing:
    """What was not confirmed: ``base`` is the number of the first, ``sent`` of them are under way."""

    waiting: deque[bytes] = field(default_factory=deque)
    base: int = 0
    sent: int = 0
    bytes: int = 0


class Stream:
    """One end. Time is in milliseconds of a monotonic clock."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._own = random(ID_BYTES)
        self._peer = b""
        self._generation = -1
        self._out = _Outgoing()
        self._next = 0
        self._early: dict[int, bytes] = {}
        self._ready: deque[bytes | Cut] = deque()
        self._ready_bytes = 0
        self._owes = True
        """Whether the peer should hear from us soon."""
        self._timed: tuple[int, Millis] | None = None
        self._smoothed: float | None = None
        self._varied = 0.0
        self._timeout = FIRST_MS
        self._repeat_at: Millis | None = None

    @property
    def joined(self) -> bool:
        """Whether both ends know each other."""
        return bool(self._peer)

    @property
    def unconfirmed(self) -> int:
        """Messages that the peer has not confirmed."""
        return len(self._out.waiting)

    @property
    def has_room(self) -> bool:
        """Whether another message may be put in."""
        return len(self._out.waiting) < MOST_WAITING and self._out.bytes < MOST_WAITING_BYTES

    @property
    def readable(self) -> bool:
        """Whether ``read`` has something."""
        return bool(self._ready)

    @property
    def awaits(self) -> bool:
        """Whether an answer of the peer must come: it has not joined, or has messages to confirm."""
        return not self._peer or self._out.sent > 0

    def nudge(self) -> None:
        """Say everything again that is not confirmed, and something in any case: the way is new."""
        self._out.sent, self._timed = 0, None
        self._repeat_at, self._owes = None, True
        self._timeout = self._computed()

    def put(self, message: bytes) -> None:
        """Put a message in line; the caller has asked for room."""
        self._out.waiting.append(message)
        self._out.bytes += len(message)

    def read(self) -> bytes | Cut | None:
        """Remove the next message, or the word that the stream was cut here."""
        if not self._ready:
            return None
        got = self._ready.popleft()
        if isinstance(got, bytes):
            was_full = self._is_full
            self._ready_bytes -= len(got)
            self._owes = self._owes or (was_full and not self._is_full)
        return got

    def wake(self) -> Millis | None:
        """When ``packets`` has something at the latest; None: not before something else happens."""
        return self._repeat_at

    def take(self, plaintext: bytes, generation: int, now: Millis) -> bool:
        """Take in a packet of a session of this generation; False if nothing in it counts. Never raises."""
        try:
            packet = codec.decode(plaintext, Packet, limit=LIMITS.peer_bytes)
        except RemoteError:
            return False
        if packet.to not in {b"", self._own}:
            return False
        if packet.sender != self._peer:
            if self._peer and generation <= self._generation:
                return False
            self._meet(packet.sender)
        self._generation = max(self._generation, generation)
        if packet.to == self._own:
            self._confirm(packet.next, now)
            self._accept(packet)
        else:
            self._owes = True
        return True

    def packets(self, now: Millis) -> list[bytes]:
        """Return what to send now; ask again at ``wake``, and after everything that happens."""
        if self._repeat_at is not None and now >= self._repeat_at:
            self._timeout = min(2 * self._timeout, MOST_MS)
            self._out.sent = 0
            self._timed = self._repeat_at = None
            self._owes = True
        made: list[bytes] = []
        while self._peer and self._may_send():
            made.append(self._packet(self._take_items(now)))
        if not made and self._owes:
            made.append(self._packet(()))
        self._owes = False
        if self._repeat_at is None and (self._out.sent or not self._peer):
            self._repeat_at = Millis(now + self._timeout)
        return made

    @property
    def _is_full(self) -> bool:
        return len(self._ready) >= MOST_WAITING or self._ready_bytes >= MOST_WAITING_BYTES

    def _may_send(self) -> bool:
        out = self._out
        under_way = sum(map(len, list(out.waiting)[: out.sent])) if out.sent else 0
        return out.sent < min(len(out.waiting), WINDOW) and (not out.sent or under_way < WINDOW_BYTES)

    def _take_items(self, now: Millis) -> tuple[bytes, ...]:
        out, room, items = self._out, MOST_MESSAGE, list[bytes]()
        while out.sent < min(len(out.waiting), WINDOW):
            message = out.waiting[out.sent]
            if items and len(message) + _ITEM_BYTES > room:
                break
            items.append(message)
            room -= len(message) + _ITEM_BYTES
            out.sent += 1
        if self._timed is None:
            self._timed = (out.base + out.sent, now)
        return tuple(items)

    def _packet(self, items: tuple[bytes, ...]) -> bytes:
        first = self._out.base + self._out.sent - len(items)
        return codec.encode(Packet(self._own, self._peer, self._next, first, items))

    def _confirm(self, waits_for: int, now: Millis) -> None:
        out = self._out
        done = waits_for - out.base
        if not 0 < done <= len(out.waiting):
            return
        for _ in range(done):
            out.bytes -= len(out.waiting.popleft())
        out.base, out.sent = waits_for, max(out.sent - done, 0)
        if self._timed is not None and waits_for >= self._timed[0]:
            self._learn(now - self._timed[1])
            self._timed = None
        # Something arrived: what is still under way gets its time anew (RFC 6298, 5.3).
        self._timeout = self._computed()
        self._repeat_at = Millis(now + self._timeout) if out.sent else None

    def _accept(self, packet: Packet) -> None:
        for number, message in enumerate(packet.items, packet.first):
            self._owes = True
            if self._next <= number < self._next + WINDOW:
                self._early[number] = message
        while self._next in self._early and not self._is_full:
            message = self._early.pop(self._next)
            self._next += 1
            self._ready.append(message)
            self._ready_bytes += len(message)
        if self._is_full:
            self._early.clear()  # not confirmed: it comes again

    def _meet(self, peer: bytes) -> None:
        """Speak to this end of the peer from now on; that is a cut if there was another before."""
        if self._peer:
            self._ready.append(Cut(len(self._out.waiting)))
            self._own, self._out = self._random(ID_BYTES), _Outgoing()
            self._next, self._early = 0, {}
        self._peer = peer
        self._timed = self._repeat_at = None
        self._timeout, self._owes = FIRST_MS, True

    def _learn(self, took: int) -> None:
        if self._smoothed is None:
            self._smoothed, self._varied = float(took), took / 2
            return
        self._varied += 0.25 * (abs(self._smoothed - took) - self._varied)
        self._smoothed += 0.125 * (took - self._smoothed)

    def _computed(self) -> int:
        if self._smoothed is None:
            return FIRST_MS
        return int(min(max(self._smoothed + 4 * self._varied, LEAST_MS), MOST_MS))
