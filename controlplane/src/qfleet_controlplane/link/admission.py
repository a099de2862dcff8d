"""Who waits for a handshake, and when the others shall come again: pure, the caller brings the time.

The line holds what can be answered before a device asks again by itself; whoever finds it full is
given a turn, one after the other, so that a fleet that comes back all at once comes in order.
Turns cost no memory, and a device that ignores its turn loses nothing but time.
"""

from collections import OrderedDict

from qfleet_wire import door
from qfleet_wire.names import DeviceName, Millis

LINE_MS = 8_000
"""How long the last of the line waits; an agent asks again after 15 s."""
LEAST_WAITING = 256
MOST_WAITING = 8_192
LATEST_MS = 60_000
"""The latest turn that is given; an agent waits no longer."""
_FIRST_MS_EACH = 4.0
_LEARNING = 0.2


class Line:
    """Requests in the order in which they came, one per device."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[DeviceName, door.Frame] = OrderedDict()
        self._ms_each = _FIRST_MS_EACH
        self._given = 0.0
        """When the last turn that was given is."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def most(self) -> int:
        """How many may wait at the present pace."""
        return min(max(int(LINE_MS / self._ms_each), LEAST_WAITING), MOST_WAITING)

    def enter(self, request: door.Frame, now: Millis) -> int:
        """Let a request wait and return 0; or, when the line is full, after how many ms to come again.

        A device has one attempt at a time: a newer request takes the place of its older one.
        """
        if request.device in self._waiting or len(self._waiting) < self.most:
            self._waiting[request.device] = request
            return 0
        free = now + len(self._waiting) * self._ms_each
        self._given = max(free, self._given if self._given - now < LATEST_MS else free) + self._ms_each
        return int(self._given - now)

    def take(self, most: int) -> list[door.Frame]:
        """Remove the first requests."""
        return [self._waiting.popitem(last=False)[1] for _ in range(min(most, len(self._waiting)))]

    def leave(self, device: DeviceName) -> None:
        """Forget a device's request."""
        self._waiting.pop(device, None)

    def learn(self, answered: int, took_ms: float) -> None:
        """Note the pace: so many requests took so long together."""
        each = max(took_ms, 0.1) / answered
        self._ms_each += _LEARNING * (each - self._ms_each)
