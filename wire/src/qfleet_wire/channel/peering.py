"""One end of the path between two devices: handshakes, sessions and what may be made of arriving bytes.

Pure: the caller carries frames, remembers that pre-shared keys have served (``Ring.used``, before it
sends), and calls ``begin`` again when ``due``. ``take`` never raises, whatever a forwarder makes of the
frames: what gives nothing is named and dropped, and changes nothing.

Both ends may begin at once: ``peer_sessions`` says which of the two sessions remains.
"""

from typing import Final, NamedTuple

from qfleet_wire.channel import peer_frames, peer_handshake
from qfleet_wire.channel.answers import Answers
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.frames import Refusal, frame_hash
from qfleet_wire.channel.identity import DeviceIdentity
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.channel.peer_frames import Kind
from qfleet_wire.channel.peer_handshake import Attempt, Offer
from qfleet_wire.channel.peer_sessions import PeerSessions
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.channel.rates import Buckets
from qfleet_wire.channel.session import OVERHEAD, Opened
from qfleet_wire.errors import AnotherAnswer, MessageTooLong, NoSession, Refused, SuiteUnavailable, Untrusted
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.profile import Security

MOST_PLAINTEXT: Final = LIMITS.peer_bytes - OVERHEAD
"""Bytes of one message between two devices."""
HELLO_BURST: Final = 8
HELLO_MS: Final = 2_000
"""Hellos that are verified at once, and then one in so many milliseconds: each costs signatures."""


class Taken(NamedTuple):
    """What came of a frame; at most one of the first two is given.

    ``reply`` is to be sent back, ``plaintext`` is a message of the peer, under a session of ``generation``:
    a peer that has begun anew has higher ones than before. ``opened`` says that another
    session counts from now on: everything under way under the last one may be lost. ``dropped`` says
    why the frame gave nothing; ``refused`` is the peer's own word for it, which anyone can forge.
    """

    reply: bytes | None = None
    plaintext: bytes | None = None
    generation: int = 0
    opened: bool = False
    dropped: str = ""
    refused: str = ""


