"""When a hint opens another session: somebody says that the controller has come, or lost this one.

Anyone can give a hint, so that it costs one resumption now and then at most, and a whole fleet that
hears the same one does not answer in the same instant.
"""

import asyncio
from collections.abc import Callable

SOONEST_S = 5.0
"""Least time between two sessions that are opened because of hints."""

Random = Callable[[int], bytes]


class Hints:
    """Takes hints in.

    Args:
        spread_s: over how long a fleet's answers to one hint are spread, in seconds.
        opened: counts messages that the present session has opened: the controller's signs of life.
        reopen: begins another session.
        random: source of random bytes.
    """

    def __init__(
        self, spread_s: float, opened: Callable[[], int], reopen: Callable[[], None], random: Random
    ) -> None:
        self._spread_s = spread_s
        self._opened = opened
        self._reopen = reopen
        self._random = random
        self._hinted: float | None = None
        self.began = float("-inf")
        """When the present session began, or the attempt to open it."""

    def session_begins(self) -> None:
        """Note that a session begins: hints about an older one are answered."""
        self.began = asyncio.get_running_loop().time()

    def take(self) -> None:
        """Take a hint in; another one while it waits changes nothing.

        One that comes right after a session may be about an older one, or about a controller that
        died since: it waits until that is known.
        """
        if self._hinted == self.began:
            return
        self._hinted = self.began
        loop = asyncio.get_running_loop()
        wait = max(0.0, self.began + SOONEST_S - loop.time())
        wait += self._spread_s * int.from_bytes(self._random(2), "big") / 2**16
        loop.call_later(wait, self._judge, self.began, self._opened())

    def _judge(self, session: float, opened: int) -> None:
        # A session that has begun since then is what the hint asked for, and one in which the
        # controller has spoken since then lives.
        self._hinted = None
        if (self.began, self._opened()) == (session, opened):
            self._reopen()
