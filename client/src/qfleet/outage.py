"""Patience with a control plane that restarts: how long an outage may last, and when to ask again.

A job goes on while nobody watches it, so whoever follows one should not give up because the
control plane was away for a moment. Pure: the clock is an argument.
"""

from dataclasses import dataclass, field

from qfleet import errors

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 3.0


@dataclass(slots=True)
class Patience:
    """Bridges outages of up to ``limit_s`` seconds."""

    limit_s: float
    _since: float | None = field(default=None, init=False)
    _pause_s: float = field(default=_FIRST_PAUSE_S, init=False)

    def success(self) -> None:
        """Something answered: the outage is over."""
        self._since, self._pause_s = None, _FIRST_PAUSE_S

    def failure(self, error: errors.Unreachable, now: float) -> float:
        """Return how many seconds to wait before the next try; raise ``error`` when it took too long.

        ``now`` is a monotonic clock's reading in seconds.
        """
        self._since = now if self._since is None else self._since
        if now - self._since >= self.limit_s:
            raise error
        pause, self._pause_s = self._pause_s, min(self._pause_s * 2, _LONGEST_PAUSE_S)
        return pause
