"""Starting and stopping all of it, in an order in which nothing is lost.

Stopping goes backwards: no new requests, then what was handed in is done, then what is queued for
devices is sent. ``address.json`` tells where the API and the broker are, for whoever chose port 0.
"""

import asyncio
import contextlib
import logging
import secrets
import signal
import time
from importlib.metadata import version

import msgspec

from qfleet_controlplane import sdnotify
from qfleet_controlplane.api import application
from qfleet_controlplane.api.backends import Backends
from qfleet_controlplane.api.server import HttpServer
from qfleet_controlplane.authority import files, tokens
from qfleet_controlplane.authority.invitations import Inviting
from qfleet_controlplane.authority.keyring import Keyring
from qfleet_controlplane.broker import ports
from qfleet_controlplane.broker.services import Embedded, External, open_broker
from qfleet_controlplane.daemon.governance import Governance
from qfleet_controlplane.daemon.overview import Overview, Parts
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.link.counts import Counts
from qfleet_controlplane.link.link import Ends, Link
from qfleet_controlplane.link.stores import Stores
from qfleet_controlplane.link.surroundings import Surroundings
from qfleet_controlplane.machine import events
from qfleet_controlplane.metrics import Registry
from qfleet_controlplane.service import surroundings as core
from qfleet_controlplane.service.service import Service
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import registry
from qfleet_controlplane.store.database import Database
from qfleet_wire.channel.identity import ControllerIdentity
from qfleet_wire.names import Millis

_log = logging.getLogger(__name__)

_FIRST_CONNECTION_S = 10.0
_RENEWAL_LOOK_S = 3600.0


def clock() -> Millis:
    """Return the present wall-clock time."""
    return Millis(time.time_ns() // 1_000_000)


class Daemon:
    """One control plane. ``start``, then ``stop``; ``urls`` says where it can be reached."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        layout = files.Layout(settings.directory / "authority")
        self._ring = Keyring(layout, ControllerIdentity(*settings.names), random=secrets.token_bytes)
        self._broker: Embedded | External = open_broker(settings)
        self._registry = Registry()
        self._stack = contextlib.AsyncExitStack()
        self.api_url = ""

    async def start(self) -> None:
        """Start everything; what was started is stopped again when a part fails.

        Raises:
            ConfigurationError: something must be changed before it can run.
            Unavailable: a part does not start.
        """
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Stop everything in order."""
        await self._stack.aclose()

    async def _start(self) -> None:
        settings, stack = self._settings, self._stack
        database = await asyncio.to_thread(Database, settings.database_url)
        stack.push_async_callback(asyncio.to_thread, database.close)
        await database.writer.run(lambda connection: registry.adopt_region(connection, settings.region))
        stack.push_async_callback(self._broker.stop)
        await self._broker.start()
        await self._renew_if_due()
        around = Surroundings(settings.names[1], Counts(self._registry), clock, secrets.token_bytes)

        # Link and service know each other; one of them comes first.
        def post(event: events.Event) -> None:
            service.post_nowait(event)

        async def enter(event: events.Enrolled) -> None:
            await service.decide(event)

        link = Link(settings, Stores(database, self._ring), Ends(self._broker, post, enter), around)
        service = Service(database, link, core.Surroundings(settings.region, clock, secrets.token_bytes))
        stack.push_async_callback(link.stop)
        await link.start()
        stack.push_async_callback(service.stop)
        await service.start()
        await self._wait_for_link(link)
        await self._serve(self._backends(database, service, link, around))
        renewing = asyncio.create_task(self._renew_certificate(), name="controller-certificate")
        stack.push_async_callback(_cancel, renewing)

    async def _wait_for_link(self, link: Link) -> None:
        """Wait a moment for the broker; an outside one may come later, and ``/readyz`` says so."""
        try:
            async with asyncio.timeout(_FIRST_CONNECTION_S):
                await link.wait_up()
        except TimeoutError:
            _log.warning("The broker is not connected yet.", extra={"action": "link_late"})

    def _backends(self, database: Database, service: Service, link: Link, around: Surroundings) -> Backends:
        def inviting() -> Inviting:
            broker = self._broker
            return Inviting(self._ring, around.region, broker.advertised, broker.logins.enrol)

        return Backends(
            jobs=service,
            devices=Governance(service, database, link, around, inviting),
            tokens=tokens.Book(lambda: database.read(registry.tokens), clock),
            fleet=Overview(self._settings, Parts(service, link, self._broker, database), self._registry),
        )

    async def _serve(self, backends: Backends) -> None:
        where, state = self._settings.api, self._settings.directory
        if where.port == 0:
            port = await ports.choose(where.host, 0, state / "api.port")
            where = msgspec.structs.replace(where, port=port)
        made = application.make(
            backends, version=version("qfleet-controlplane"), max_body_bytes=where.max_body_bytes
        )
        http = HttpServer(made, where)
        self._stack.push_async_callback(http.stop)
        self._stack.callback(backends.stopping.set_result, None)
        await http.start()
        self.api_url = http.url
        address = msgspec.json.encode({"api": http.url, "broker": self._broker.advertised})
        await asyncio.to_thread(files.replace, state / "address.json", address)

    async def _renew_certificate(self) -> None:
        """Keep the controller's certificate fresh while running."""
        while True:
            await asyncio.sleep(_RENEWAL_LOOK_S)
            try:
                await self._renew_if_due()
            except ConfigurationError:
                _log.exception(
                    "The controller's certificate was not renewed.", extra={"action": "renew_failed"}
                )

    async def _renew_if_due(self) -> None:
        now = clock()
        if now >= self._ring.renew_due():
            await asyncio.to_thread(self._ring.renew, now)


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: something must be changed before it can run.
        Unavailable: a part does not start.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    daemon = Daemon(settings)
    await daemon.start()
    feeding = asyncio.create_task(sdnotify.feed_watchdog(), name="watchdog")
    try:
        sdnotify.notify("READY=1")
        _log.info("The control plane is ready at %s.", daemon.api_url, extra={"action": "ready"})
        await stopping.wait()
        sdnotify.notify("STOPPING=1")
        _log.info("The control plane stops.", extra={"action": "stopping"})
    finally:
        await daemon.stop()
        await _cancel(feeding)


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
