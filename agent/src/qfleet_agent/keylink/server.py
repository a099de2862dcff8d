"""The daemon's end of the socket: one key process at a time, and nothing that it does harms the daemon.

A frame that is none ends the connection. What the key process does not take in time is dropped and
counted; whoever sent it repeats it.
"""

import asyncio
import contextlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qfleet_agent.errors import KeyLinkInvalid
from qfleet_agent.keylink import protocol
from qfleet_agent.keylink.protocol import FromDaemon, FromKeys, Order, Refused, State, Welcome
from qfleet_wire.channel.initiator import Standing

MOST_UNREAD: Final = 4 * 1024 * 1024
"""Bytes that wait for a key process which does not read; beyond, bodies are dropped."""
MODE: Final = 0o600
_READ_BYTES: Final = 256 * 1024
_LONGEST_PATH: Final = 107
"""Bytes of a path that a Unix socket's address holds (unix(7))."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Host:
    """What the daemon gives: ``welcome`` says how things are now, ``take`` is handed what comes.

    ``orders`` are those that no key process has taken yet: one that has just come gets them at once.
    """

    welcome: Callable[[], Welcome]
    take: Callable[[FromKeys], None]
    orders: Callable[[], Iterable[Order]] = tuple


class KeySocket:
    """Serves a key process on ``path``."""

    def __init__(self, path: Path, host: Host) -> None:
        self._path = path
        self._host = host
        self._client: asyncio.StreamWriter | None = None
        self.dropped: Counter[str] = Counter()
        """Frames for the key process that went nowhere, by reason."""

    @property
    def connected(self) -> bool:
        """Whether a key process is there."""
        return self._client is not None

    async def run(self) -> None:
        """Serve until cancelled; without a socket the daemon does all else as ever."""
        try:
            server = await self._bind()
        except OSError as error:
            log.warning(
                "No key process can connect: %s: %s", self._path, error, extra={"action": "keys-socket"}
            )
            await asyncio.Event().wait()
            return
        try:
            async with server:
                await server.serve_forever()
        finally:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def tell(self, frame: FromDaemon) -> bool:
        """Hand a frame to the key process, if one is there and reads; never waits."""
        if self._client is None:
            self.dropped["no-key-process"] += 1
            return False
        if self._client.transport.get_write_buffer_size() > MOST_UNREAD:
            self.dropped["not-read"] += 1
            return False
        self._client.write(protocol.encode(frame))
        return True

    def changed(self, standing: Standing, *, online: bool) -> None:
        """Say that the session has come or gone, or that more certificates are known to be revoked."""
        if self._client is not None:
            self.tell(State(standing, online))

    async def _bind(self) -> asyncio.Server:
        if len(os.fsencode(self._path)) > _LONGEST_PATH:
            raise OSError(
                f"a socket's path has at most {_LONGEST_PATH} bytes: set keys_socket to a shorter one"
            )
        # Whoever runs here holds the lock of the state directory: what is there is left over.
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        before = os.umask(0o777 & ~MODE)
        try:
            return await asyncio.start_unix_server(self._serve, self._path)
        finally:
            os.umask(before)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._client is not None:
                writer.write(
                    protocol.encode(Refused("another key process is connected: stop that one first"))
                )
                return
            self._client = writer
            self.tell(self._host.welcome())
            for order in self._host.orders():
                self.tell(order)
            log.info("A key process has connected.", extra={"action": "keys-connected"})
            await self._read(reader)
        except (KeyLinkInvalid, ConnectionError) as error:
            log.warning("The key process is let go: %s", error, extra={"action": "keys-invalid"})
        finally:
            if self._client is writer:
                self._client = None
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        frames = protocol.key_frames()
        while data := await reader.read(_READ_BYTES):
            for frame in frames.feed(data):
                self._host.take(frame)
