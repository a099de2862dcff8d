"""The HTTP server inside the control plane's own event loop.

It shares the loop with the link and the service and must not take the process's signals. TLS,
where configured, is version 1.3 only.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from litestar.types import ASGIApp

from qfleet_controlplane import settings
from qfleet_controlplane.errors import ConfigurationError, Unavailable

_log = logging.getLogger(__name__)

_STOP_S = 3
_BACKLOG = 1024


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the daemon."""
        yield


class HttpServer:
    """Serves one application until it is stopped."""

    def __init__(self, application: ASGIApp, where: settings.Api) -> None:
        self._where = where
        self._config = uvicorn.Config(
            application,
            # httptools, which uvicorn prefers where it is installed, keeps headers of any length in memory
            http="h11",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=_STOP_S,
            ssl_certfile=where.tls_certificate or None,
            ssl_keyfile=where.tls_key or None,
        )
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen and return when requests are answered.

        Raises:
            ConfigurationError: the address cannot be listened on, or the certificate is not usable.
        """
        self._load()
        listener = await self._listen()
        scheme = "https" if self._where.tls_certificate else "http"
        host = f"[{self._where.host}]" if ":" in self._where.host else self._where.host
        self.url = f"{scheme}://{host}:{listener.getsockname()[1]}"
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="http")
        while not self._server.started:
            if self._task.done():
                raise Unavailable(f"the HTTP server ended while it started at {self.url}")
            await asyncio.sleep(0.005)
        _log.info("The API listens at %s.", self.url, extra={"action": "api_up"})

    async def stop(self) -> None:
        """Finish what is being answered, then stop listening."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    def _load(self) -> None:
        try:
            self._config.load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"api.tls_certificate and api.tls_key are not usable: {error}"
            ) from error
        if self._config.ssl is not None:
            self._config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3

    async def _listen(self) -> socket.socket:
        address = (self._where.host, self._where.port)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(*address, type=socket.SOCK_STREAM)
            # asyncio sets TCP_NODELAY only where the protocol is named; without it answers take 44 ms.
            listener = socket.socket(found[0][0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(address)
                listener.listen(_BACKLOG)
            except OSError:
                listener.close()
                raise
        except OSError as error:
            raise ConfigurationError(
                f"the API cannot listen on {address[0]}:{address[1]}: {error}; set api.host and api.port"
            ) from error
        return listener
