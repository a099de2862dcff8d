"""Jobs as people see them: one thing, whichever regions run it and whoever leads those.

A job whose tasks are all in one region led here is the service's from submission to result, with
nothing in between. For any other the store is asked, and what is wanted of its regions is ordered.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import msgspec

from qfleet_controlplane.errors import Conflict, NotFound
from qfleet_controlplane.machine import events, state
from qfleet_controlplane.planning import forecast, placement, plan, regions
from qfleet_controlplane.planning.regions import RegionFacts
from qfleet_controlplane.service import ordering, portraits, readings, repeats, submission
from qfleet_controlplane.service.ordering import Decision
from qfleet_controlplane.service.published import LAST_VERSION
from qfleet_controlplane.service.repeats import Repeats
from qfleet_controlplane.service.service import Service
from qfleet_controlplane.store import audit, records, roster
from qfleet_controlplane.store.commit import Commit
from qfleet_controlplane.store.database import Database
from qfleet_wire import api
from qfleet_wire.names import JobId, Millis, RegionName
from qfleet_wire.noise import Noise

_POLL_S = 0.25
_CANCEL_S = 10.0
_encode = msgspec.json.Encoder().encode


class Led(Protocol):
    """A region that this process leads."""

    @property
    def service(self) -> Service:
        """Its jobs and devices."""

    async def decide(self, event: Decision) -> api.DeviceView:
        """Take in what was decided about a device; it is durable when this returns."""

    def poke(self) -> None:
        """Look for orders now."""


class Regions(Protocol):
    """All regions of the fleet, and those led here."""

    @property
    def names(self) -> Sequence[RegionName]:
        """Every region of the configuration."""

    @property
    def runtimes(self) -> Mapping[RegionName, Led]:
        """Those that are led here and serve."""

    def facts(self) -> list[RegionFacts]:
        """Every region as it is known now."""


class Front:
    """The jobs of the whole fleet.

    Args:
        regions: who is led here, and what is known of the others.
        database: the store that all regions share.
        clock: wall-clock time.
        random: gives that many secret-quality bytes.
        noise: what each firmware profile disturbs programs by, if it does.
    """

    def __init__(
        self,
        regions: Regions,
        database: Database,
        clock: Callable[[], Millis],
        random: Callable[[int], bytes],
        noise: Mapping[str, Noise] = MappingProxyType({}),
    ) -> None:
        self._noise = noise
        self._regions = regions
        self._database = database
        # Large jobs take a while to store, and renewing leases must not wait for them.
        self._writer = database.writer_for("")
        self._clock = clock
        self._random = random
        self._repeats = Repeats(database)

    async def submit(self, request: api.JobRequest, who: str, key: str | None = None) -> api.JobView:
        """Take a job in; it is durable when this returns.

        What is submitted again under the same ``key`` is the job that was stored the first time.

        Raises:
            InvalidRequest: the program or the request is wrong, or no region may or can run it.
            Conflict: something else was submitted under this key.
            Unavailable: it could not be stored; nothing has happened.
        """
        if key is None:
            return await self._take(request, who, None)
        job = repeats.job_of(key)
        return await self._repeats.once(job, request, lambda: self._take(request, who, job))

    async def _take(self, request: api.JobRequest, who: str, job: JobId | None) -> api.JobView:
        led = self._regions.runtimes
        if len(self._regions.names) == 1 and led and not request.residency:
            only = next(iter(led.values())).service
            return await only.submit(request, who, job=job, noise=self._noise)
        event = await self._prepare(request, who, job)
        placed = placement.place(event.specification, self._regions.facts(), placement.wishes_of(request))
        event = msgspec.structs.replace(
            event, specification=placed.specification, plan=placed.plan, placement=placed.sentences
        )
        first = RegionName(placed.shares[0].region)
        if len(placed.shares) == 1 and first in led:
            return await led[first].service.take(event)
        commit = _divided(event, placed, self._clock())
        await self._writer.run(commit.write)
        self._poke(share.region for share in placed.shares)
        return await self.view(event.job)

    async def plan(self, request: api.JobRequest, who: str) -> api.PlanView:
        """Say what would become of a job, and change nothing; raises as ``submit`` would."""
        led = self._regions.runtimes
        event = await self._prepare(request, who, None)
        if len(self._regions.names) == 1 and led and not request.residency:
            return next(iter(led.values())).service.planned(event)
        facts = {each.name: each for each in self._regions.facts()}
        placed = placement.place(event.specification, facts.values(), placement.wishes_of(request))
        parts = [self._foreseen(placed, share, facts[share.region]) for share in placed.shares]
        return forecast.view(placed.specification, placed.plan, placed.sentences, parts)

    def _foreseen(
        self, placed: placement.Placement, share: placement.Share, facts: RegionFacts
    ) -> forecast.Forecast:
        led = self._regions.runtimes.get(RegionName(share.region))
        if led is not None:
            return led.service.forecast(placed.specification, placed.plan, share.positions)
        begins_ms = placement.start_ms(facts)
        hands = [
            forecast.of_class(facts.name, entry.online, entry, begins_ms + entry.reach_ms)
            for entry in facts.classes
            if entry.online
        ]
        return forecast.forecast(placed.specification, placed.plan, share.positions, hands)

    async def cancel(self, job: JobId, reason: str, who: str) -> api.JobView:
        """Cancel what is unfinished; a finished job is returned as it is. Raises ``NotFound``.

        Regions led elsewhere are given a moment; what they have not done by then they still do.
        """
        place = self._whole(job)
        if place is not None:
            view = await place.service.cancel(job, reason, who)
            if place.service.has_whole(job):  # else some of it was moved to another region just before
                return view
        event = events.JobCancelled(job, reason, who)
        ordered: set[RegionName] = set()
        end = asyncio.get_running_loop().time() + _CANCEL_S
        while True:
            view = await self.view(job)
            if view.status in api.FINISHED or asyncio.get_running_loop().time() > end:
                return view
            # Tasks may be moved to a further region meanwhile, so the shares are looked at again.
            shares = await self._database.read(lambda connection: roster.shares(connection, job))
            open_ = {region for region, status in shares if status not in api.FINISHED} - ordered
            await self._order_cancel(event, sorted(open_))
            ordered |= open_
            await asyncio.sleep(_POLL_S / 2)

    async def jobs(self, limit: int, status: str | None = None) -> Sequence[api.JobView]:
        """List jobs, the newest first."""
        return await self._database.read(lambda connection: readings.listed(connection, limit, status))

    async def job(self, job: JobId) -> api.JobDetail:
        """A job with its tasks. Raises ``NotFound``."""
        place = self._whole(job)
        if place is not None:
            return await place.service.job(job)
        detail = await self._database.read(lambda connection: readings.detail(connection, job))
        if detail is None:
            raise _unknown(job)
        return detail

    async def view(self, job: JobId) -> api.JobView:
        """A job without its tasks. Raises ``NotFound``."""
        place = self._whole(job)
        if place is not None:
            return await place.service.view(job)
        view = await self._database.read(lambda connection: readings.view(connection, job))
        if view is None:
            raise _unknown(job)
        return view

    async def result(self, job: JobId) -> api.ResultView:
        """The result of a finished job. Raises ``NotFound``, or ``Conflict`` while it is unfinished."""
        place = self._whole(job)
        if place is not None:
            return await place.service.result(job)
        view = await self.view(job)
        if view.status not in api.FINISHED:
            raise Conflict(f"job {job} is {view.status}: its result is there when it is finished")
        found = await self._database.read(lambda connection: readings.result(connection, job))
        if found is None:
            raise _unknown(job)
        return found

    async def wait_for_end(self, job: JobId, timeout_s: float) -> api.JobView:
        """Wait until a job is finished or time is up; return how it stands. Raises ``NotFound``."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while True:
            view, left = await self.view(job), end - loop.time()
            if view.status in api.FINISHED or left <= 0:
                return view
            place = self._whole(job)
            if place is not None:
                await place.service.wait_for_end(job, left)
            else:
                await asyncio.sleep(min(_POLL_S, left))

    async def wait_for_change(self, job: JobId, seen: int, timeout_s: float) -> int:
        """Wait until a job's version differs from ``seen`` or time is up; return the version.

        Versions say nothing but that something has changed; ``seen=0`` returns at once. Raises
        ``NotFound``.
        """
        place = self._whole(job)
        if place is not None:
            return await place.service.wait_for_change(job, seen, timeout_s)
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while True:
            version, left = _version(await self.view(job)), end - loop.time()
            if version != seen or left <= 0:
                return version
            await asyncio.sleep(min(_POLL_S, left))

    async def _prepare(self, request: api.JobRequest, who: str, job: JobId | None) -> events.JobSubmitted:
        if request.program or request.work is not None:
            carried = [entry for entry in self._regions.facts() if regions.carries(entry, request.residency)]
            classes = [each for entry in carried for each in entry.classes]
            known = submission.Known(classes, self._noise)
            return await asyncio.to_thread(
                submission.prepare, request, who, self._random, job=job, known=known
            )
        return submission.prepare(request, who, self._random, job=job)

    async def _order_cancel(self, event: events.JobCancelled, regions: Sequence[RegionName]) -> None:
        if not regions:
            return
        now = self._clock()
        wanted = [ordering.cancel(region, event, now) for region in regions]
        await self._writer.run(Commit(ordered=wanted).write)
        self._poke(regions)

    def _poke(self, regions: Iterable[str]) -> None:
        for region in regions:
            led = self._regions.runtimes.get(RegionName(region))
            if led is not None:
                led.poke()

    def _whole(self, job: JobId) -> Led | None:
        """The region led here that has the job in memory, all of it."""
        for led in self._regions.runtimes.values():
            if led.service.has_whole(job):
                return led
        return None


