"""The one who holds leases: renews them, takes free ones, and starts and stops their regions.

It never waits for a region's own work: a region that takes long to start or to stop keeps nobody
from renewing the others. Losing a lease ends that region's runtime, never the process.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.daemon import clocks
from qfleet_controlplane.daemon.attendance import Attendance
from qfleet_controlplane.daemon.leases import Decision, Lease, Situation, decide
from qfleet_controlplane.daemon.region import RegionRuntime
from qfleet_controlplane.daemon.tenure import Tenure
from qfleet_controlplane.errors import ControlPlaneError
from qfleet_controlplane.planning import regions
from qfleet_controlplane.service.outages import Outage, Words
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import audit, leases
from qfleet_controlplane.store.attendance import Instance
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.writer import StoreFailed
from qfleet_wire.names import ControllerName, RegionName

_log = logging.getLogger(__name__)

_ALONE_TTL_S = 10 * 365 * 86_400.0
"""Where no other controller can be, a lease lasts: renewing it would wear the disk for nothing."""
_REBALANCE_S = 2.0
_PAUSE_S = 10.0
"""A region that did not start is not tried again for so long."""
_encode = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(regions.RegionFacts).decode

Make = Callable[[Settings, Tenure], RegionRuntime]


class Seen(NamedTuple):
    """Leases and controllers as the database had them at one moment."""

    leases: Sequence[leases.Lease]
    controllers: Mapping[ControllerName, int]


class Keeper:
    """Leads every region that falls to this controller.

    Args:
        settings: the controller's.
        database: the store that all controllers share.
        instance: this process.
        make: makes the runtime of a region under a lease; raises ``ConfigurationError``.
    """

    def __init__(self, settings: Settings, database: Database, instance: Instance, make: Make) -> None:
        self._places = settings.places
        self.names = tuple(self._places)
        self._me = ControllerName(settings.controller)
        self._shared = settings.shared
        self._times = settings.leases
        self._ttl_s = settings.leases.ttl_s if settings.shared else _ALONE_TTL_S
        self._database = database
        self._attendance = Attendance(settings, database, instance, self._ttl_s)
        self._make = make
        self._tenures: dict[RegionName, Tenure] = {}
        self._changing: dict[RegionName, asyncio.Task[None]] = {}
        self._free_since: dict[RegionName, float] = {}
        self._resting: dict[RegionName, float] = {}
        self._unwanted: set[RegionName] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._renewed_at = 0.0
        self._named = True
        self.runtimes: dict[RegionName, RegionRuntime] = {}
        """Regions that are led now and serve."""
        self.seen = Seen((), {})
        self.trouble: str | None = "leases were not looked at yet"

    async def start(self) -> None:
        """Take what falls to this controller, and go on keeping it.

        Raises:
            ConfigurationError: another controller bears this name, or a region cannot be led as it is
                configured; where others may lead it, that is logged instead.
            Unavailable: the database or the only broker does not answer.
        """
        if not self._shared:
            await self._database.writer.run(self._oust)
        await self._attendance.begin()
        await self._look()
        await asyncio.gather(*self._changing.values())
        self._tasks = [
            asyncio.create_task(self._keep(), name="lease-keeper"),
            asyncio.create_task(self._rebalance(), name="rebalance"),
        ]

    async def stop(self) -> None:
        """Give every region up in good order, so that others need not wait."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*self._changing.values(), return_exceptions=True)
        await asyncio.gather(*(self._hand_over(region) for region in list(self._tenures)))
        # A lease may have been lost meanwhile: what was begun by that is ended too.
        await asyncio.gather(*self._changing.values(), return_exceptions=True)
        with contextlib.suppress(StoreFailed):
            await self._attendance.end()

    def leads_first(self) -> bool:
        """Whether the first region of all by name is led here: what must run once in a fleet runs there."""
        return self.first() is not None

    def first(self) -> RegionRuntime | None:
        """The runtime of the first region of all by name, where that is led here."""
        every = {*self._places, *(lease.region for lease in self.seen.leases)}
        return self.runtimes.get(min(every))

    def facts(self) -> list[regions.RegionFacts]:
        """All regions: those led here as they are, the others as they last described themselves."""
        known = {name: _undescribed(name, place) for name, place in self._places.items()}
        for lease in self.seen.leases:
            if lease.facts is not None and lease.region in known:
                told = _decode_facts(lease.facts)
                known[lease.region] = regions.aged(told, float(lease.facts_age_ms or 0))
        known |= {name: runtime.facts() for name, runtime in self.runtimes.items()}
        return list(known.values())

    async def _keep(self) -> None:
        """Renew and look until cancelled; a database that does not answer is asked again."""
        outage = Outage(
            _log,
            Words("Leases cannot be looked at", "Leases are looked at again", "leases_unseen"),
        )
        while True:
            await asyncio.sleep(self._times.look_s)
            try:
                await self._look()
            except StoreFailed as error:
                self.trouble = str(error)
                outage.failed(error)
            else:
                outage.over()

    async def _look(self) -> None:
        """Renew if it is time, look at everything, and take and give up what follows."""
        due = self._shared and clocks.elapsed() - self._renewed_at >= self._times.renew_s
        if due or not self._renewed_at:
            await self._renew()
        self.seen = await self._database.read(_see)
        self.trouble = None if self._named else self._attendance.trouble
        for lease in self.seen.leases:
            tenure = self._tenures.get(lease.region)
            if tenure is not None and lease.epoch > tenure.fence.epoch:
                tenure.lose()
        if self._named:
            decision = decide(self._me, self._situation())
            self._unwanted |= set(decision.orphans)
            await self._follow(decision)

    async def _renew(self) -> None:
        started = clocks.elapsed()
        facts = {name: _encode(runtime.facts()) for name, runtime in self.runtimes.items()}
        held = {name: tenure.fence.epoch for name, tenure in self._tenures.items()}
        ttl_ms = int(self._ttl_s * 1000)

        def work(connection: sa.Connection) -> set[RegionName] | None:
            if not self._attendance.renew(connection):
                return None
            return leases.renew(connection, self._me, held, ttl_ms, facts)

        renewed = await self._database.writer.run(work)
        self._renewed_at = started
        if renewed is None and self._named:
            _log.error("Leads nothing: %s.", self._attendance.trouble, extra={"action": "name_lost"})
        self._named = renewed is not None
        still = renewed or set()
        for region in held:
            tenure = self._tenures.get(region)
            if tenure is None:
                continue
            if region not in still:
                tenure.lose()
                continue
            lapsed = not tenure.lasts()
            tenure.renew(started + self._ttl_s)
            if lapsed and region in self.runtimes:
                self.runtimes[region].link.wake()

    def _situation(self) -> Situation:
        now = clocks.elapsed()
        found = {lease.region: Lease(lease.controller, lease.left_ms / 1000) for lease in self.seen.leases}
        free = {name for name in self._places if name not in found or found[name].left_s <= 0}
        self._free_since = {name: self._free_since.get(name, now) for name in free}
        return Situation(
            leases=found,
            controllers={name: left / 1000 for name, left in self.seen.controllers.items()},
            servable=[name for name in self._places if self._resting.get(name, 0.0) <= now],
            leading=tuple(self._tenures),
            free_for={name: now - since for name, since in self._free_since.items()},
            unwanted=tuple(self._unwanted),
            patience_s=3 * self._ttl_s,
        )

    async def _follow(self, decision: Decision) -> None:
        for region in decision.take:
            if region not in self._changing:
                await self._take(region)
        for region in decision.release:
            if region not in self._changing and region in self.runtimes:
                self._begin(region, self._hand_over(region))

    async def _take(self, region: RegionName) -> None:
        started = clocks.elapsed()
        ttl_ms = int(self._ttl_s * 1000)
        lease = await self._database.writer.run(lambda connection: self._acquire(connection, region, ttl_ms))
        if lease is None:
            return
        tenure = Tenure(lease.fence, started + self._ttl_s, self._lost)
        self._tenures[region] = tenure
        self._begin(region, self._lead(region, tenure))

    def _acquire(self, connection: sa.Connection, region: RegionName, ttl_ms: int) -> leases.Lease | None:
        """Take a lease, and let the audit log say who led when."""
        if not self._attendance.holds(connection):
            return None
        lease = leases.acquire(connection, region, self._me, ttl_ms)
        if lease is not None:
            detail = f"epoch {lease.fence.epoch}"
            audit.append(connection, [audit.Entry(clocks.wall(), self._me, "region.lead", region, detail)])
        return lease

    async def _lead(self, region: RegionName, tenure: Tenure) -> None:
        """Start a region's runtime; give the lease back when that fails."""
        try:
            runtime = self._make(self._places[region], tenure)
            await runtime.start()
        except ControlPlaneError as error:
            self._resting[region] = clocks.elapsed() + _PAUSE_S
            await self._give_back(tenure)
            if not self._shared:
                raise
            _log.error(
                "Region %s cannot be led from here: %s", region, error, extra={"action": "region_failed"}
            )
            return
        if tenure.is_lost:
            await runtime.abandon()
        else:
            self.runtimes[region] = runtime

    async def _hand_over(self, region: RegionName) -> None:
        """End a region's runtime in good order, and give the lease up."""
        tenure = self._tenures.get(region)
        if tenure is None:
            return
        runtime = self.runtimes.get(region)
        if runtime is not None:
            await runtime.stop()
            self.runtimes.pop(region, None)
        await self._give_back(tenure)
        _log.info("Gave region %s up.", region, extra={"action": "region_released"})

    async def _give_back(self, tenure: Tenure) -> None:
        if self._tenures.get(tenure.fence.region) is tenure:
            del self._tenures[tenure.fence.region]
        with contextlib.suppress(StoreFailed):
            await self._database.writer.run(lambda connection: leases.release(connection, tenure.fence))

    def _lost(self, tenure: Tenure) -> None:
        """End the runtime of a lost lease at once; the lease may be taken again later."""
        region = tenure.fence.region
        if self._tenures.get(region) is not tenure:
            return
        del self._tenures[region]
        _log.warning(
            "The lease of region %s in epoch %d is lost.",
            region,
            tenure.fence.epoch,
            extra={"action": "lease_lost"},
        )
        runtime = self.runtimes.pop(region, None)
        if runtime is not None:
            self._begin(region, runtime.abandon())

    def _begin(self, region: RegionName, work: Coroutine[None, None, None]) -> None:
        """Change a region's state, one change at a time."""
        before = self._changing.get(region)

        async def change() -> None:
            if before is not None:
                await asyncio.wait([before])
            await work

        task = asyncio.get_running_loop().create_task(change(), name=f"change-{region}")
        self._changing[region] = task
        task.add_done_callback(lambda done: self._changed(region, done))

    def _changed(self, region: RegionName, task: "asyncio.Task[None]") -> None:
        if self._changing.get(region) is task:
            del self._changing[region]
        # While starting, whoever starts is told.
        if self._tasks and not task.cancelled() and (error := task.exception()) is not None:
            _log.error(
                "Region %s could not be changed.", region, exc_info=error, extra={"action": "region_failed"}
            )

    async def _rebalance(self) -> None:
        """Tell every region led here of all regions, until cancelled."""
        while True:
            await asyncio.sleep(_REBALANCE_S)
            known = self.facts()
            for runtime in self.runtimes.values():
                runtime.rebalance(known)

    def _oust(self, connection: sa.Connection) -> None:
        """Free what a controller of another name held: with this database there is one only."""
        for lease in leases.every(connection):
            if lease.controller != self._me:
                leases.release(connection, lease.fence)
        for controller in leases.attending(connection):
            leases.leave(connection, controller)


def _see(connection: sa.Connection) -> Seen:
    return Seen(leases.every(connection), leases.attending(connection))


def _undescribed(name: RegionName, place: Settings) -> regions.RegionFacts:
    """A region that never spoke: what the settings say of it."""
    known = place.place
    return regions.RegionFacts(
        name=name, residency=known.residency, energy_price=known.energy_price, stale=True
    )
