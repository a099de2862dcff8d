"""Committed state, kept in memory for whoever asks.

Only what a transaction has stored comes in here, so nobody ever sees what a power cut could
undo. Finished jobs stay for a while and are then read from the store.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from qfleet_controlplane.machine import state
from qfleet_controlplane.service import kept, portraits
from qfleet_controlplane.service.kept import Kept
from qfleet_controlplane.store import records
from qfleet_controlplane.store.bulk import Row
from qfleet_wire import api
from qfleet_wire.names import DeviceName, JobId, TaskId

MOST_FINISHED = 32
"""Finished jobs that stay in memory."""
LAST_VERSION = 2**31
"""The version of every job that is finished for good."""


@dataclass(slots=True, eq=False)
class _Entry:
    view: api.JobView
    items: Sequence[int]
    rows: list[Row]
    whole: bool
    missing: int
    """Tasks whose rows were not shown yet: those that came from another region and have not changed since."""
    version: int = 1
    waiters: set["asyncio.Future[None]"] = field(default_factory=set)
    ends: set["asyncio.Future[None]"] = field(default_factory=set)
    """Who waits for the end only."""
    kept: Kept | None = None


class Published:
    """The read side of the service. Owned by the event loop; nothing here blocks."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._jobs: dict[JobId, _Entry] = {}
        self._finished: list[JobId] = []
        self._divided: frozenset[JobId] = frozenset()
        self.devices: dict[DeviceName, api.DeviceView] = {}

    def mark_divided(self, jobs: Iterable[JobId]) -> None:
        """Note which of the jobs that are loaded have shares in other regions too."""
        self._divided = frozenset(jobs)

    def put_job(self, job: state.Job, view: api.JobView) -> None:
        """Show a job's new state."""
        entry = self._jobs.get(job.id)
        # Another region that had a share has something to say of the job for good.
        whole = len(job.tasks) == len(job.plan.slices) and job.id not in self._divided
        if entry is None:
            items = [part.items for part in job.plan.slices]
            self._jobs[job.id] = _Entry(view, items, [()] * len(items), whole, len(items))
        else:
            entry.view = view
            entry.whole = entry.whole and whole
            entry.version += 1
        if job.finished is not None:
            self._finish(job.id)

    def keep_results(self, job: state.Job) -> None:
        """Keep the results of a job that was just made, if it is small: all that come are put here."""
        entry = self._jobs.get(job.id)
        if entry is not None and kept.small(job):
            entry.kept = Kept(job.id, job.request, job.specification)

    def put_results(self, rows: Iterable[Row], withdrawn: Iterable[TaskId]) -> None:
        """Keep rows of ``results`` of jobs whose results are kept; of one that loses some, none are."""
        for task in withdrawn:
            self._keep_none(records.split_task(task)[0])
        for row in rows:
            entry = self._jobs.get(row[0])
            if entry is not None and entry.kept is not None and not entry.kept.put(row):
                self._keep_none(row[0])

    def put_tasks(self, rows: Iterable[Row]) -> None:
        """Show new states of tasks whose jobs are known."""
        for row in rows:
            entry = self._jobs.get(row[0])
            if entry is not None:
                entry.missing -= not entry.rows[row[1]]
                entry.rows[row[1]] = row

    def put_device(self, device: state.Device) -> None:
        """Show a device's new state."""
        self.devices[device.name] = portraits.device_view(device, self._region)

    def wake(self, jobs: Iterable[JobId]) -> None:
        """Wake whoever waits for a change of these jobs."""
        for job in jobs:
            entry = self._jobs.get(job)
            if entry is None:
                continue
            _let_go(entry.waiters)
            if entry.view.status in api.FINISHED:
                _let_go(entry.ends)

    def view(self, job: JobId) -> api.JobView | None:
        """The view of a job, or of this region's share of it; None when it is not in memory."""
        entry = self._jobs.get(job)
        return None if entry is None else entry.view

    def is_whole(self, job: JobId) -> bool:
        """Whether a job is in memory with all of its tasks, and no other region ever had some."""
        entry = self._jobs.get(job)
        return entry is not None and entry.whole and not entry.missing

    def detail(self, job: JobId) -> api.JobDetail | None:
        """A job with its tasks; None when not all of it is in memory."""
        entry = self._jobs.get(job)
        return (
            None
            if entry is None or not entry.whole or entry.missing
            else api.JobDetail(entry.view, portraits.task_views(entry.rows, entry.items))
        )

    def result(self, job: JobId) -> api.ResultView | None:
        """The result of a finished job, from memory; None when the store must be asked."""
        entry = self._jobs.get(job)
        if entry is None or entry.kept is None or not self.is_whole(job):
            return None
        return entry.kept.result(entry.view)

    def version(self, job: JobId) -> int:
        """A number that grows with each change; ``LAST_VERSION`` when the job is not in memory."""
        entry = self._jobs.get(job)
        return LAST_VERSION if entry is None else entry.version

    async def wait(self, job: JobId, seen: int, timeout_s: float) -> int:
        """Wait until the version differs from ``seen`` or time is up; return the version."""
        entry = self._jobs.get(job)
        if self.version(job) == seen and entry is not None:
            waiter = asyncio.get_running_loop().create_future()
            entry.waiters.add(waiter)
            await asyncio.wait([waiter], timeout=max(0.0, timeout_s))
            entry.waiters.discard(waiter)
        elif entry is None and seen == LAST_VERSION:
            await asyncio.sleep(max(0.0, timeout_s))
        return self.version(job)

    async def wait_for_end(self, job: JobId, timeout_s: float) -> None:
        """Wait until a job is finished or not in memory any more, or time is up."""
        entry = self._jobs.get(job)
        if entry is None or entry.view.status in api.FINISHED:
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        entry.ends.add(waiter)
        timer = loop.call_later(max(0.0, timeout_s), _let_go, {waiter})
        try:
            await waiter
        finally:
            timer.cancel()
            entry.ends.discard(waiter)

    def close(self) -> None:
        """Forget everything, and let go of whoever waits: this region is led from elsewhere."""
        for job in list(self._jobs):
            self._forget(job)
        self._finished.clear()
        self.devices.clear()

    def running(self) -> int:
        """Number of unfinished jobs."""
        return len(self._jobs) - len(self._finished)

    def _finish(self, job: JobId) -> None:
        if job not in self._finished:
            self._finished.append(job)
        while len(self._finished) > MOST_FINISHED:
            self._forget(self._finished.pop(0))

    def _forget(self, job: JobId) -> None:
        entry = self._jobs.pop(job)
        _let_go(entry.waiters)
        _let_go(entry.ends)

    def _keep_none(self, job: JobId) -> None:
        entry = self._jobs.get(job)
        if entry is not None:
            entry.kept = None


def _let_go(waiters: "set[asyncio.Future[None]]") -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
    waiters.clear()
