"""One region as its leader runs it: broker, link, service and inbox, under one lease.

It begins by loading what the store has and ends in one of two ways: in good order, or at once when
the lease is lost. Then whatever it still does comes to nothing: it cannot write, and it sends nothing.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from qfleet_controlplane.authority import files, keyring
from qfleet_controlplane.authority.keyring import Keyring
from qfleet_controlplane.broker.services import Embedded, External, open_broker
from qfleet_controlplane.daemon import clocks, returning
from qfleet_controlplane.daemon.tenure import Tenure
from qfleet_controlplane.errors import ConfigurationError, ControlPlaneError
from qfleet_controlplane.link.counts import Counts
from qfleet_controlplane.link.forwarding import Elsewhere, Neighbours
from qfleet_controlplane.link.link import Ends, Link
from qfleet_controlplane.link.stores import Stores
from qfleet_controlplane.link.surroundings import Surroundings
from qfleet_controlplane.machine import events
from qfleet_controlplane.machine.forwarding import Refused
from qfleet_controlplane.planning import regions
from qfleet_controlplane.service import ordering
from qfleet_controlplane.service import surroundings as core
from qfleet_controlplane.service.fencing import FencedDatabase
from qfleet_controlplane.service.ordering import Decision
from qfleet_controlplane.service.outages import Outage, Words
from qfleet_controlplane.service.service import Service
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import orders, registry
from qfleet_controlplane.store.database import Database
from qfleet_wire import api
from qfleet_wire.channel.identity import ControllerIdentity
from qfleet_wire.names import DeviceName

_log = logging.getLogger(__name__)

_FIRST_CONNECTION_S = 10.0
_RENEWAL_LOOK_S = 3600.0
_ORDERS_S = 0.25
"""How often a shared database is asked for orders of other controllers."""
_STALE_MS = 30_000
"""What devices of other regions sent is handed out no later; they have repeated it by then."""
_ALONE_S = 30.0
"""The same where every order comes from this process, which rings."""


class RegionRuntime:
    """A region that this process leads. ``settings`` are those of ``Settings.places``."""

    def __init__(
        self, settings: Settings, database: Database, tenure: Tenure, counts: Counts, elsewhere: Elsewhere
    ) -> None:
        self.settings = settings
        self.tenure = tenure
        self._counts = counts
        self.region = settings.names[1]
        self.description = regions.Description(
            self.region, settings.place.residency, settings.place.energy_price
        )
        layout, who = files.Layout(settings.directory / "authority"), ControllerIdentity(*settings.names)
        keyring.qualify(layout, who, now=clocks.wall(), random=secrets.token_bytes)
        self.ring = Keyring(layout, who, random=secrets.token_bytes)
        self.broker: Embedded | External = open_broker(settings)
        # Only a shared database has other controllers; a lone one is spared a read in every transaction.
        self._database = FencedDatabase(database, tenure.fence, tenure.lose) if settings.shared else database
        around = Surroundings(
            self.region, counts, clocks.wall, secrets.token_bytes, tenure.fence.epoch, tenure.lasts
        )
        ends = Ends(self.broker, self._post, self._enter, Neighbours(self._status_of, elsewhere))
        self.link = Link(settings, Stores(self._database, self.ring), ends, around)
        self.service = Service(
            self._database, self.link, core.Surroundings(self.region, clocks.wall, secrets.token_bytes)
        )
        self._bell = asyncio.Event()
        self._chores: list[asyncio.Task[None]] = []
        self.ready = False

    @property
    def epoch(self) -> int:
        """The lease's epoch."""
        return self.tenure.fence.epoch

    @property
    def database(self) -> Database:
        """The store, written under the lease."""
        return self._database

    def send_key_orders(self, devices: Iterable[DeviceName]) -> None:
        """Send those of some devices that are of this region what is ordered of their key processes."""
        for device in devices:
            if self._status_of(device) is not None:
                self.link.ordered(device)

    async def start(self) -> None:
        """Begin to lead; what was started is stopped again when a part fails.

        Raises:
            ConfigurationError: something must be changed before it can run.
            Unavailable: a part does not start, or the lease was lost meanwhile.
        """
        try:
            await self.broker.start()
            await self._renew_if_due()
            await self.service.start()
            await self.link.start()
        except BaseException:
            await self.abandon()
            raise
        self._chores = [
            asyncio.create_task(self._serve_inbox(), name=f"inbox-{self.region}"),
            asyncio.create_task(self._renew_certificate(), name=f"certificate-{self.region}"),
        ]
        self.ready = True
        _log.info("Leads region %s in epoch %d.", self.region, self.epoch, extra={"action": "region_led"})

    async def wait_for_link(self) -> None:
        """Wait a moment for the broker; an outside one may come later, and ``/readyz`` says so."""
        try:
            async with asyncio.timeout(_FIRST_CONNECTION_S):
                await self.link.wait_up()
        except TimeoutError:
            _log.warning(
                "The broker of region %s is not connected yet.", self.region, extra={"action": "link_late"}
            )

    async def stop(self) -> None:
        """End in good order: what was handed in is done, and what is queued for devices is sent."""
        await self._end_chores()
        await self.service.stop()
        await self.link.stop()
        await self.broker.stop()

    async def abandon(self) -> None:
        """End at once, because the lease is lost; nothing is stored or sent any more."""
        await self._end_chores()
        await self.service.abandon()
        await self.link.stop()
        await self.broker.stop()

    def facts(self) -> regions.RegionFacts:
        """What others may know of this region now."""
        return self.service.facts(self.description)

    def rebalance(self, known: Sequence[regions.RegionFacts]) -> None:
        """Let the region look whether some of its tasks should be another's, and whether some came."""
        self.service.post_nowait(events.Rebalance(self.region, tuple(known)))
        if len(known) > 1:
            self.poke()

    def poke(self) -> None:
        """Look for orders now."""
        self._bell.set()

    def unready(self) -> Sequence[str]:
        """Name what is missing to serve this region."""
        missing = list(self.service.unready())
        if not self.link.up:
            missing.append("the broker is not connected")
        if not self.tenure.lasts():
            missing.append("the lease was not renewed in time")
        return missing

    async def decide(self, event: Decision) -> api.DeviceView:
        """Take in what was decided about a device; it is durable when this returns."""
        self._shut_out(event)
        view = await self.service.decide(event)
        await self._conclude(event)
        return view

    def _status_of(self, device: DeviceName) -> str | None:
        return self.service.status_of(device)

    def _post(self, event: events.Event) -> bool:
        return self.service.post_nowait(event)

    async def _enter(self, event: events.Enrolled) -> None:
        await self.service.decide(event)

    def _shut_out(self, event: object) -> None:
        """End the sessions of a device at once, before the store knows of it."""
        if isinstance(event, events.Revoked | events.Retired):
            self.link.shut_out(event.device)
        elif isinstance(event, events.Quarantined):
            self.link.end(event.device)

    async def _conclude(self, event: object) -> None:
        """Revoke what a device that is shut out for good could come back with; call one that is released."""
        if isinstance(event, events.Released):
            self.link.recall(event.device)
        if isinstance(event, events.Revoked):
            device: DeviceName = event.device
            await self._database.writer.run(lambda connection: registry.revoke(connection, device))
            _log.warning("Device %s is revoked by %s.", device, event.who, extra={"action": "device_revoked"})

    async def _serve_inbox(self) -> None:
        """Carry out orders until cancelled; what fails is tried again."""
        pause_s = _ORDERS_S if self.settings.shared else _ALONE_S
        outage = Outage(
            _log,
            Words(
                f"Orders of region {self.region} wait",
                f"Orders of region {self.region} are carried out again",
                "orders_wait",
            ),
        )
        while True:
            self._bell.clear()
            try:
                await self._carry_out_orders()
            except ControlPlaneError as error:
                outage.failed(error)
                await asyncio.sleep(_ORDERS_S)
                continue
            outage.over()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._bell.wait()

    async def _carry_out_orders(self) -> None:
        inbox = await self._database.read(lambda connection: ordering.read(connection, self.region))
        now = clocks.wall()
        fresh = [message for created, message in inbox.forwarded if created >= now - _STALE_MS]
        refused = returning.hand_out(fresh, self.link.deliver, self._counts)
        for one in inbox.returned:
            self.link.returned(one.sender, one.receiver, one.number, Refused(one.code, one.text))
        self.send_key_orders(inbox.keyed)
        if inbox.empty:

            def write(connection: sa.Connection) -> None:
                orders.done(connection, inbox.empty)
                returning.put(connection, refused, self.region, now)

            await self._database.writer.run(write)
        for order in inbox.wanted:
            self._shut_out(order.event)
            await self.service.carry_out(order)
            await self._conclude(order.event)

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
        now = clocks.wall()
        if now >= self.ring.renew_due():
            await asyncio.to_thread(self.ring.renew, now)

    async def _end_chores(self) -> None:
        self.ready = False
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self._chores = []
