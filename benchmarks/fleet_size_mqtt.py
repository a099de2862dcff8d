"""A small MQTT 3.1.1 client for the load generator: thousands of them fit one event loop.

It speaks only what a qfleet device needs: a login, a last will, subscriptions, publications at QoS
0 and 1. It repeats nothing and keeps nothing; qfleet's own payloads are repeatable. Never used
by qfleet itself.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_CONNECT: Final = 0x10
_CONNACK: Final = 0x20
_PUBLISH: Final = 0x30
_PUBACK: Final = 0x40
_SUBSCRIBE: Final = 0x82
_SUBACK: Final = 0x90
_PING: Final = b"\xc0\x00"
_DISCONNECT: Final = b"\xe0\x00"
_WILL_QOS1: Final = 0x0C
_CLEAN: Final = 0x02
_CREDENTIALS: Final = 0xC0
_QOS1: Final = 0x02
_FAILURE: Final = 0x80

Deliver = Callable[[str, bytes], None]


class Refused(Exception):
    """The broker does not take a connection or a subscription."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a broker listens: ``path`` of a Unix socket, or ``host`` and ``port``."""

    host: str = ""
    port: int = 0
    path: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """What a client says of itself when it connects; ``will`` is published with an empty payload."""

    identifier: str
    user: str
    password: str = field(repr=False)
    will: str
    keep_alive_s: int = 60


class Client(asyncio.Protocol):
    """One connection. ``ended`` is set when it is gone, whoever ended it."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._number = 0
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self.ended = asyncio.Event()
        self.sent_at = 0.0

    # ── what a device does ──────────────────────────────────────────────────────────────────

    async def open(self, session: Session, timeout_s: float) -> None:
        """Log in on a connected transport; raises ``Refused`` or ``TimeoutError``."""
        flags = _WILL_QOS1 | _CLEAN | (_CREDENTIALS if session.user else 0)
        body = _text("MQTT") + bytes((4, flags)) + struct.pack(">H", session.keep_alive_s)
        body += _text(session.identifier) + _text(session.will) + _text("")
        if session.user:
            body += _text(session.user) + _text(session.password)
        answer = await self._ask(0, _packet(_CONNECT, body), timeout_s)
        if answer[1:2] != b"\0":
            raise Refused(f"the broker refuses {session.identifier}: code {answer[1:2].hex()}")

    async def subscribe(self, topics: tuple[tuple[str, int], ...], timeout_s: float) -> None:
        """Subscribe to topics, each with its quality of service."""
        number = self._next()
        wanted = b"".join(_text(topic) + bytes((qos,)) for topic, qos in topics)
        answer = await self._ask(number, _packet(_SUBSCRIBE, struct.pack(">H", number) + wanted), timeout_s)
        if any(code >= _FAILURE for code in answer[2:]):
            raise Refused("the broker refuses a subscription")

    def publish(self, topic: str, payload: bytes, *, qos: int = 1) -> None:
        """Publish without waiting; what the broker does not take is lost."""
        if qos:
            number = struct.pack(">H", self._next())
            self._write(_packet(_PUBLISH | _QOS1, _text(topic) + number + payload))
        else:
            self._write(_packet(_PUBLISH, _text(topic) + payload))

    def ping(self) -> None:
        """Keep the connection alive."""
        self._write(_PING)

    def close(self) -> None:
        """Disconnect in order, so that the last will is not published."""
        self._write(_DISCONNECT)
        if self._transport is not None:
            self._transport.close()

    # ── what asyncio calls ──────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; Nagle's algorithm off, as qfleet's own sockets have it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits."""
        self._transport = None
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Refused(f"the connection is lost: {exc}"))
        self._answers.clear()
        self.ended.set()

    def data_received(self, data: bytes) -> None:
        """Cut packets out of the stream."""
        self._buffer += data
        while (cut := _cut(self._buffer)) is not None:
            start, end = cut
            first, body = self._buffer[0], bytes(self._buffer[start:end])
            del self._buffer[:end]
            self._take(first, body)

    def _take(self, first: int, body: bytes) -> None:
        kind = first & 0xF0
        if kind == _PUBLISH:
            self._message(first, body)
        elif kind == _CONNACK:
            self._answered(0, body)
        elif kind == _SUBACK:
            self._answered(int.from_bytes(body[:2], "big"), body)

    def _message(self, first: int, body: bytes) -> None:
        length = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        if first & 0x06:
            self._write(_packet(_PUBACK, rest[:2]))
            rest = rest[2:]
        self._deliver(topic, rest)

    # ── below ───────────────────────────────────────────────────────────────────────────────

    async def _ask(self, number: int, packet: bytes, timeout_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        answer = self._answers[number] = loop.create_future()
        self._write(packet)
        try:
            return await asyncio.wait_for(answer, timeout_s)
        finally:
            self._answers.pop(number, None)

    def _answered(self, number: int, body: bytes) -> None:
        answer = self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_result(body)

    def _write(self, packet: bytes) -> None:
        if self._transport is not None:
            self.sent_at = asyncio.get_running_loop().time()
            self._transport.write(packet)

    def _next(self) -> int:
        self._number = self._number % 0xFFFF + 1
        return self._number


async def connect(door: Door, session: Session, deliver: Deliver, timeout_s: float = 30.0) -> Client:
    """Connect and log in; raises ``OSError``, ``Refused`` or ``TimeoutError``."""
    loop, client = asyncio.get_running_loop(), Client(deliver)
    async with asyncio.timeout(timeout_s):
        if door.path:
            await loop.create_unix_connection(lambda: client, door.path)
        else:
            await loop.create_connection(lambda: client, door.host, door.port)
    try:
        await client.open(session, timeout_s)
    except BaseException:
        client.close()
        raise
    return client


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def _packet(first: int, body: bytes) -> bytes:
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes((first,)) + bytes(digits) + body


def _cut(buffer: bytearray) -> tuple[int, int] | None:
    """Where the body of the first packet starts and ends; None while it is incomplete."""
    length = 0
    for place in range(1, min(len(buffer), 5)):
        digit = buffer[place]
        length |= (digit & 0x7F) << (7 * (place - 1))
        if digit < 0x80:
            start = place + 1
            return (start, start + length) if len(buffer) >= start + length else None
    return None
