"""The lines of a key process to the devices that it shares keys with, over the daemon's socket.

One line for each peer carries sessions, relays and announcements in order. What comes is handed on; a cut is
told to whoever waits for an answer. Reading never waits for the store nor for room to answer: two ends that
both wait for room would wait for ever.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from qfleet_agent.errors import KeyParcelInvalid, KeyStoreFull, PeerCut
from qfleet_agent.keylink.client import Ears, KeyLink
from qfleet_agent.keylink.protocol import NotSent
from qfleet_agent.keyservice import parcels
from qfleet_agent.keyservice.announcing import PeerAnnouncer
from qfleet_agent.keyservice.parcels import Exchanged, Relayed
from qfleet_agent.keyservice.standing import LineStanding, Standing, changes
from qfleet_agent.peers.line import Line
from qfleet_agent.peers.network import PeerNetwork
from qfleet_wire.names import DeviceName

if TYPE_CHECKING:
    from qfleet_agent.keyservice.desk import Desk

MOST_WAITING: Final = 1024
"""Parcels of one peer that wait to be done; more are dropped, and said again by the other end."""
LOOK_S: Final = 2.0
"""How often the state of the lines is looked at, to log and tell what has changed."""
AGAIN_S: Final = 30.0
"""How long an order waits for a store that is full."""

log = logging.getLogger(__name__)


class Member(NamedTuple):
    """The device that this process believes to serve."""

    fleet: str
    device: str


class Lines:
    """The lines, the announcer over them, and the desk that they serve."""

    def __init__(
        self, link: KeyLink, network: PeerNetwork, peers: Iterable[DeviceName], member: Member
    ) -> None:
        self._link = link
        self._member = member
        self._network = network
        self._peers = tuple(peers)
        self._lines: dict[DeviceName, Line] = {}
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        self._bodies: dict[str, bytes] = {}
        self.dropped = 0
        """Parcels that came faster than they could be done."""
        self._hearing: set[asyncio.Task[None]] = set()
        self.announcer = PeerAnnouncer(self.post)

    @property
    def standing(self) -> Standing:
        """How the process stands with the agent and with every peer."""
        lines = tuple(
            LineStanding(peer, line.open, None if line.open else line.trouble)
            for peer, line in sorted(self._lines.items())
        )
        trouble = self._link.trouble
        return Standing(connected=trouble is None, trouble=trouble or self._offline(), lines=lines)

    def _offline(self) -> str | None:
        said = self._link.welcome
        if said is not None and (said.fleet, said.device) != self._member:
            return (
                f"the agent is {said.device!r} of fleet {said.fleet!r}, and this process serves "
                f"{self._member.device!r} of {self._member.fleet!r}: set keys_socket to its own agent's, "
                "or start the key process again after an enrolment"
            )
        return None if self._link.online else "the agent has no session with its controller"

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
                    waiting: asyncio.Queue[Exchanged | Relayed] = asyncio.Queue(MOST_WAITING)
                    group.create_task(self._receive(peer, line, desk, waiting), name=f"parcels-{peer}")
                    group.create_task(_do(peer, desk, waiting), name=f"doing-{peer}")
        finally:
            for task in self._hearing:
                task.cancel()
            await asyncio.gather(*self._hearing, return_exceptions=True)
            await self._network.close()

    def _ordered(self, name: str, body: bytes) -> None:
        if name not in self._bodies:
            self._bodies[name] = body
            self._orders.put_nowait(name)

    async def _take_orders(self, desk: "Desk") -> None:
        """Say that an order is taken once it is stored for good, and not before."""
        while True:
            name = await self._orders.get()
            try:
                await desk.ordered(name, self._bodies[name])
            except KeyStoreFull as error:
                log.warning("Order %s waits: %s", name, error, extra={"action": "key-order-waits"})
                asyncio.get_running_loop().call_later(AGAIN_S, self._orders.put_nowait, name)
                continue
            del self._bodies[name]
            self._link.taken(name)

    async def tell(self, hear: Callable[[Standing], None]) -> None:
        """Log what has changed between here, the agent and the peers, and tell it in a thread, for ever."""
        before: Standing | None = None
        while True:
            now = self.standing
            if now != before:
                for level, text in changes(before, now):
                    log.log(level, "%s", text, extra={"action": "key-standing"})
                before = now
                try:
                    await asyncio.to_thread(hear, now)
                except OSError as error:
                    log.warning("The status is not written: %s", error, extra={"action": "key-status"})
            await asyncio.sleep(LOOK_S)

    async def _receive(
        self, peer: DeviceName, line: Line, desk: "Desk", waiting: "asyncio.Queue[Exchanged | Relayed]"
    ) -> None:
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
                case _ if waiting.full():
                    self.dropped += 1
                case _:
                    waiting.put_nowait(parcel)

    def _hear(self, peer: DeviceName, said: parcels.Announced) -> None:
        """Answer in a task of its own: the line must go on being read while the store commits."""
        task = asyncio.get_running_loop().create_task(self.announcer.heard(peer, said))
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)


async def _do(peer: DeviceName, desk: "Desk", waiting: "asyncio.Queue[Exchanged | Relayed]") -> None:
    """Hand on what was read, in its order."""
    while True:
        await desk.heard(peer, await waiting.get())


def _nothing(_peer: DeviceName, _body: bytes) -> None:
    """Bodies are the network's."""


def _nothing_sent(_word: NotSent) -> None:
    """What was not sent is the network's."""


def _no_change() -> None:
    """The lines see it for themselves."""
