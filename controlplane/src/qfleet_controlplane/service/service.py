"""The control plane's core as one thing: jobs and events go in, committed state comes out.

A method that changes something returns when the change is durable; a method that reads sees
committed state only. One event loop owns it all.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from qfleet_controlplane.errors import Conflict, NotFound, Unavailable
from qfleet_controlplane.machine import events
from qfleet_controlplane.planning import forecast, regions
from qfleet_controlplane.planning.plan import Plan
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import readings, submission
from qfleet_controlplane.service.afterwards import Afterwards
from qfleet_controlplane.service.inbox import Entry
from qfleet_controlplane.service.loop import Carrier, Figures, Loop
from qfleet_controlplane.service.published import Published
from qfleet_controlplane.service.surroundings import Surroundings
from qfleet_controlplane.store import queries
from qfleet_controlplane.store.database import Database
from qfleet_wire import api
from qfleet_wire.names import DeviceName, JobId
from qfleet_wire.noise import Noise

_log = logging.getLogger(__name__)


class Service:
    """Start it before anything else is called; stop it before its database is closed."""

    def __init__(self, database: Database, carrier: Carrier, around: Surroundings) -> None:
        self._database = database
        self._around = around
        self._published = Published(around.region)
        self._afterwards = Afterwards(database, self.post_nowait)
        self._loop = Loop(
            database,
            carrier,
            self._published,
            around,
            follow=self._afterwards.follow,
        )
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load what the store has and begin; raise ``StoreFailed`` if it cannot be read."""
        region = self._around.region
        await self._database.writer.run(lambda connection: queries.drop_stray_chunks(connection, region))
        await self._loop.load()
        self._running = asyncio.create_task(self._loop.run(), name="service")
        self._running.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Do what was handed in, then end."""
        self._loop.stop()
        await self._end()

    async def abandon(self) -> None:
        """End at once: whoever waits is told that what was handed in has not happened."""
        self._loop.abandon()
        await self._end()

    async def _end(self) -> None:
        if self._running is not None:
            await asyncio.wait([self._running])
        await self._afterwards.close()
        self._published.close()

    # ── what changes something ──────────────────────────────────────────────────────────────

    async def submit(
        self,
        request: api.JobRequest,
        who: str = "api",
        *,
        job: JobId | None = None,
        noise: Mapping[str, Noise] = MappingProxyType({}),
    ) -> api.JobView:
        """Take a job in, under an id of its own unless one is given; it is durable when this returns.

        ``noise`` is that of firmware profiles, by their names.

        Raises:
            InvalidRequest: the program or the request is wrong; says what, where and what to do.
            Unavailable: it could not be stored; nothing has happened.
        """
        random = self._around.random
        if request.program or request.work is not None:
            classes = self.facts(regions.Description(str(self._around.region))).classes
            known = submission.Known(classes, noise)
            event = await asyncio.to_thread(submission.prepare, request, who, random, job=job, known=known)
        else:
            event = submission.prepare(request, who, random, job=job)
        return await self.take(event)

    async def take(self, event: events.JobSubmitted) -> api.JobView:
        """Take in a job that is compiled; raises as ``submit``."""
        await self._commit(event)
        view = self._published.view(event.job)
        return view if view is not None else await self._stored_view(event.job)

    async def cancel(self, job: JobId, reason: str, who: str = "api") -> api.JobView:
        """Cancel what is not over; a finished job is returned as it is. Raises ``NotFound``."""
        view = self._published.view(job) or await self._stored_view(job)
        if view.status in api.FINISHED:
            return view
        await self._commit(events.JobCancelled(job, reason, who))
        return self._published.view(job) or await self._stored_view(job)

    async def revoke(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        """Revoke a device for good. Raises ``NotFound``."""
        await self.device(device)
        return await self.decide(events.Revoked(device, reason, who))

    async def decide(
        self,
        event: events.Invited
        | events.Enrolled
        | events.CertificateRenewed
        | events.Revoked
        | events.Quarantined
        | events.Released
        | events.Retired,
    ) -> api.DeviceView:
        """Take in something about a device and return it when that is durable."""
        await self._commit(event)
        return await self.device(event.device)

    async def carry_out(self, order: events.Ordered) -> None:
        """Do what an order asks for; it is done and deleted when this returns."""
        await self._commit(order)

    async def post(self, event: events.Event) -> None:
        """Hand in an event of the link; waits only while very much is queued."""
        await self._loop.inbox.room()
        self.post_nowait(event)

    def post_nowait(self, event: events.Event) -> bool:
        """Hand in an event without waiting; False when too much of its device waits and some was dropped."""
        return self._loop.inbox.put(Entry(event))

    # ── what reads ──────────────────────────────────────────────────────────────────────────

    async def jobs(self, limit: int, status: str | None = None) -> Sequence[api.JobView]:
        """List jobs, the newest first."""
        return await self._database.read(lambda connection: readings.listed(connection, limit, status))

    async def job(self, job: JobId) -> api.JobDetail:
        """A job with its tasks. Raises ``NotFound``."""
        detail = self._published.detail(job)
        if detail is None:
            detail = await self._database.read(lambda connection: readings.detail(connection, job))
        if detail is None:
            raise _unknown_job(job)
        return detail

    async def view(self, job: JobId) -> api.JobView:
        """A job without its tasks. Raises ``NotFound``."""
        return self._published.view(job) or await self._stored_view(job)

    async def result(self, job: JobId) -> api.ResultView:
        """The result of a finished job. Raises ``NotFound``, or ``Conflict`` while it is unfinished."""
        view = await self.view(job)
        if view.status not in api.FINISHED:
            raise Conflict(f"job {job} is {view.status}: its result is there when it is finished")
        kept = self._published.result(job)
        if kept is not None:
            return kept
        found = await self._database.read(lambda connection: readings.result(connection, job))
        if found is None:
            raise _unknown_job(job)
        return found

    async def wait_for_end(self, job: JobId, timeout_s: float) -> None:
        """Wait until a job that is in memory is finished, or time is up."""
        await self._published.wait_for_end(job, timeout_s)

    async def wait_for_change(self, job: JobId, seen: int, timeout_s: float) -> int:
        """Wait until a job's version differs from ``seen`` or time is up; return the version.

        Versions count from 1 while the process runs, so ``seen=0`` returns at once. Raises
        ``NotFound``.
        """
        if self._published.view(job) is None:
            await self._stored_view(job)
        return await self._published.wait(job, seen, timeout_s)

    async def devices(self) -> Sequence[api.DeviceView]:
        """List devices by name."""
        return [view for _, view in sorted(self._published.devices.items())]

    async def device(self, device: DeviceName) -> api.DeviceView:
        """One device. Raises ``NotFound``."""
        view = self._published.devices.get(device)
        if view is None:
            raise NotFound(f"there is no device {device!r}: `qfleet device list` shows all")
        return view

    def shown(self) -> Mapping[DeviceName, api.DeviceView]:
        """Every device of this region, as it was last committed."""
        return self._published.devices

    def has_whole(self, job: JobId) -> bool:
        """Whether a job is in memory and all of its tasks are this region's."""
        return self._published.is_whole(job)

    def facts(self, description: regions.Description) -> regions.RegionFacts:
        """What others may know of this region now."""
        return self._loop.facts(description)

    def planned(self, event: events.JobSubmitted) -> api.PlanView:
        """What would become of a job; raises as ``submit``."""
        return self._loop.planned(event)

    def forecast(self, job: Specification, made: Plan, positions: Sequence[int]) -> forecast.Forecast:
        """Predict some tasks of a plan on the devices of this region."""
        return self._loop.forecast(job, made, positions)

    def status_of(self, device: DeviceName) -> api.DeviceStatus | None:
        """A device's committed status, at once; None for an unknown one."""
        view = self._published.devices.get(device)
        return None if view is None else view.status

    def unready(self) -> Sequence[str]:
        """What is missing to serve; empty when all is well."""
        return [] if self._loop.trouble is None else [self._loop.trouble]

    @property
    def figures(self) -> Figures:
        """Counters since the start."""
        return self._loop.figures

    def running_jobs(self) -> int:
        """Number of unfinished jobs."""
        return self._published.running()

    def queued(self) -> int:
        """Payloads that wait to be handled."""
        return len(self._loop.inbox)

    def spared(self) -> dict[str, float]:
        """Payloads that were not handled: dropped for want of room, or superseded while they waited."""
        inbox = self._loop.inbox
        return {"dropped": inbox.dropped, "superseded": inbox.superseded}

    async def _commit(self, event: events.Event) -> None:
        """Hand an event in and wait until its effects are durable."""
        if self._running is None or self._running.done():
            raise Unavailable("the control plane's core is not running")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop.inbox.put(Entry(event, done))
        await done

    async def _stored_view(self, job: JobId) -> api.JobView:
        view = await self._database.read(lambda connection: readings.view(connection, job))
        if view is None:
            raise _unknown_job(job)
        return view

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.trouble = f"the core has stopped: {error}"
            _log.critical("The core has stopped.", exc_info=error, extra={"action": "core-stopped"})


def _unknown_job(job: JobId) -> NotFound:
    return NotFound(f"there is no job {job!r}: `qfleet job list` shows the latest")
