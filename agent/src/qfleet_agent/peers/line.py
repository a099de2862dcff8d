"""The line to one other device: shakes hands, repeats, and hands messages to its user in order.

The user sends and receives; all else happens by itself, for as long as it takes. A line that is cut says so
once, in its place among the messages, and goes on.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from qfleet_agent.errors import AgentError, PeerCut, PeerMessageTooLong
from qfleet_agent.keylink.protocol import NotSent
from qfleet_agent.peers.stream import MOST_MESSAGE, Cut, Stream
from qfleet_agent.ways.backoff import Backoff
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.channel.peering import Peering
from qfleet_wire.channel.preshared import Ring
from qfleet_wire.errors import WireError
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.profile import Security

HELLO_S: Final = 1.0
MOST_HELLO_S: Final = 60.0
HELLO_LIVES_MS: Final = 45_000
"""How long the same hello is said again; the peer gives the same answer for a minute."""
SILENT_MS: Final = 15_000
"""An answer that does not come for so long: the peer may have lost the session."""
PAUSE_MS: Final = 500
"""After a word that something was not forwarded for want of room, or that the peer is away."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Around:
    """What lines are given. ``now`` counts milliseconds and is never set; ``post`` hands a body on."""

    own: Callable[[], Credentials]
    standing: Callable[[], Standing]
    online: Callable[[], bool]
    post: Callable[[DeviceName, bytes], bool]
    now: Callable[[], Millis]
    random: Random
    security: Security


