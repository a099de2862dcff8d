"""Devices that have no room now: how much they have left to do, and whether a task may wait for one."""

from collections.abc import Callable
from itertools import islice

from qfleet_controlplane.machine import state
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.planning import demand
from qfleet_wire.names import Millis

_MOST = 32
"""Devices that are looked at of each class."""
_OVERDUE, _GRACE_MS = 3.0, 4_000.0
"""A device whose oldest task takes so many times as long as estimated, and so much more, is stuck."""


class Crowd:
    """Devices that were found without room, for a scheduler that asks; ``asked`` says whether it did."""

    def __init__(self, turn: Turn, slot: Callable[[Turn, state.Device], demand.Slot | None]) -> None:
        self._turn = turn
        self._slot = slot
        self.asked = False

    def __call__(self) -> list[demand.Slot]:
        """Some devices of each class, but none that seems to be stuck."""
        self.asked = True
        slots: list[demand.Slot] = []
        for bucket in self._turn.state.pool.crowded():
            for name in islice(bucket.crowded, _MOST):
                device = self._turn.state.devices[name]
                slot = self._slot(self._turn, device)
                if slot is not None and not _overdue(device, self._turn.now):
                    slots.append(slot)
        return slots


def left_ms(now: Millis, device: state.Device) -> float:
    """Estimated work in hand, without what was done since something last ended there."""
    oldest = next(iter(device.held.values()), None)
    if oldest is None or device.announcement is None:
        return device.backlog_ms
    busy = min(len(device.held), max(1, device.announcement.workers))
    done_ms = busy * max(0.0, min(float(now - device.since), oldest.cost_ms))
    return max(0.0, device.backlog_ms - done_ms)


def _overdue(device: state.Device, now: Millis) -> bool:
    oldest = next(iter(device.held.values()), None)
    return oldest is not None and now - device.since > _OVERDUE * oldest.cost_ms + _GRACE_MS