def _divided(event: events.JobSubmitted, placed: placement.Placement, now: Millis) -> Commit:
    """A job whose tasks belong to several regions, or to one led elsewhere, as rows and orders."""
    shares = [(RegionName(share.region), _share(event, placed, share, now)) for share in placed.shares]
    tasks, where = plan.many(len(placed.plan.slices), "task"), plan.many(len(shares), "region")
    detail = f"{event.request.kind}, {tasks} in {where}"
    return Commit(
        jobs=[records.job_row(shares[0][1])],
        shares=[records.share_row(job, portraits.job_view(job), region) for region, job in shares],
        tasks=[records.task_row(task, region) for region, job in shares for task in job.tasks],
        entries=[audit.Entry(now, event.who, "job.submit", event.job, detail)],
        ordered=[ordering.adopt(region, event.job, now) for region, _ in shares],
    )


def _share(
    event: events.JobSubmitted, placed: placement.Placement, share: placement.Share, now: Millis
) -> state.Job:
    job = state.Job(event.job, event.request, event.specification, placed.plan, now)
    job.placement = list(placed.sentences)
    job.tasks = state.planned(job, share.positions)
    state.State().add(job)
    return job


def _version(view: api.JobView) -> int:
    """A number for each state of a job that stands in the store; never 0."""
    return LAST_VERSION if view.status in api.FINISHED else 1 + zlib.crc32(_encode(view)) // 2


def _unknown(job: JobId) -> NotFound:
    return NotFound(f"there is no job {job!r}: `qfleet job list` shows the latest")
