"""The end that takes a new key at every interval; pure.

A key goes to the leader's interface when the follower has said that it has it, too, and it stays the
leader's business until the follower's interface has it. So of two keys that differ, both ends can always
have the newer one, and after a missed rotation both go on with the last.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from qfleet_agent.wireguard import messages
from qfleet_agent.wireguard.keys import Key

RETRY_S = 1.0
"""First wait after something failed; it doubles up to ``RETRY_MOST_S``."""
RETRY_MOST_S = 30.0


class Fetch(NamedTuple):
    """Take a new key from the key delivery."""


class Ask(NamedTuple):
    """Ask the follower."""

    question: messages.Question


class Install(NamedTuple):
    """Give the interface this key."""

    key: Key


class Wait(NamedTuple):
    """Nothing is to be done before this time."""

    until_s: float


Step: TypeAlias = Fetch | Ask | Install | Wait


@dataclass(frozen=True, slots=True)
class _Idle:
    """Both ends are in step, as far as this one knows."""


@dataclass(frozen=True, slots=True)
class _Offering:
    key: Key


@dataclass(frozen=True, slots=True)
class _Installing:
    key: Key


@dataclass(frozen=True, slots=True)
class _Using:
    key: Key


class Leader:
    """Seconds are those of any clock that only rises."""

    __slots__ = ("_due_s", "_failures", "_interval_s", "_state", "rotations")

    def __init__(self, interval_s: float, now: float) -> None:
        """Begin with a rotation: what the follower's interface has is not known."""
        self._interval_s = interval_s
        self._due_s = now
        self._failures = 0
        self._state: _Idle | _Offering | _Installing | _Using = _Idle()
        self.rotations = 0
        """How often both interfaces have got a new key."""

    def step(self, now: float) -> Step:
        """Say what is to be done."""
        if now < self._due_s:
            return Wait(self._due_s)
        match self._state:
            case _Idle():
                return Fetch()
            case _Offering(key):
                return Ask(messages.Offer(key.id))
            case _Installing(key):
                return Install(key)
            case _Using(key):
                return Ask(messages.Use(key.id))

    def fetched(self, key: Key) -> None:
        """Take note of a new key; it is offered until the follower has it or cannot get it any more."""
        self._to(_Offering(key))

    def installed(self, key: Key) -> None:
        """Take note that the interface has the key."""
        self._to(_Using(key))

    def heard(self, answer: messages.Answer, now: float) -> None:
        """Take note of the follower's answer to the last question."""
        match self._state, answer:
            case _Offering(key), messages.Have():
                self._to(_Installing(key))
            case _Using(), messages.Done():
                self.rotations += 1
                self._to(_Idle())
                self._due_s = now + self._interval_s
            case _Using(), messages.Lost():
                self._to(_Idle())  # the ends differ: a new key at once
            case _Offering(), messages.Lost():
                self._state = _Idle()
                self.failed(now)
            case _:
                self.failed(now)

    def failed(self, now: float) -> None:
        """Take note that the last step failed; it is tried again, later each time."""
        wait_s = min(RETRY_S * 2**self._failures, RETRY_MOST_S)
        self._failures = min(self._failures + 1, 16)
        self._due_s = now + wait_s

    def _to(self, state: _Idle | _Offering | _Installing | _Using) -> None:
        self._state = state
        self._failures = 0
