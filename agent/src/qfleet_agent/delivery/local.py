"""Announcements over Unix sockets, for KMEs on one machine: tests, demonstrations, two links at a site.

Who may open the socket is a matter of its folder's rights; the file itself is for its owner alone.
A message is a length of four bytes, big-endian, and that many bytes of MessagePack.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from qfleet_agent.delivery.announcer import Answer, Hearer, PeerSilent
from qfleet_agent.errors import AnnouncementRefused, KeyDeliveryUnusable
from qfleet_agent.keystore import announcement
from qfleet_agent.keystore.announcement import Announcement
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError

log = logging.getLogger(__name__)

_T = TypeVar("_T")

MOST_BYTES = 16 * 1024 * 1024


class _Announced(msgspec.Struct, frozen=True):
    sender: str
    items: tuple[Announcement, ...]


class _Answered(msgspec.Struct, frozen=True):
    answers: tuple[Answer, ...]


class LocalAnnouncer:
    """Reaches each peer at its socket; one connection each, opened when it is needed."""

    def __init__(self, name: str, sockets: Mapping[str, Path]) -> None:
        self._name = name
        self._sockets = sockets
        self._open: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def announce(self, link: str, batch: Sequence[Announcement]) -> Sequence[Answer]:
        """Send a batch and return the answers. Raises ``PeerSilent``."""
        if link not in self._sockets:
            raise PeerSilent(f"there is no way to {link}: set socket in [keys.peers.{link}]")
        settled = False
        try:
            if link not in self._open:
                self._open[link] = await asyncio.open_unix_connection(self._sockets[link])
            reader, writer = self._open[link]
            await _write(writer, _Announced(self._name, tuple(batch)))
            answered = await _read(reader, _Answered)
            settled = True
        except (OSError, EOFError, RemoteError) as error:
            raise PeerSilent(f"{self._sockets[link]}: {error}") from error
        finally:
            if not settled:  # an answer that is still to come would be taken for another's
                self._drop(link)
        return answered.answers

    async def close(self) -> None:
        """Close the connections."""
        for link in list(self._open):
            self._drop(link)

    def _drop(self, link: str) -> None:
        found = self._open.pop(link, None)
        if found is not None:
            found[1].close()


class LocalListener:
    """Hears what peers on this machine announce."""

    def __init__(self, path: Path, hearer: Hearer, peers: frozenset[str]) -> None:
        self._path = path
        self._hearer = hearer
        self._peers = peers
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen. Raises ``KeyDeliveryUnusable``."""
        before = os.umask(0o177)
        try:
            if self._path.exists() and not self._path.is_socket():
                raise KeyDeliveryUnusable(f"{self._path} is a file, and no socket can be made there")
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        except OSError as error:
            raise KeyDeliveryUnusable(f"the socket {self._path} cannot be made: {error}") from error
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.close()
            await self._server.wait_closed()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                announced = await _read(reader, _Announced)
                await _write(writer, _Answered(tuple(await self._answers(announced))))
        except (OSError, EOFError):
            pass
        except RemoteError as error:
            log.warning("A peer's message is not valid: %s", error, extra={"action": "key-peer-invalid"})
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answers(self, announced: _Announced) -> list[Answer]:
        if announced.sender not in self._peers:
            return [Answer(one.key, "unwanted", "no such peer") for one in announced.items]
        valid, answers = [], []
        for one in announced.items:
            try:
                announcement.check(one)
            except AnnouncementRefused as error:
                answers.append(Answer(one.key, "no-such-bits", str(error)))
            else:
                valid.append(one)
        return [*answers, *await self._hearer(announced.sender, valid)]


async def _write(writer: asyncio.StreamWriter, message: msgspec.Struct) -> None:
    data = codec.encode(message)
    writer.write(len(data).to_bytes(4, "big") + data)
    await writer.drain()


async def _read(reader: asyncio.StreamReader, kind: type[_T]) -> _T:
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > MOST_BYTES:
        raise EOFError(f"a message of {length} bytes is too long")
    return codec.decode(await reader.readexactly(length), kind, limit=MOST_BYTES)