class Line:
    """Made by ``network.PeerNetwork.connect``."""

    def __init__(self, peer: DeviceName, around: Around, ring: Ring | None = None) -> None:
        """Prepare; raises ``Untrusted`` if the peer is this device itself."""
        self.peer = peer
        self._around = around
        self._peering = Peering(around.own(), peer, around.security, ring=ring)
        self._stream = Stream(around.random)
        self._backoff = Backoff(HELLO_S, MOST_HELLO_S)
        self._hello_at = around.now()
        self._hello_since: Millis | None = None
        self._waits_since: Millis | None = None
        """Since when an answer is awaited; None while none is."""
        self._paused_until = around.now()
        self._was_online = False
        self._kick = asyncio.Event()
        self._room = asyncio.Event()
        self._readable = asyncio.Event()
        self.dropped: Counter[str] = Counter()
        """Frames of the peer that gave nothing, by kind of reason."""
        self.trouble: str | None = "no session yet"
        """Why messages do not pass at present, or None."""

    @property
    def open(self) -> bool:
        """Whether both ends have heard of each other."""
        return self._peering.ready and self._stream.joined

    @property
    def unconfirmed(self) -> int:
        """Messages that the peer has not confirmed."""
        return self._stream.unconfirmed

    async def send(self, message: bytes) -> None:
        """Put a message in line, when there is room; it is repeated until the peer has it, or a cut.

        Raises:
            PeerMessageTooLong: it has more than ``MOST_MESSAGE`` bytes.
        """
        if len(message) > MOST_MESSAGE:
            raise PeerMessageTooLong(
                f"a message to {self.peer!r} has {len(message)} bytes, at most {MOST_MESSAGE}: split it"
            )
        while not self._stream.has_room:
            self._room.clear()
            await self._room.wait()
        self._stream.put(message)
        self._kick.set()

    async def receive(self) -> bytes:
        """Return the next message of the peer.

        Raises:
            PeerCut: here one of the two ends has begun anew. The next call goes on after it.
        """
        while (got := self._stream.read()) is None:
            self._readable.clear()
            await self._readable.wait()
        self._kick.set()
        if isinstance(got, Cut):
            raise PeerCut(self.peer, got.unconfirmed)
        return got

    # ── what the network tells ──────────────────────────────────────────────────────────────

    def take(self, body: bytes) -> None:
        """Take in what was forwarded as coming from the peer; never raises."""
        now = self._around.now()
        try:
            self._peering.own = self._around.own()
            standing = self._around.standing()
        except (AgentError, WireError, OSError) as error:
            self.trouble = f"this device's identity cannot be read: {error}"
            return
        taken = self._peering.take(body, standing, now=now, random=self._around.random)
        if taken.dropped:
            self.dropped[taken.dropped[:60]] += 1
        if taken.refused:
            self.trouble = f"device {self.peer!r} refuses: {taken.refused}"
        if taken.reply is not None:
            self._around.post(self.peer, taken.reply)
        if taken.opened:
            self._opened(now)
        if taken.plaintext is not None:
            self._waits_since = None
            self.trouble = None
            self._stream.take(taken.plaintext, taken.generation, now)
            self._tell()
        self._kick.set()

    def not_sent(self, word: NotSent) -> None:
        """Take in that a body was not forwarded."""
        self.trouble = word.text
        self._paused_until = Millis(self._around.now() + PAUSE_MS)
        self._kick.set()

    def changed(self) -> None:
        """The way to the controller has come or gone."""
        came = self._around.online() and not self._was_online
        self._was_online = self._around.online()
        if came:
            self._stream.nudge()
            self._hello_at = self._around.now()
        self._kick.set()

    # ── what happens by itself ──────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Keep the line until cancelled."""
        while True:
            self._kick.clear()
            wait_s = self._step()
            try:
                async with asyncio.timeout(wait_s):
                    await self._kick.wait()
            except TimeoutError:
                pass

    def _step(self) -> float | None:
        """Send what is due; return how long to wait unless something happens."""
        now = self._around.now()
        if not self._around.online():
            return None
        if now < self._paused_until:
            return (self._paused_until - now) / 1000
        due: list[Millis] = []
        if self._wants_handshake(now):
            self._hello(now)
            due.append(self._hello_at)
        if self._peering.ready:
            due += self._packets(now)
        if not due:
            return None
        return max(min(due) - now, 0) / 1000

    def _wants_handshake(self, now: Millis) -> bool:
        silent = self._waits_since is not None and now - self._waits_since >= SILENT_MS
        return self._peering.opening or silent or self._peering.due(now)

    def _hello(self, now: Millis) -> None:
        if now < self._hello_at:
            return
        if self._hello_since is not None and now - self._hello_since >= HELLO_LIVES_MS:
            self._peering.give_up()
            self._hello_since = None
        try:
            self._peering.own = self._around.own()
            self._around.post(self.peer, self._peering.begin(self._around.random))
        except (AgentError, WireError, OSError) as error:
            self.trouble = f"no handshake with device {self.peer!r} can begin: {error}"
            log.warning("%s", self.trouble, extra={"action": "peer-hello"})
        if self._hello_since is None:
            self._hello_since = now
        wait_s = self._backoff.next_s(now / 1000, self._around.random)
        self._hello_at = Millis(now + int(wait_s * 1000))

    def _opened(self, now: Millis) -> None:
        """Another session counts: say something under it, so that the peer knows, and all that waits anew."""
        self._backoff = Backoff(HELLO_S, MOST_HELLO_S)
        self._hello_at, self._hello_since = now, None
        self._waits_since = None
        self._stream.nudge()

    def _packets(self, now: Millis) -> list[Millis]:
        for packet in self._stream.packets(now):
            sealed = self._peering.seal(packet, now=now, random=self._around.random)
            self._around.post(self.peer, sealed)
        self._tell()
        if self._stream.awaits and self._waits_since is None:
            self._waits_since = now
        wake = [] if self._stream.wake() is None else [self._stream.wake()]
        silent = [] if self._waits_since is None else [Millis(self._waits_since + SILENT_MS)]
        return [time for time in (*wake, *silent) if time is not None and time > now]

    def _tell(self) -> None:
        if self._stream.readable:
            self._readable.set()
        if self._stream.has_room:
            self._room.set()
