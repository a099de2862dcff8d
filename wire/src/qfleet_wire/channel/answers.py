"""The same request gets the same answer, for a minute: QoS 1 delivers twice, and devices ask again.

Keyed by the whole frame's hash, looked up before anything is verified.
"""

from collections import OrderedDict
from typing import Final

from qfleet_wire.names import DeviceName, Millis

KEEP_MS: Final = 60_000
MOST: Final = 1024


class Answers:
    """Answers by the hash of the request; the oldest of too many is forgotten."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[DeviceName, bytes], tuple[bytes, Millis]] = OrderedDict()

    def get(self, device: DeviceName, request: bytes, now: Millis) -> bytes | None:
        """Return the answer that was given to this request of this device less than 60 s ago."""
        held = self._held.get((device, request))
        if held is None or abs(now - held[1]) >= KEEP_MS:
            return None
        return held[0]

    def put(self, device: DeviceName, request: bytes, answer: bytes, now: Millis) -> None:
        """Remember an answer that is about to be sent."""
        self._held[device, request] = (answer, now)
        while len(self._held) > MOST or abs(now - next(iter(self._held.values()))[1]) >= KEEP_MS:
            self._held.popitem(last=False)

    def forget(self, device: DeviceName) -> None:
        """Drop a device's answers, as revoking demands."""
        for key in [key for key in self._held if key[0] == device]:
            del self._held[key]
