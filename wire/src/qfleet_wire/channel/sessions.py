"""The sessions with one device: the current one, those that wait to be confirmed, and the last one.

A new session counts from the first message that opens under it; until then the old one stays, so
that a replayed hello changes nothing. Used on both sides: a controller ``propose``s, a device, which
has verified the answer to its own fresh nonce, ``adopt``s.
"""

from typing import Final

from qfleet_wire.channel import session as sealed
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.session import Dropped, Opened, Outcome, Session
from qfleet_wire.errors import NoSession
from qfleet_wire.names import Millis

MOST_PENDING: Final = 4
PENDING_MS: Final = 600_000
"""How long a session waits for its first message; slow links need minutes."""
PREVIOUS_MS: Final = 600_000
"""How long messages under way of the last session still open."""


class Sessions:
    """All sessions with one device at one side. Nothing is stored: after a restart, resume."""

    __slots__ = ("_current", "_pending", "_previous", "_replaced")

    def __init__(self) -> None:
        self._current: Session | None = None
        self._previous: Session | None = None
        self._replaced = Millis(0)
        self._pending: list[tuple[Session, Millis]] = []

    @property
    def current(self) -> Session | None:
        """The session that seals."""
        return self._current

    def propose(self, session: Session, now: Millis) -> None:
        """Hold a session until its first message opens; the oldest of too many is forgotten."""
        self._pending = [held for held in self._pending if abs(now - held[1]) < PENDING_MS]
        self._pending = [*self._pending, (session, now)][-MOST_PENDING:]

    def adopt(self, session: Session, now: Millis) -> None:
        """Make a session the current one; the last one still opens what is under way."""
        self._previous, self._current, self._replaced = self._current, session, now
        self._pending = []

    def seal(self, plaintext: bytes, *, now: Millis, random: Random) -> bytes:
        """Seal under the current session; raises ``NoSession``."""
        if self._current is None:
            raise NoSession
        return self._current.seal(plaintext, now=now, random=random)

    def open(self, envelope: bytes, now: Millis) -> Outcome:
        """Open an envelope under whichever session it names. Never raises."""
        named = sealed.session_of(envelope)
        if not named:
            return Dropped.FORGED
        if self._current is not None and self._current.id == named:
            return self._current.open(envelope, now)
        for session, since in self._pending:
            if session.id == named and abs(now - since) < PENDING_MS:
                return self._confirm(session, session.open(envelope, now), now)
        return self._open_previous(envelope, named, now)

    def end(self) -> None:
        """Forget every session at once, as revoking demands; nothing opens or seals any more."""
        self._current = self._previous = None
        self._pending = []

    def _confirm(self, session: Session, outcome: Outcome, now: Millis) -> Outcome:
        if isinstance(outcome, Opened):
            self.adopt(session, now)
            return outcome._replace(confirmed=True)
        return outcome

    def _open_previous(self, envelope: bytes, named: bytes, now: Millis) -> Outcome:
        if self._previous is not None and abs(now - self._replaced) >= PREVIOUS_MS:
            self._previous = None
        if self._previous is not None and self._previous.id == named:
            return self._previous.open(envelope, now)
        return Dropped.STALE
