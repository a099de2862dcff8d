"""The lines of a key process to the devices that it shares keys with, over the daemon's socket.

One line for each peer carries sessions, relays and announcements in order. What comes is handed on; a cut is
told to whoever waits for an answer.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from qfleet_agent.errors import KeyParcelInvalid, PeerCut
from qfleet_agent.keylink.client import Ears, KeyLink
from qfleet_agent.keylink.protocol import NotSent
from qfleet_agent.keyservice import parcels
from qfleet_agent.keyservice.announcing import PeerAnnouncer
from qfleet_agent.peers.line import Line
from qfleet_agent.peers.network import PeerNetwork
from qfleet_wire.names import DeviceName

if TYPE_CHECKING:
    from qfleet_agent.keyservice.desk import Desk

log = logging.getLogger(__name__)


class Lines:
    """The lines, the announcer over them, and the desk that they serve."""

    def __init__(self, link: KeyLink, network: PeerNetwork, peers: Iterable[DeviceName]) -> None:
        self._link = link
        self._network = network
        self._peers = tuple(peers)
        self._lines: dict[DeviceName, Line] = {}
        self._orders: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._hearing: set[asyncio.Task[None]] = set()
        self.announcer = PeerAnnouncer(self.post)

    @property
    def standing(self) -> dict[str, str]:
        """How each line stands, for people: ``open``, or why it is not."""
        return {
            peer: "open" if line.open else line.trouble or "waits for the peer"
            for peer, line in self._lines.items()
        }

    async def post(self, peer: str, message: bytes) -> None:
        """Put a message in line. Raises ``KeyError`` where there is no line to the device."""
        await self._lines[DeviceName(peer)].send(message)

    async def report(self, name: str, body: bytes) -> None:
        """Report to the control plane; returns when it has stored it."""
        await self._link.report(name, body)

    async def run(self, desk: "Desk") -> None:
        """Serve until cancelled."""
        self._link.listen(Ears(_nothing, _nothing_sent, self._ordered, _no_change))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._link.run(), name="key-link")
                group.create_task(self._take_orders(desk), name="key-orders")
                for peer in self._peers:
                    line = self._lines[peer] = self._network.connect(peer)
                    group.create_task(self._receive(peer, line, desk), name=f"parcels-{peer}")
        finally:
            for task in self._hearing:
                task.cancel()
            await asyncio.gather(*self._hearing, return_exceptions=True)
            await self._network.close()

    def _ordered(self, name: str, body: bytes) -> None:
        self._orders.put_nowait((name, body))

    async def _take_orders(self, desk: "Desk") -> None:
        while True:
            name, body = await self._orders.get()
            await desk.ordered(name, body)
            self._link.taken(name)

    async def _receive(self, peer: DeviceName, line: Line, desk: "Desk") -> None:
        while True:
            try:
                parcel = parcels.opened(await line.receive())
            except PeerCut as cut:
                log.info("%s", cut, extra={"action": "key-line-cut"})
                self.announcer.cut(peer)
                desk.lost(peer)
                continue
            except KeyParcelInvalid as error:
                log.warning("%s: %s", peer, error, extra={"action": "key-parcel-invalid"})
                continue
            match parcel:
                case parcels.Announced():
                    self._hear(peer, parcel)
                case parcels.Answered():
                    self.announcer.answered(peer, parcel)
                case _:
                    await desk.heard(peer, parcel)

    def _hear(self, peer: DeviceName, said: parcels.Announced) -> None:
        """Answer in a task of its own: the line must go on being read while the store commits."""
        task = asyncio.get_running_loop().create_task(self.announcer.heard(peer, said))
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)


def _nothing(_peer: DeviceName, _body: bytes) -> None:
    """Bodies are the network's."""


def _nothing_sent(_word: NotSent) -> None:
    """What was not sent is the network's."""


def _no_change() -> None:
    """The lines see it for themselves."""
