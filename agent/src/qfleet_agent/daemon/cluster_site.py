"""Follows the cluster that runs the tasks of this device: what it can do, how fast, and whether it is there.

A cluster that has gone leaves the device with what it could do, and no workers: tasks that only it can
run wait for it instead of being refused.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec

from qfleet_agent.daemon import speed
from qfleet_agent.daemon.executor import Executor
from qfleet_agent.daemon.place import NO_SITE, Place
from qfleet_agent.journal.journal import Journal
from qfleet_agent.journal.layout import Name
from qfleet_agent.machine.admit import Bounds
from qfleet_agent.settings import Settings
from qfleet_agent.workers import events
from qfleet_agent.workers.bridge_frames import Connect, Site, Trouble
from qfleet_agent.workers.cluster import Cluster
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError
from qfleet_wire.payloads import Calibration

ANY_WORKERS = 0
"""Calibrations are kept for a cluster of any size: a task uses one worker."""

log = logging.getLogger(__name__)


class Moved(Protocol):
    """Who is told that the place of the device has changed."""

    def __call__(self, place: Place, calibrations: tuple[Calibration, ...]) -> None:
        """``place`` and how fast its engines are, as far as that is known."""


class ClusterSite:
    """The device's place while a cluster runs its tasks."""

    def __init__(self, place: Place, journal: Journal, last: Site) -> None:
        """``last`` is what the cluster was when it was last seen."""
        self._journal = journal
        self._bare = place
        self._site = last
        self._trouble: str | None = "connecting"
        self._changed = asyncio.Event()
        self.place = self._placed()

    @property
    def in_words(self) -> str:
        """How the cluster is."""
        name = self._bare.settings.executor
        return describe(name, self._site) if self._trouble is None else f"{name}: {self._trouble}"

    def connect(self, told: Callable[[Sequence[events.Event]], None]) -> Cluster:
        """Make the way to the cluster."""
        return Cluster(connection(self._bare.settings), told, self._found)

    async def calibrations(self) -> tuple[Calibration, ...]:
        """How fast its engines are, as far as that was measured."""
        return await speed.known(self._journal, self._which()) or ()

    async def run(self, executor: Executor, moved: Moved) -> None:
        """Tell of every change until cancelled, and measure engines that are new."""
        executor.open()
        async with asyncio.TaskGroup() as group:
            measuring: asyncio.Task[None] | None = None
            while True:
                await self._changed.wait()
                self._changed.clear()
                self.place = self._placed()
                if self._trouble is None:
                    await self._journal.put({Name.SITE: codec.encode(self._site)})
                    if await speed.known(self._journal, self._which()) is None and (
                        measuring is None or measuring.done()
                    ):
                        measuring = group.create_task(self._measure(executor))
                moved(self.place, await self.calibrations())

    async def _measure(self, executor: Executor) -> None:
        memory = self.place.bounds.task_memory_bytes
        await speed.measure(self._journal, executor, self._which(), memory_bytes=memory)
        self._changed.set()

    def _found(self, found: Site | Trouble) -> None:
        was = self.in_words
        if isinstance(found, Trouble):
            self._trouble = found.text
        elif found.threads:
            self._site, self._trouble = found, None
        else:
            self._trouble = "; refused: ".join(["no worker that may run tasks", *found.refused])
        self._changed.set()
        if self.in_words != was:
            level = logging.INFO if self._trouble is None else logging.WARNING
            log.log(level, "Tasks run on %s.", self.in_words, extra={"action": "cluster-changed"})

    def _placed(self) -> Place:
        place = self._bare.on(self._site)
        if self._trouble is None:
            return place
        return replace(place, bounds=_idle(place))

    def _which(self) -> speed.Here:
        return speed.Here(self.place.engines, self.place.hardware.machine, ANY_WORKERS)


def describe(name: str, site: Site) -> str:
    """Put a cluster in words."""
    refused = f"; refused: {'; '.join(site.refused)}" if site.refused else ""
    return (
        f"{name}: {_many(site.workers, 'worker')} with {_many(site.threads, 'thread')}, "
        f"{site.task_memory_bytes >> 20} MiB for a task{refused}"
    )


def connection(settings: Settings) -> Connect:
    """Where the scheduler of the settings is."""
    scheduler, trust = settings.scheduler, settings.cluster
    assert scheduler is not None, "the settings name a cluster"
    files = (
        str(path.absolute()) if path else "" for path in (trust.ca_file, trust.cert_file, trust.key_file)
    )
    return Connect(scheduler.address, scheduler.file, *files)


async def remembered(place: Place, journal: Journal) -> ClusterSite:
    """The cluster as it was when it was last seen."""
    stored = await journal.get(Name.SITE)
    try:
        last = NO_SITE if stored is None else codec.decode(stored, Site)
    except RemoteError:
        last = NO_SITE
    return ClusterSite(place, journal, last)


def _idle(place: Place) -> Bounds:
    return msgspec.structs.replace(place.bounds, workers=0)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
