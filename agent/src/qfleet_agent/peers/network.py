"""All lines of one key process, over the one socket to the daemon."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from qfleet_agent import clock
from qfleet_agent.keylink.client import Ears, KeyLink
from qfleet_agent.keylink.protocol import NotSent
from qfleet_agent.peers.line import Around, Line
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.preshared import Ring
from qfleet_wire.names import DeviceName
from qfleet_wire.profile import Security

MOST_LINES: Final = 256


class PeerNetwork:
    """Lines to other devices, by their names; a line is there once and serves whoever uses it."""

    def __init__(
        self,
        link: KeyLink,
        own: Callable[[], Credentials],
        security: Security,
        *,
        rings: Mapping[DeviceName, Ring] = MappingProxyType({}),
        random: Random = secrets.token_bytes,
    ) -> None:
        """Listen on ``link``, which somebody else runs.

        Args:
            link: the way to the daemon.
            own: the device's credentials as they are now (``Identity.own``).
            security: the least that the device's profile demands, of this path too.
            rings: pre-shared keys by peer.
            random: the source of randomness.
        """
        self._link = link
        self._rings = rings
        self._lines: dict[DeviceName, Line] = {}
        self._tasks: dict[DeviceName, asyncio.Task[None]] = {}
        self._number = 0
        self._around = Around(
            own=own,
            standing=lambda: link.standing,
            online=lambda: link.online,
            post=self._post,
            now=clock.monotonic,
            random=random,
            security=security,
        )
        self.strangers: Counter[str] = Counter()
        """Bodies of devices to which there is no line, by name; the names are bounded."""
        link.listen(Ears(self._incoming, self._not_sent, _no_order, self._changed))

    def connect(self, peer: DeviceName) -> Line:
        """Return the line to a device, begun if there was none.

        Both devices must connect: what comes from a device without a line is dropped.

        Raises:
            Untrusted: the peer is this device itself.
            ValueError: there are ``MOST_LINES`` already.
        """
        line = self._lines.get(peer)
        if line is None:
            if len(self._lines) >= MOST_LINES:
                raise ValueError(f"there are {MOST_LINES} lines to other devices: disconnect one first")
            line = self._lines[peer] = Line(peer, self._around, self._rings.get(peer))
            self._tasks[peer] = asyncio.get_running_loop().create_task(line.run(), name=f"line-{peer}")
        return line

    async def disconnect(self, peer: DeviceName) -> None:
        """End the line to a device; what was not confirmed may be lost."""
        self._lines.pop(peer, None)
        task = self._tasks.pop(peer, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """End all lines."""
        for peer in list(self._lines):
            await self.disconnect(peer)

    def _post(self, peer: DeviceName, body: bytes) -> bool:
        self._number += 1
        return self._link.send(peer, body, self._number)

    def _incoming(self, peer: DeviceName, body: bytes) -> None:
        line = self._lines.get(peer)
        if line is not None:
            line.take(body)
        elif peer in self.strangers or len(self.strangers) < MOST_LINES:
            self.strangers[peer] += 1

    def _not_sent(self, word: NotSent) -> None:
        line = self._lines.get(word.peer)
        if line is not None:
            line.not_sent(word)

    def _changed(self) -> None:
        for line in self._lines.values():
            line.changed()


def _no_order(_name: str, _body: bytes) -> None:
    """Leave orders to whoever takes them."""
