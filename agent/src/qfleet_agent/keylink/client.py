"""The key process's end of the socket: connects, connects again, and hands on what comes.

Reports are the caller's to keep until they are stored; while they wait here they are repeated with every
new session of the daemon, and now and then.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from qfleet_agent.errors import KeyLinkClosed, KeyLinkInvalid
from qfleet_agent.keylink import protocol
from qfleet_agent.keylink.protocol import (
    FromDaemon,
    FromKeys,
    Incoming,
    NotSent,
    Order,
    OrderTaken,
    Outgoing,
    Refused,
    Report,
    ReportStored,
    State,
    Welcome,
)
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.names import DeviceName

FIRST_RETRY_S: Final = 0.2
MOST_RETRY_S: Final = 10.0
REPEAT_S: Final = 60.0
"""How often reports that are not stored are said again, while a session stands."""
MOST_UNSENT: Final = 4 * 1024 * 1024
"""Bytes that wait for a daemon which does not read; beyond, bodies to peers are dropped."""
_READ_BYTES: Final = 256 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told what comes. None of these may wait.

    ``changed`` is told that ``KeyLink.welcome`` or ``KeyLink.online`` is another than before.
    """

    incoming: Callable[[DeviceName, bytes], None]
    not_sent: Callable[[NotSent], None]
    order: Callable[[str, bytes], None]
    changed: Callable[[], None]


class KeyLink:
    """A connection to the daemon that comes back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ears: list[Ears] = []
        self._writer: asyncio.StreamWriter | None = None
        self._reports: dict[str, bytes] = {}
        self._stored: dict[str, asyncio.Future[None]] = {}
        self.welcome: Welcome | None = None
        """What the daemon last said of itself; it stays when the daemon goes."""
        self.online = False
        """Whether the daemon is there and has a session with its controller."""
        self.trouble: str | None = "the agent was not reached yet"

    @property
    def standing(self) -> Standing:
        """What is known of time and revoked certificates; raises ``KeyLinkClosed`` before a welcome."""
        if self.welcome is None:
            raise KeyLinkClosed
        return self.welcome.standing

    def listen(self, ears: Ears) -> None:
        """Tell these too what comes."""
        self._ears.append(ears)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        pause = FIRST_RETRY_S
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat())
            while True:
                try:
                    await self._connection()
                    pause = FIRST_RETRY_S
                except (OSError, KeyLinkInvalid) as error:
                    self.trouble = f"the agent cannot be reached at {self._path}: {error}"
                    log.debug("%s", self.trouble, extra={"action": "agent-away"})
                self._set_online(online=False)
                await asyncio.sleep(pause)
                pause = min(2 * pause, MOST_RETRY_S)

    def send(self, peer: DeviceName, body: bytes, number: int) -> bool:
        """Hand a body for a device to the daemon; False when it cannot take it now."""
        if not self.online or self._writer is None:
            return False
        if self._writer.transport.get_write_buffer_size() > MOST_UNSENT:
            return False
        self._write(Outgoing(peer, body, number))
        return True

    def taken(self, order: str) -> None:
        """Say that an order is stored here for good; lost with the connection, the order comes again."""
        self._write(OrderTaken(order))

    async def report(self, name: str, body: bytes) -> None:
        """Report to the control plane; return when it has stored it. The same name is the same report."""
        stored = self._stored.get(name)
        if stored is None:
            stored = self._stored[name] = asyncio.get_running_loop().create_future()
            self._reports[name] = body
            if self.online:
                self._write(Report(name, body))
        await asyncio.shield(stored)

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            self._writer = writer
            frames = protocol.daemon_frames()
            while data := await reader.read(_READ_BYTES):
                for frame in frames.feed(data):
                    self._take(frame)
            self.trouble = "the agent has closed the connection"
        finally:
            self._writer = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _take(self, frame: FromDaemon) -> None:
        match frame:
            case Welcome() | State():
                self._learn(frame)
            case ReportStored(name):
                self._reports.pop(name, None)
                stored = self._stored.pop(name, None)
                if stored is not None and not stored.done():
                    stored.set_result(None)
            case Refused(text):
                raise KeyLinkInvalid(text)
            case _:
                for ears in self._ears:
                    _hand(ears, frame)

    def _learn(self, frame: Welcome | State) -> None:
        if isinstance(frame, Welcome):
            if frame.version != protocol.VERSION:
                raise KeyLinkInvalid(f"the agent speaks version {frame.version}: run the same release")
            self.welcome, self.trouble = frame, None
        elif self.welcome is None:
            raise KeyLinkInvalid("the agent has not said who it is")
        else:
            self.welcome = msgspec.structs.replace(self.welcome, standing=frame.standing, online=frame.online)
        self._set_online(online=frame.online)

    def _set_online(self, *, online: bool) -> None:
        came = online and not self.online
        self.online = online
        if came:
            self._say_reports()
        for ears in self._ears:
            ears.changed()

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(REPEAT_S)
            if self.online:
                self._say_reports()

    def _say_reports(self) -> None:
        for name, body in self._reports.items():
            self._write(Report(name, body))

    def _write(self, frame: FromKeys) -> None:
        if self._writer is not None:
            self._writer.write(protocol.encode(frame))


def _hand(ears: Ears, frame: Incoming | NotSent | Order) -> None:
    match frame:
        case Incoming(peer, body):
            ears.incoming(peer, body)
        case NotSent():
            ears.not_sent(frame)
        case Order(name, body):
            ears.order(name, body)
