"""Starting and stopping all of it, in an order in which nothing is lost.

Stopping goes backwards: no new requests, then what was handed in is done, then what is queued for
devices is sent. ``address.json`` tells where the API and the broker are, for whoever chose port 0.
"""

import asyncio
import contextlib
import logging
import secrets
import signal
from importlib.metadata import version

import msgspec

from qfleet_controlplane import profiles, sdnotify
from qfleet_controlplane.api import application
from qfleet_controlplane.api.backends import Backends
from qfleet_controlplane.api.server import HttpServer
from qfleet_controlplane.authority import belonging, files, keyring, tokens
from qfleet_controlplane.authority.keyring import Keyring
from qfleet_controlplane.broker import ports
from qfleet_controlplane.daemon import clocks, retention
from qfleet_controlplane.daemon.attendance import Premises
from qfleet_controlplane.daemon.exchange import Exchange
from qfleet_controlplane.daemon.governance import Governance
from qfleet_controlplane.daemon.keeper import Keeper
from qfleet_controlplane.daemon.keys import key_authority
from qfleet_controlplane.daemon.overview import Overview, Parts
from qfleet_controlplane.daemon.region import RegionRuntime
from qfleet_controlplane.daemon.signing import Pen
from qfleet_controlplane.daemon.tenure import Tenure
from qfleet_controlplane.link.counts import Counts
from qfleet_controlplane.metrics import Registry
from qfleet_controlplane.service.contacts import ContactPlanner
from qfleet_controlplane.service.desk import ProcessDesk
from qfleet_controlplane.service.front import Front
from qfleet_controlplane.service.keys import KeyAuthority
from qfleet_controlplane.service.network import NetworkOffice
from qfleet_controlplane.service.notary import Notary
from qfleet_controlplane.service.twin import TwinRunner
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import ownership, registry
from qfleet_controlplane.store.database import Database
from qfleet_wire.channel.identity import ControllerIdentity

_log = logging.getLogger(__name__)

clock = clocks.wall


class Daemon:
    """One control plane. ``start``, then ``stop``; ``api_url`` says where it can be reached."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        layout, first = files.Layout(settings.directory / "authority"), next(iter(settings.places.values()))
        who = ControllerIdentity(*first.names)
        keyring.qualify(layout, who, now=clocks.wall(), random=secrets.token_bytes)
        self._layout, self._who = layout, who
        self._ring = self._read_ring()
        self._registry = Registry()
        self._counts = Counts(self._registry)
        self._noise = profiles.noise(settings.profiles)
        self._stack = contextlib.AsyncExitStack()
        self.api_url = ""

    def _read_ring(self) -> Keyring:
        return Keyring(self._layout, self._who, random=secrets.token_bytes)

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
        premises = stack.enter_context(Premises(settings.directory))
        owner = belonging.of_directory(settings.directory, settings.fleet)
        # Before the schema of a database that is not ours is touched.
        await asyncio.to_thread(ownership.refuse_other, settings.database_url, owner)
        database = await asyncio.to_thread(Database, settings.database_url)
        stack.push_async_callback(asyncio.to_thread, database.close)
        await database.writer.run(lambda connection: ownership.adopt(connection, owner))
        if len(settings.places) == 1:
            only = next(iter(settings.places))
            await database.writer.run(lambda connection: registry.adopt_region(connection, only))

        forgetting = asyncio.create_task(retention.run(database, settings.telemetry_days), name="retention")
        stack.push_async_callback(_cancel, forgetting)

        exchange = Exchange(database, self._counts, clocks.wall)
        stack.push_async_callback(exchange.close)

        def make(place: Settings, tenure: Tenure) -> RegionRuntime:
            return RegionRuntime(place, database, tenure, self._counts, exchange)

        keeper = Keeper(settings, database, premises.instance, make)
        exchange.led = keeper.runtimes
        stack.push_async_callback(keeper.stop)
        await keeper.start()
        await asyncio.gather(*(led.wait_for_link() for led in keeper.runtimes.values()))
        twins = TwinRunner(database, keeper.leads_first, clocks.wall)
        stack.push_async_callback(_cancel, asyncio.create_task(twins.run(), name="network-twin"))
        plans = ContactPlanner(database, lambda: {name: one.service for name, one in keeper.runtimes.items()})
        stack.push_async_callback(_cancel, asyncio.create_task(plans.run(), name="contact-plans"))
        authority = key_authority(settings, database, keeper, twins, self._registry)
        stack.push_async_callback(_cancel, asyncio.create_task(authority.run(), name="key-authority"))
        await self._serve(self._backends(database, keeper, twins, authority), keeper)

    def _backends(
        self, database: Database, keeper: Keeper, twins: TwinRunner, authority: KeyAuthority
    ) -> Backends:
        front = Front(keeper, database, clocks.wall, secrets.token_bytes, self._noise)
        devices = Governance(self._settings.places, keeper.runtimes, database, self._ring)
        return Backends(
            notary=Notary(database, Pen(self._read_ring, clocks.wall), clocks.wall),
            jobs=front,
            devices=devices,
            tokens=tokens.Book(lambda: database.read(registry.tokens), clocks.wall),
            network=NetworkOffice(database, twins, ProcessDesk(), clocks.wall),
            keys=authority,
            fleet=Overview(self._settings, Parts(front, devices, keeper, database), self._registry),
        )

    async def _serve(self, backends: Backends, keeper: Keeper) -> None:
        where, state = self._settings.api, self._settings.directory
        if where.port == 0:
            port = await ports.choose(where.host, 0, state / "api.port")
            where = msgspec.structs.replace(where, port=port)
        # In a thread: it takes a second of a small machine, and regions that are led already must not wait.
        made = await asyncio.to_thread(
            application.make,
            backends,
            version=version("qfleet-controlplane"),
            max_body_bytes=where.max_body_bytes,
        )
        http = HttpServer(made, where)
        self._stack.push_async_callback(http.stop)
        self._stack.callback(backends.stopping.set_result, None)
        await http.start()
        self.api_url = http.url
        led = list(keeper.runtimes.values())
        address = msgspec.json.encode({"api": http.url, "broker": led[0].broker.advertised if led else ""})
        await asyncio.to_thread(files.replace, state / "address.json", address)


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
