"""What the link holds in memory of each device: sessions, key, and what waits to be sent.

Nothing here outlives the process. After a restart devices resume, and the service decides anew
what to send.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from qfleet_controlplane.link.waiting import Waiting
from qfleet_wire import codec, payloads
from qfleet_wire.channel import keys
from qfleet_wire.channel.session import Session
from qfleet_wire.channel.sessions import Sessions
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, Millis

MESSAGE_BYTES = 512 * 1024
"""Plaintext size at which a sealed message is closed."""
_MOST_QUEUED = 4 * LIMITS.batch_items
_NEVER = Millis(0)
_MOST_SHOWN = 8
"""A peer holds at most four pending sessions, the current and the previous one."""


@dataclass(slots=True)
class Queue:
    """Encoded payloads for one device, in order; after them what other devices sent to it."""

    items: deque[msgspec.Raw] = field(default_factory=deque)
    forwarded: Waiting = field(default_factory=Waiting)

    def __bool__(self) -> bool:
        return bool(self.items or self.forwarded)

    def add(self, down: payloads.Down) -> bool:
        """Append a payload; False when the queue is full and it was dropped."""
        if len(self.items) >= _MOST_QUEUED:
            return False
        self.items.append(msgspec.Raw(codec.encode(down)))
        return True

    def forward(self, sender: DeviceName, message: payloads.FromPeer) -> bool:
        """Let a message of another device wait; False when there is no room for it."""
        return self.forwarded.add(sender, codec.encode(message))

    def clear(self) -> None:
        """Forget everything."""
        self.items.clear()
        self.forwarded.clear()

    def take(self) -> tuple[msgspec.Raw, ...]:
        """Remove what fits one sealed message; at least one payload when there are any."""
        taken: list[msgspec.Raw] = []
        size = 0
        while self.items and len(taken) < LIMITS.batch_items:
            size += memoryview(self.items[0]).nbytes
            if taken and size > MESSAGE_BYTES:
                return tuple(taken)
            taken.append(self.items.popleft())
        room, most = MESSAGE_BYTES - size, LIMITS.batch_items - len(taken)
        return (*taken, *self.forwarded.take(room, most, at_least_one=not taken))

    def put_back(self, taken: tuple[msgspec.Raw, ...]) -> None:
        """Return what could not be sent to the front."""
        self.items.extendleft(reversed(taken))


@dataclass(frozen=True, slots=True)
class Shown:
    """The certificate that stands behind a session."""

    certificate_hash: bytes
    public_key: bytes = field(repr=False)
    """As bytes: a loaded key takes five times the memory, and loading it an eighth of a verification."""

    def key(self) -> MLDSA65PublicKey:
        """Load the key."""
        return keys.load_public(self.public_key)


@dataclass(slots=True, eq=False)
class Peer:
    """One device as the link knows it."""

    name: DeviceName
    sessions: Sessions = field(default_factory=Sessions, repr=False)
    queue: Queue = field(default_factory=Queue, repr=False)
    pump: "asyncio.Task[None] | None" = field(default=None, repr=False)
    patience: asyncio.TimerHandle | None = field(default=None, repr=False)
    """Rings when what is queued has waited long enough for company."""
    crowded_until: Millis = _NEVER
    """Until when messages are dropped unopened, because more wait than one device may have waiting."""
    lossy: bool = False
    """Whether something was dropped since the device was last asked what it holds."""
    _shown: dict[bytes, Shown] = field(default_factory=dict, repr=False)

    def propose(self, session: Session, shown: Shown, now: Millis) -> None:
        """Hold a session until its first message opens, and what it was opened with."""
        self.sessions.propose(session, now)
        # Sessions under one certificate share what is kept of it.
        same = (held for held in self._shown.values() if held == shown)
        self._shown[session.id] = next(same, shown)
        while len(self._shown) > _MOST_SHOWN:
            del self._shown[next(iter(self._shown))]

    def shown(self, session: Session) -> Shown | None:
        """Return the certificate behind a session that has opened something."""
        return self._shown.get(session.id)


class Peers:
    """All devices that the link has met."""

    def __init__(self) -> None:
        self._peers: dict[DeviceName, Peer] = {}
        self._shut_out: set[DeviceName] = set()

    def get(self, device: DeviceName) -> Peer | None:
        """Return the peer of this name, if any was made."""
        return self._peers.get(device)

    def ensure(self, device: DeviceName) -> Peer:
        """Return the peer of this name, made if need be; only for devices that have proved themselves."""
        peer = self._peers.get(device)
        if peer is None:
            peer = self._peers[device] = Peer(device)
        return peer

    def shut_out(self, device: DeviceName) -> None:
        """End a device's sessions at once and let none begin again in this process."""
        self._shut_out.add(device)
        self.end(device)

    def is_shut_out(self, device: DeviceName) -> bool:
        """Whether a device was shut out, before the store may know it."""
        return device in self._shut_out

    def end(self, device: DeviceName) -> None:
        """End a device's sessions and forget what waits for it."""
        peer = self._peers.pop(device, None)
        if peer is not None:
            peer.sessions.end()
            peer.queue.clear()

    def all(self) -> list[Peer]:
        """Return every peer."""
        return list(self._peers.values())

    def queued(self) -> int:
        """Count payloads that wait to be sent, over all devices."""
        return sum(len(peer.queue.items) + len(peer.queue.forwarded) for peer in self._peers.values())
