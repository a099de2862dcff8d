"""Answers a controller's call, with something that the device would have sent anyway.

Anyone can call: so a device answers now and then only, at a random moment, and changes nothing.
"""

import asyncio
from collections.abc import Callable

from qfleet_wire import door
from qfleet_wire.channel import frames
from qfleet_wire.errors import Refused

SELDOM_S = 5.0
"""Least time between two answers."""
MOST_WITHIN_S = 10.0
"""Longest time over which answers are spread, whatever the call says."""

Random = Callable[[int], bytes]


class Calls:
    """Takes calls in; ``answer`` sends a heartbeat."""

    def __init__(self, answer: Callable[[], None], random: Random) -> None:
        self._answer = answer
        self._random = random
        self._answered = float("-inf")

    def take(self, frame: door.Frame) -> None:
        """Take a call in, whoever sent it."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._answered < SELDOM_S:
            return
        try:
            call = frames.read(frame.payload, frames.Call)
        except Refused:
            return
        within = min(call.within_ms / 1000, MOST_WITHIN_S)
        wait = within * int.from_bytes(self._random(4), "big") / 2**32
        self._answered = loop.time() + wait
        loop.call_later(wait, self._answer)
