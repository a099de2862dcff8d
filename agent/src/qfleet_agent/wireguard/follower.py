"""The end that does as it is asked; pure."""

from typing import NamedTuple, TypeAlias

from qfleet_agent.wireguard import messages
from qfleet_agent.wireguard.keys import Key


class Fetch(NamedTuple):
    """Get the key of this ID from the key delivery, then ask anew."""

    key_id: str


class Install(NamedTuple):
    """Give the interface this key, then ask anew."""

    key: Key


Step: TypeAlias = Fetch | Install | messages.Answer


class Follower:
    """Knows the key that its interface has by ID, and one that waits for its turn."""

    __slots__ = ("_current", "_next")

    def __init__(self) -> None:
        self._current: str | None = None
        self._next: Key | None = None

    def step(self, question: messages.Question) -> Step:
        """Say what is to be done for a question: the answer, or what comes before it."""
        key_id = question.key_id
        waits = self._next if self._next is not None and self._next.id == key_id else None
        match question:
            case messages.Offer():
                if waits is not None or key_id == self._current:
                    return messages.Have(key_id)
                return Fetch(key_id)
            case messages.Use():
                if key_id == self._current:
                    return messages.Done(key_id)
                return messages.Lost(key_id) if waits is None else Install(waits)

    def fetched(self, key: Key) -> None:
        """Take note of a key; one that waited is given up, since the leader has given it up."""
        self._next = key

    def installed(self, key: Key) -> None:
        """Take note that the interface has the key."""
        self._current, self._next = key.id, None
