"""API tokens: 256 random bits, known to the store by their SHA-256 only."""

import hashlib
from collections.abc import Callable, Iterable

from qfleet_controlplane.authority.roles import Caller, Role
from qfleet_controlplane.store import registry
from qfleet_wire.names import Millis

_PREFIX = "qft-"
_BYTES = 32


def generate(random: Callable[[int], bytes]) -> str:
    """Make a token's text."""
    return _PREFIX + random(_BYTES).hex()


def hash_of(token: str) -> bytes:
    """SHA-256 of a token's text; the text has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).digest()


def first_admin(token: str, now: Millis) -> registry.Token:
    """Return the row of the token that ``init`` makes."""
    return registry.Token(hash_of(token), "admin", Role.ADMIN.name.lower(), now)


class Book:
    """The tokens that are valid now, in memory; a token that is not in it is looked up anew.

    Tokens that another process added are found at most once a second, so that guessing costs
    the database nothing.
    """

    def __init__(self, read: Callable[[], Iterable[registry.Token]], clock: Callable[[], Millis]) -> None:
        self._read = read
        self._clock = clock
        self._callers: dict[bytes, Caller] = {}
        self._read_at = Millis(0)

    def caller_of(self, token: str) -> Caller | None:
        """Return whose token this is, or None."""
        hashed = hash_of(token)
        caller = self._callers.get(hashed)
        if caller is None and abs(self._clock() - self._read_at) >= 1000:
            self._read_at = self._clock()
            self._callers = {row.hash: Caller(row.name, Role[row.role.upper()]) for row in self._read()}
            caller = self._callers.get(hashed)
        return caller
