"""The HTTPS server: mutual TLS, and who has called handed to the application with each request.

uvicorn gives an application no client certificate, so its protocol on httptools is extended here: the
caller is read from the certificate once per connection and put into the state that each
request's scope carries.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from qfleet_agent.delivery import callers
from qfleet_agent.delivery.application import CALLER, Application
from qfleet_agent.delivery.callers import Field
from qfleet_agent.delivery.requests import MOST_BODY_BYTES
from qfleet_agent.errors import KeyDeliveryUnusable

log = logging.getLogger(__name__)

_STOP_S = 3
_BACKLOG = 256
_IDLE_S = 60
"""How long a connection may stay without a request."""
MOST_REQUESTS = 512
"""Connections or requests at a time; further ones are answered 503 at once."""


MOST_REQUEST_BYTES = 2 * MOST_BODY_BYTES
"""With its headers; a connection that sends a longer one is closed."""


class Listening(NamedTuple):
    """Where and how to listen."""

    host: str
    port: int
    certificate: Path
    key: Path
    client_ca: Path
    least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    field: Field = "common-name"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process."""
        yield


class _Protocol(HttpToolsProtocol):
    """Takes a third less processor time per request than the one on h11."""

    field: ClassVar[Field] = "common-name"
    _arrived = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        caller = callers.sae_id(transport.get_extra_info("peercert"), self.field)
        self.app_state = {**self.app_state, CALLER: caller}

    def data_received(self, data: bytes) -> None:
        """Read on, unless a request is longer than any may be: the parser itself has no bound."""
        self._arrived += len(data)
        if self._arrived > MOST_REQUEST_BYTES:
            self.transport.close()
            return
        super().data_received(data)

    def on_message_complete(self) -> None:
        """Begin to count anew."""
        self._arrived = 0
        super().on_message_complete()


class HttpsServer:
    """Serves one application until it is stopped."""

    def __init__(self, application: Application, where: Listening) -> None:
        self._where = where
        protocol = type("Protocol", (_Protocol,), {"field": where.field})
        self._config = uvicorn.Config(
            application,
            http=protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_REQUESTS,
            backlog=_BACKLOG,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=_STOP_S,
        )
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen, and return when requests are answered.

        Raises:
            KeyDeliveryUnusable: the certificates are not usable, or the address cannot be listened on.
        """
        self._config.load()
        self._config.ssl = context(self._where)
        listener = await self._listen()
        self.port = listener.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="https")
        while not self._server.started:
            if self._task.done():
                raise KeyDeliveryUnusable("the server ended while it started") from self._task.exception()
            await asyncio.sleep(0.005)
        log.info(
            "Keys are delivered at https://%s:%d.", self._where.host, self.port, extra={"action": "keys-up"}
        )

    async def stop(self) -> None:
        """Finish what is being answered, then stop listening."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    async def _listen(self) -> socket.socket:
        address = self._where.host, self._where.port
        try:
            found = await asyncio.get_running_loop().getaddrinfo(*address, type=socket.SOCK_STREAM)
            # asyncio sets TCP_NODELAY only where the protocol is named.
            listener = socket.socket(found[0][0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(address)
                listener.listen(_BACKLOG)
            except OSError:
                listener.close()
                raise
        except OSError as error:
            raise KeyDeliveryUnusable(
                f"keys cannot be delivered at {address[0]}:{address[1]}: {error}; set host and port in [keys]"
            ) from error
        return listener


def context(where: Listening) -> ssl.SSLContext:
    """Make the server's TLS: only clients with a certificate of the CA get as far as a request.

    Raises:
        KeyDeliveryUnusable: a file cannot be read, or is not what it should be.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = where.least
    made.verify_mode = ssl.CERT_REQUIRED
    _load(lambda: made.load_cert_chain(where.certificate, where.key), where.certificate, where.key)
    _load(lambda: made.load_verify_locations(where.client_ca), where.client_ca)
    return made


def _load(call: Any, *files: Path) -> None:
    try:
        call()
    except (OSError, ssl.SSLError) as error:
        names = " and ".join(map(str, files))
        raise KeyDeliveryUnusable(
            f"{names}: not usable: {error}; `qfleet-agent keys certificates` makes certificates to start with"
        ) from error
