"""API tokens: 256 random bits, known to the store by their SHA-256 only."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable

from qfleet_controlplane.authority.roles import Caller, Role
from qfleet_controlplane.store import registry
from qfleet_wire.names import Millis

_PREFIX = "qft-"
_BYTES = 32
_REREAD_MS = 5000
_REREAD_UNKNOWN_MS = 1000


def generate(random: Callable[[int], bytes]) -> str:
    """Make a token's text."""
    return _PREFIX + random(_BYTES).hex()


def hash_of(token: str) -> bytes:
    """SHA-256 of a token's text; the text has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).digest()


def row(token: str, name: str, role: Role, now: Millis) -> registry.Token:
    """Return what is stored of a token."""
    return registry.Token(hash_of(token), name, role.name.lower(), now)


class Book:
    """The tokens that are valid now, in memory, read anew every few seconds and for unknown ones.

    So a token that another process revoked ends soon, one that it added begins at once, and
    guessing costs the database at most one query a second.
    """

    def __init__(
        self, read: Callable[[], Awaitable[Iterable[registry.Token]]], clock: Callable[[], Millis]
    ) -> None:
        self._read = read
        self._clock = clock
        self._callers: dict[bytes, Caller] = {}
        self._read_at: Millis | None = None
        self._reading = asyncio.Lock()

    async def caller_of(self, token: str) -> Caller | None:
        """Return whose token this is, or None."""
        hashed = hash_of(token)
        if self._due(hashed) or (hashed not in self._callers and self._reading.locked()):
            async with self._reading:  # who comes meanwhile is told what this read finds
                if self._due(hashed):
                    self._read_at = self._clock()
                    rows = await self._read()
                    self._callers = {row.hash: Caller(row.name, Role[row.role.upper()]) for row in rows}
        return self._callers.get(hashed)

    def _due(self, hashed: bytes) -> bool:
        patience = _REREAD_MS if hashed in self._callers else _REREAD_UNKNOWN_MS
        return self._read_at is None or abs(self._clock() - self._read_at) >= patience
