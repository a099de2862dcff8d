"""How long to wait before the next attempt to connect: pure, the caller brings time and chance."""

from collections.abc import Callable

MOST_JITTER = 0.5
STABLE_S = 60.0
SPREAD_SHARE = 0.2
"""When the network comes up, a fleet spreads over this share of the base."""


class Backoff:
    """Waits of base × 2ⁿ seconds up to ``most_s``, each ±50 %, from the start after a stable minute."""

    def __init__(self, base_s: float, most_s: float) -> None:
        self._base_s = base_s
        self._most_s = most_s
        self._failures = 0
        self._since: float | None = None
        self._failed_at = float("-inf")

    def connected(self, now_s: float) -> None:
        """Note that a connection stands since ``now_s``."""
        self._since = now_s

    def next_s(self, now_s: float, random: Callable[[int], bytes]) -> float:
        """Return the wait in seconds after a failure or a loss at ``now_s``."""
        if self._since is not None and now_s - self._since >= STABLE_S:
            self._failures = 0
        self._since = None
        self._failed_at = now_s
        # Bounded before it is raised to a power: a device may be offline for years.
        wait = min(self._base_s * 2.0 ** min(self._failures, 32), self._most_s)
        self._failures += 1
        return wait * (1 - MOST_JITTER + 2 * MOST_JITTER * _share(random))

    def hurried_s(self, now_s: float, random: Callable[[int], bytes]) -> float:
        """Return the wait in seconds when the network came up at ``now_s``, during another wait.

        At once but for some jitter; a network that comes and goes hastens no more than an attempt
        per ``base_s``.
        """
        pause = max(self._failed_at + self._base_s - now_s, 0.0)
        return min(pause, self._base_s) + self._base_s * SPREAD_SHARE * _share(random)


def _share(random: Callable[[int], bytes]) -> float:
    return int.from_bytes(random(4), "big") / 2**32
