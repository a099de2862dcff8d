"""What other devices sent to one: bounded in all and for each sender, each sender in its turn.

So one device cannot keep the messages of others from a third, nor fill the memory.
"""

from collections import OrderedDict, deque
from typing import Final

import msgspec

from qfleet_wire.names import DeviceName

MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes that wait for one device in all."""
SENDER_BYTES: Final = 1024 * 1024
"""Bytes of one sender among them."""
SENDER_ITEMS: Final = 1024
"""Messages of one sender among them."""


class Waiting:
    """Encoded messages by sender."""

    __slots__ = ("_by_sender", "_bytes")

    def __init__(self) -> None:
        self._by_sender: OrderedDict[DeviceName, tuple[deque[bytes], int]] = OrderedDict()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._by_sender)

    def __len__(self) -> int:
        return sum(len(lane) for lane, _ in self._by_sender.values())

    def add(self, sender: DeviceName, encoded: bytes) -> bool:
        """Let a message wait; False when there is no room for it."""
        lane, held = self._by_sender.get(sender, (deque[bytes](), 0))
        size = len(encoded)
        if self._bytes + size > MOST_BYTES or held + size > SENDER_BYTES or len(lane) >= SENDER_ITEMS:
            return False
        lane.append(encoded)
        self._by_sender[sender] = (lane, held + size)
        self._bytes += size
        return True

    def take(self, room: int, most: int, *, at_least_one: bool) -> list[msgspec.Raw]:
        """Remove up to ``most`` messages of up to ``room`` bytes in all, one of each sender in turn."""
        taken: list[msgspec.Raw] = []
        while self._by_sender and len(taken) < most:
            sender, (lane, held) = next(iter(self._by_sender.items()))
            size = len(lane[0])
            if size > room and (taken or not at_least_one):
                break
            del self._by_sender[sender]
            taken.append(msgspec.Raw(lane.popleft()))
            room -= size
            self._bytes -= size
            if lane:
                self._by_sender[sender] = (lane, held - size)
        return taken

    def clear(self) -> None:
        """Forget all."""
        self._by_sender.clear()
        self._bytes = 0
