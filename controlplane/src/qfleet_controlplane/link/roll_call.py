"""Calling the devices that have not come by themselves to a controller that has just taken over.

A new controller has no session with anyone. Most devices come at once, because it publishes the
authority's record when it connects; whoever missed that would come with its next heartbeat only. Calls go
out at a bounded pace in random order, so that they never make a fleet come all at once.
"""

import asyncio
import logging
from random import Random

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.link import faults
from qfleet_controlplane.link.parts import Parts
from qfleet_controlplane.store import registry
from qfleet_wire.channel import frames
from qfleet_wire.names import DeviceName
from qfleet_wire.topics import Channel

_log = logging.getLogger(__name__)

_BY_THEMSELVES_S = 2.0
_PER_ROUND = 10
_ROUND_S = 0.05
"""200 calls a second: fewer than handshakes that can be answered."""
_WITHIN_MS = 500


class RollCall:
    """Calls once, after ``begin``."""

    def __init__(self, parts: Parts) -> None:
        self._stores = parts.stores
        self._peers = parts.peers
        self._outbound = parts.outbound
        self._around = parts.around
        self._random = Random()  # noqa: S311 - an order, not a secret
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin when the link has come up for the first time; later it does nothing."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._call(), name="roll-call")

    async def stop(self) -> None:
        """End it, wherever it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _call(self) -> None:
        await asyncio.sleep(_BY_THEMSELVES_S)
        try:
            known = await self._stores.database.read(
                lambda connection: registry.reachable(connection, self._around.region)
            )
        except Unavailable as error:
            faults.note(_log, "Nobody is called, for the devices cannot be read", error, "call_failed")
            return
        self._random.shuffle(known)
        called = 0
        for device in known:
            if self._has_session(device):
                continue
            self._outbound.send_frame(device, Channel.DOWN, frames.call(_WITHIN_MS))
            called += 1
            if called % _PER_ROUND == 0:
                await asyncio.sleep(_ROUND_S)
        if called:
            _log.info(
                "Called %d of %d devices, which had not come by themselves.",
                called,
                len(known),
                extra={"action": "roll_called"},
            )

    def _has_session(self, device: DeviceName) -> bool:
        peer = self._peers.get(device)
        return peer is not None and peer.sessions.current is not None
