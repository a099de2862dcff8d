"""What was said in a session, in few bytes: the same at two ends when each heard all of the other.

Each direction is taken by itself, for how the two interleave differs from end to end.
"""

import hashlib

from qfleet_agent.qkd.authentication import Direction, Tagger
from qfleet_agent.qkd.exchange.effects import Role

_LABEL = b"qfleet1 key exchange transcript"


class Transcript:
    """The numbered messages of both ends, each direction in order.

    Without key of the link it is a SHA-256 digest. With it, it is one Wegman-Carter tag for each direction,
    and whoever does not have that key can say no transcript of a single message more, less or other.
    """

    def __init__(self, session: str, tagger: Tagger | None) -> None:
        self._session = session.encode()
        self._tagger = tagger
        self._heard: dict[Role, bytes] = {"alice": b"", "bob": b""}

    def note(self, role: Role, message: bytes) -> None:
        """One end said a message."""
        before = self._heard[role]
        if self._tagger is None:
            self._heard[role] = hashlib.sha256(_LABEL + bytes([len(before)]) + before + message).digest()
        else:
            self._heard[role] = before + self._tagger.hashed(message)

    def told(self) -> bytes:
        """The transcript so far."""
        alice, bob = (self._end(role) for role in ("alice", "bob"))
        if self._tagger is None:
            return hashlib.sha256(_LABEL + self._session + alice + bob).digest()
        return alice + bob

    def _end(self, role: Role) -> bytes:
        if self._tagger is None:
            return self._heard[role]
        return self._tagger.tag(direction(role), "transcript", self._session + self._heard[role])


def direction(role: Role) -> Direction:
    """The direction of what an end says."""
    return "from alice" if role == "alice" else "from bob"
