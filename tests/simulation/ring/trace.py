"""What happened in a schedule: a hash over all of it, its last lines, and how often what went wrong.

Two runs of a seed are the same when their hashes are: everything that a machine was told, wanted or
stored goes in, in order.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Iterable

_KEPT = 160


class Violation(AssertionError):
    """An invariant does not hold."""


class Trace:
    """One schedule's record. Every line goes into the hash; the last ones are kept to be read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.step = 0
        self.now = 0
        self.faults: Counter[str] = Counter()
        """How often each kind of fault, or of answer to one, really happened."""
        self._hash = hashlib.blake2b(digest_size=16)
        self._lines: deque[str] = deque(maxlen=_KEPT)

    def note(self, who: str, what: str, data: bytes = b"") -> None:
        """Record one happening."""
        line = f"{self.step} {self.now} {who} {what}"
        self._lines.append(line)
        self._hash.update(line.encode())
        if data:
            self._hash.update(data)

    def fault(self, kind: str, who: str, what: str = "") -> None:
        """Record a fault and count it."""
        self.faults[kind] += 1
        self.note(who, f"{kind} {what}")

    def fail(self, invariant: str, message: str) -> None:
        """Raise ``Violation`` with seed, step, objects and what led there."""
        past = "\n  ".join(self._lines)
        raise Violation(f"{self.name}, step {self.step}: {invariant}: {message}\n  {past}")

    @property
    def digest(self) -> str:
        """The hash so far."""
        return self._hash.hexdigest()


def names_of(things: Iterable[object]) -> str:
    """The types of some events or effects, for a line of the trace."""
    return " ".join(type(thing).__name__ for thing in things)
