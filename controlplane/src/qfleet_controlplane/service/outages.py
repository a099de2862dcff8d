"""A failure that goes on, in few lines of the log: when it begins, now and then, and when it is over.

Whoever tries again several times a second says so once: a log that repeats itself hides all else.
"""

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

_AGAIN_S = 60.0


class Words(NamedTuple):
    """What is told of an outage.

    ``fails`` says what does not work and ``works`` that it does again, both without a full stop;
    ``action`` is the lines' action, and the last one's ends in ``_over``.
    """

    fails: str
    works: str
    action: str


class Outage:
    """One thing that may fail over and over. Owned by the event loop.

    Args:
        log: where it is told.
        words: what is told.
        level: of the lines about failures.
        clock: seconds that only ever rise.
    """

    def __init__(
        self,
        log: logging.Logger,
        words: Words,
        *,
        level: int = logging.WARNING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._fails, self._works, self._action = words
        self._level = level
        self._clock = clock
        self._count = 0
        self._told_at = 0.0

    def failed(self, error: Exception) -> None:
        """Count a failure; tell the first, and after that one a minute, with the count."""
        self._count += 1
        now = self._clock()
        if self._count > 1 and now - self._told_at < _AGAIN_S:
            return
        self._told_at = now
        times = f" ({self._count:,} times so far)" if self._count > 1 else ""
        self._log.log(self._level, "%s%s: %s", self._fails, times, error, extra={"action": self._action})

    def over(self) -> None:
        """Tell that it works again, if it had failed."""
        if self._count:
            failures = "1 failure" if self._count == 1 else f"{self._count:,} failures"
            self._log.info("%s, after %s.", self._works, failures, extra={"action": f"{self._action}_over"})
            self._count = 0
