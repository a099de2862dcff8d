"""A lease as its holder sees it: what it was acquired as, and until when it surely lasts.

The deadline is counted on this process's own clock from before the renewal was asked for, so it never
lies behind the database's.
"""

from collections.abc import Callable

from qfleet_controlplane.daemon import clocks
from qfleet_controlplane.store.leases import Fence


class Tenure:
    """One holding of a region, from acquisition to its loss or release.

    Args:
        fence: what every transaction of the region must still find.
        ends: when the lease ends unless it is renewed, by ``clocks.elapsed``.
        lost: called once when the lease is found lost.
    """

    def __init__(self, fence: Fence, ends: float, lost: Callable[["Tenure"], None]) -> None:
        self.fence = fence
        self._ends = ends
        self._on_loss = lost
        self.is_lost = False

    def lasts(self) -> bool:
        """Tell whether the lease surely lasts now: nothing may be sent when it does not."""
        return not self.is_lost and clocks.elapsed() < self._ends

    def left_s(self) -> float:
        """Seconds for which it surely lasts."""
        return 0.0 if self.is_lost else max(0.0, self._ends - clocks.elapsed())

    def renew(self, ends: float) -> None:
        """Note that the lease was renewed."""
        self._ends = ends

    def lose(self) -> None:
        """Note that the lease is lost; repeatable."""
        if not self.is_lost:
            self.is_lost = True
            self._on_loss(self)
