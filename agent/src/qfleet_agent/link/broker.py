"""The MQTT connection: how a broker URL becomes an aiomqtt client with our rules.

MQTT 3.1.1, QoS 1, a clean session, at most 20 messages in flight, Nagle off: with it on, a QoS 1
message takes 44 ms.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import aiomqtt

from qfleet_agent.errors import SettingsInvalid

MOST_IN_FLIGHT = 20
CONNECT_TIMEOUT_S = 10.0
_UNUSED_PORT = 1
"""paho-mqtt wants a port for a Unix socket too."""
_WATCHFUL = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 3),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 15_000),
]
"""Seconds, a count, and milliseconds (tcp(7)): a cable that was pulled is noticed after 15 s at most."""
_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is and how to log in; of a cluster, one node and the ``others`` after it."""

    host: str
    port: int
    transport: Literal["tcp", "unix"]
    tls: bool
    login: str
    password: str = field(repr=False)
    ca_file: Path | None = None
    others: tuple["Broker", ...] = ()
    source: str | None = None
    """Address of this device to connect from; None: the system's choice."""
    watchful: bool = False
    """Whether a peer that is gone without a word is noticed in seconds: there are other ways."""

    @property
    def nodes(self) -> tuple["Broker", ...]:
        """Every node, this one first."""
        return (replace(self, others=()), *self.others)

    def following(self) -> "Broker":
        """Return the next node in turn, itself where there is one only."""
        own, *rest = self.nodes
        return replace(rest[0], others=(*rest[1:], own)) if rest else self


def parse(urls: str, *, login: str, password: str, ca_file: Path | None = None) -> Broker:
    """Read a broker URL: ``mqtt://host[:port]``, ``mqtts://host[:port]`` or ``unix:///path``.

    A cluster has one for each node, separated by commas.

    Raises:
        SettingsInvalid: with what is wrong with it.
    """
    first, *others = (
        _parse(url.strip(), login=login, password=password, ca_file=ca_file) for url in urls.split(",")
    )
    return replace(first, others=tuple(others))


def _parse(url: str, *, login: str, password: str, ca_file: Path | None) -> Broker:
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise SettingsInvalid("a broker URL holds no login: the agent has its own from its enrolment")
    if parts.scheme == "unix" and parts.path and not parts.netloc:
        return Broker(parts.path, _UNUSED_PORT, "unix", tls=False, login=login, password=password)
    try:
        port = parts.port
    except ValueError as error:
        raise SettingsInvalid(f"broker URL {url!r}: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path.strip("/"):
        raise SettingsInvalid(
            f"broker URL {url!r} must be mqtt://host[:port], mqtts://host[:port] or unix:///path"
        )
    return Broker(
        parts.hostname,
        port or _DEFAULT_PORTS[parts.scheme],
        "tcp",
        tls=parts.scheme == "mqtts",
        login=login,
        password=password,
        ca_file=ca_file,
    )


def check(broker: Broker, setting: str) -> None:
    """Raise ``SettingsInvalid`` when the broker's certificates cannot be read, which no waiting mends.

    ``setting`` names where they were asked for.
    """
    try:
        _tls(broker)
    except OSError as error:
        raise SettingsInvalid(
            f"{setting} = {str(broker.ca_file)!r} holds no certificates that can be read: {error}"
        ) from error


def _tls(broker: Broker) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=broker.ca_file) if broker.tls else None


def client(
    broker: Broker,
    deliver: Callable[[str, bytes], None],
    *,
    identifier: str,
    keep_alive_s: int,
    will: aiomqtt.Will | None = None,
) -> aiomqtt.Client:
    """Make a client that hands every message to ``deliver`` (topic, payload), which must not raise."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)] if broker.transport == "tcp" else []
    if options and broker.watchful:
        options += _WATCHFUL
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.login or None,
        password=broker.password or None,
        identifier=identifier,
        queue_type=_handing_to(deliver),
        protocol=aiomqtt.ProtocolVersion.V311,
        will=will,
        clean_session=True,
        transport=broker.transport,
        timeout=CONNECT_TIMEOUT_S,
        keepalive=keep_alive_s,
        max_inflight_messages=MOST_IN_FLIGHT,
        tls_context=_tls(broker),
        socket_options=options,
        bind_address=broker.source or "",
    )


async def publish(client: aiomqtt.Client, topic: str, payload: bytes, *, qos: int) -> None:
    """Publish, and end when this task is cancelled meanwhile; raises ``aiomqtt.MqttError``.

    ``asyncio.wait_for`` of Python 3.11, on which aiomqtt waits for the broker's answer, swallows a
    cancellation that comes together with it (python/cpython#86296): the task would wait for ever.
    """
    task = asyncio.current_task()
    # A task group of Python 3.11 that has failed leaves its request to cancel on the task for good.
    before = 0 if task is None else task.cancelling()
    await client.publish(topic, payload, qos=qos)
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


async def apart(work: Coroutine[None, None, None]) -> None:
    """Run a connection in a task of its own, and end when this task is cancelled meanwhile.

    A task group of Python 3.11 that has failed leaves its request to cancel on its task for good; before
    3.11.3 (Debian 12 has 3.11.2) every ``asyncio.timeout`` that expires in that task then cancels it.
    """
    own = asyncio.current_task()
    try:
        await asyncio.create_task(work)
    finally:
        if own is not None and own.cancelling():
            raise asyncio.CancelledError


async def lost(client: aiomqtt.Client) -> None:
    """Wait until the connection is lost, then raise ``aiomqtt.MqttError``."""
    async for message in client.messages:  # messages are delivered past the queue
        raise AssertionError(f"a message on {message.topic} stayed in the queue")


def _handing_to(deliver: Callable[[str, bytes], None]) -> type[asyncio.Queue[aiomqtt.Message]]:
    # aiomqtt wakes a task for every message of its queue; handing it on saves a third of the time.
    class Handing(asyncio.Queue[aiomqtt.Message]):
        def put_nowait(self, item: aiomqtt.Message) -> None:
            payload: Any = item.payload
            deliver(str(item.topic), payload if isinstance(payload, bytes) else b"")

    return Handing
