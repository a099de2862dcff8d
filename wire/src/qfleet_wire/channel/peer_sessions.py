"""The sessions with one other device: the current one, those that wait to be confirmed, and older ones.

Both devices may begin, and both at once, so that each ends up with two sessions. Sessions are ranked, and
the highest that is confirmed on a side is the one it seals under; the others still open what is under
way. A rank is the generation, above which either device had none when the session was made, and at a tie
whether the device began it whose name sorts first: both sides rank alike, whatever came in which order.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from qfleet_wire.channel import session as sealed
from qfleet_wire.channel.session import Dropped, Opened, Outcome, Session
from qfleet_wire.channel.sessions import MOST_PENDING, PENDING_MS, PREVIOUS_MS
from qfleet_wire.names import DeviceName, Millis

MOST_OLDER: Final = 2


class Rank(NamedTuple):
    """What sessions between two devices are compared by."""

    generation: int
    first: bool
    """Whether the device began it whose name sorts first."""


def rank(generation: int, initiator: DeviceName, responder: DeviceName) -> Rank:
    """Return the rank of a session of this generation."""
    return Rank(generation, initiator < responder)


@dataclass(slots=True)
class _Held:
    session: Session
    rank: Rank
    since: Millis
    """When it was made or, once it has been the current one, when it was replaced."""
    confirmed: bool


class PeerSessions:
    """All sessions with one device at the other. Nothing is stored: after a restart, shake hands."""

    __slots__ = ("_current", "_held")

    def __init__(self) -> None:
        self._held: list[_Held] = []
        self._current: _Held | None = None

    @property
    def current(self) -> Session | None:
        """The session that seals."""
        return self._current.session if self._current else None

    @property
    def generation(self) -> int:
        """The generation of the current session; 0 without one."""
        return self._current.rank.generation if self._current else 0

    def generation_of(self, session: Session) -> int:
        """The generation of a session that has opened something; 0 once it is forgotten."""
        return next((one.rank.generation for one in self._held if one.session is session), 0)

    def propose(self, session: Session, rank: Rank, now: Millis) -> None:
        """Hold a session until its first message opens; the oldest of too many is forgotten."""
        self._held.append(_Held(session, rank, now, confirmed=False))
        self._tidy(now)

    def adopt(self, session: Session, rank: Rank, now: Millis) -> bool:
        """Hold a session that the other side has answered for; True if it is the current one now."""
        held = _Held(session, rank, now, confirmed=True)
        self._held.append(held)
        return self._count(held, now)

    def open(self, envelope: bytes, now: Millis) -> Outcome:
        """Open an envelope under whichever session it names. Never raises.

        ``confirmed`` says that the session has become the current one.
        """
        named = sealed.session_of(envelope)
        if not named:
            return Dropped.FORGED
        self._tidy(now)
        held = next((one for one in self._held if one.session.id == named), None)
        if held is None:
            return Dropped.STALE
        outcome = held.session.open(envelope, now)
        if not isinstance(outcome, Opened) or held.confirmed:
            return outcome
        held.confirmed = True
        return outcome._replace(confirmed=self._count(held, now))

    def end(self) -> None:
        """Forget every session at once."""
        self._held, self._current = [], None

    def _count(self, held: _Held, now: Millis) -> bool:
        if self._current is not None and held.rank <= self._current.rank:
            held.since = now
            return False
        if self._current is not None:
            self._current.since = now
        self._current = held
        self._tidy(now)
        return True

    def _tidy(self, now: Millis) -> None:
        pending = [one for one in self._held if not one.confirmed and abs(now - one.since) < PENDING_MS]
        older = [
            one
            for one in self._held
            if one.confirmed and one is not self._current and abs(now - one.since) < PREVIOUS_MS
        ]
        current = [self._current] if self._current else []
        self._held = [*older[-MOST_OLDER:], *current, *pending[-MOST_PENDING:]]