class Peering:
    """All that one device holds of its path to one other. Not stored: after a restart, shake hands."""

    def __init__(
        self, own: Credentials, peer: DeviceName, security: Security, *, ring: Ring | None = None
    ) -> None:
        """Prepare for a peer; ``ring`` holds keys shared with this peer alone.

        Raises:
            Untrusted: ``own`` is not a device, or is the peer itself.
        """
        if not isinstance(own.identity, DeviceIdentity) or own.identity.device == peer:
            raise Untrusted(f"these credentials cannot have a session with device {peer!r}")
        self.own = own
        """Our credentials; replace them after a renewal."""
        self.peer = peer
        self._security = security
        self._ring = ring or Ring(())
        self._sessions = PeerSessions()
        self._answers = Answers()
        self._hellos = Buckets(burst=HELLO_BURST, interval_ms=HELLO_MS)
        self._attempt: Attempt | None = None
        self._since: Millis | None = None
        self._refused_keys: set[str] = set()

    @property
    def ready(self) -> bool:
        """Whether messages can be sealed."""
        return self._sessions.current is not None

    @property
    def opening(self) -> bool:
        """Whether an own hello waits for its answer."""
        return self._attempt is not None

    def due(self, now: Millis) -> bool:
        """Whether to begin a handshake: there is no session, or it is older than the profile allows."""
        if self._since is None:
            return True
        return abs(now - self._since) >= self._security.rekey_minutes * 60_000

    def begin(self, random: Random) -> bytes:
        """Return the hello to send; while it waits for an answer, the same one again.

        Raises:
            SuiteUnavailable, PresharedKeyMissing: the profile demands what this device lacks.
        """
        if self._attempt is None:
            self._attempt = peer_handshake.hello(self.own, self.peer, self._offer(self._preshared()), random)
        return self._attempt.frame

    def give_up(self) -> None:
        """Forget the hello that waits, so that the next ``begin`` makes a new one."""
        self._attempt = None

    def end(self) -> None:
        """Forget all sessions."""
        self._sessions.end()
        self._attempt = self._since = None

    def seal(self, plaintext: bytes, *, now: Millis, random: Random) -> bytes:
        """Seal a message; raises ``NoSession``, and ``MessageTooLong`` above ``MOST_PLAINTEXT``."""
        if len(plaintext) > MOST_PLAINTEXT:
            raise MessageTooLong(f"a message of {len(plaintext)} bytes is over {MOST_PLAINTEXT}: split it")
        if self._sessions.current is None:
            raise NoSession
        return self._sessions.current.seal(plaintext, now=now, random=random)

    def take(self, frame: bytes, standing: Standing, *, now: Millis, random: Random) -> Taken:
        """Take in what was forwarded as coming from the peer. Never raises."""
        if len(frame) > LIMITS.peer_bytes:
            return Taken(dropped=f"a frame of {len(frame)} bytes")
        try:
            return self._take(frame, standing, now, random)
        except (AnotherAnswer, Refused, SuiteUnavailable) as error:
            return Taken(dropped=str(error))

    def _take(self, frame: bytes, standing: Standing, now: Millis, random: Random) -> Taken:
        match frame[0] if frame else None:
            case Kind.SEALED:
                return self._open(frame, now)
            case Kind.HELLO:
                return self._answer(frame, standing, now, random)
            case Kind.ANSWER:
                return self._finish(frame, standing, now)
            case Kind.REFUSAL:
                return self._refused(frame)
            case _:
                return Taken(dropped="no frame between devices")

    def _open(self, frame: bytes, now: Millis) -> Taken:
        outcome = self._sessions.open(frame, now)
        if not isinstance(outcome, Opened):
            return Taken(dropped=str(outcome))
        if outcome.confirmed:
            self._attempt = None
            self._since = now
        generation = self._sessions.generation_of(outcome.session)
        return Taken(plaintext=outcome.plaintext, generation=generation, opened=outcome.confirmed)

    def _answer(self, frame: bytes, standing: Standing, now: Millis, random: Random) -> Taken:
        asked = frame_hash(frame)
        held = self._answers.get(self.peer, asked, now)
        if held is not None:
            return Taken(reply=held)
        if not self._hellos.admit(self.peer, now):
            return Taken(dropped="too many hellos")
        try:
            request = peer_handshake.examine(self.own, frame, self.peer, standing)
            key = self._ring.take(request.body.preshared) if request.body.preshared else None
            answered = peer_handshake.answer(request, self._offer(key), now=now, random=random)
        except Refused as error:
            return Taken(reply=peer_frames.refusal(frame, error), dropped=str(error))
        self._sessions.propose(answered.session, answered.rank, now)
        self._answers.put(self.peer, asked, answered.frame, now)
        return Taken(reply=answered.frame)

    def _finish(self, frame: bytes, standing: Standing, now: Millis) -> Taken:
        if self._attempt is None:
            return Taken(dropped="an answer that nobody waits for")
        session, rank = peer_handshake.finish(self._attempt, frame, standing, now=now)
        if self._attempt.offer.preshared is not None:
            self._ring.take(self._attempt.offer.preshared.id)
        self._attempt, self._since = None, now
        return Taken(opened=self._sessions.adopt(session, rank, now))

    def _offer(self, preshared: PresharedKey | None) -> Offer:
        return Offer(self._security, self._sessions.generation, preshared)

    def _refused(self, frame: bytes) -> Taken:
        refusal = peer_frames.read(frame, Refusal)
        if self._attempt is None or refusal.request != frame_hash(self._attempt.frame):
            return Taken(dropped="a refusal of nothing that waits")
        if refusal.code == "preshared-key" and self._attempt.offer.preshared is not None:
            # The peer may have used it for an answer that was lost: offer the next one.
            self._refused_keys.add(self._attempt.offer.preshared.id)
            self._attempt = None
        return Taken(refused=f"{refusal.code}: {refusal.text}")

    def _preshared(self) -> PresharedKey | None:
        unused = self._ring.unused
        if all(key.id in self._refused_keys for key in unused):
            self._refused_keys.clear()
        return next((key for key in unused if key.id not in self._refused_keys), None)
