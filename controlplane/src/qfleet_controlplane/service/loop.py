"""Events to the machine, effects to the store, then to the link: one round after another.

What queues while a transaction is committed goes into the next one; no timer adds latency. When
a commit fails, nothing of its batch has happened: the machine is discarded and rebuilt from the
store, whoever waits for that batch is told, and devices are asked what they hold.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa

from qfleet_controlplane.errors import ControlPlaneError, LocalError, Unavailable
from qfleet_controlplane.machine import census, events, foresight, state
from qfleet_controlplane.machine.machine import Machine
from qfleet_controlplane.planning import forecast, regions
from qfleet_controlplane.planning.plan import Plan, PlanRefused
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service.batch import Batch
from qfleet_controlplane.service.inbox import Entry, Inbox
from qfleet_controlplane.service.outages import Outage, Words
from qfleet_controlplane.service.published import Published
from qfleet_controlplane.service.surroundings import Surroundings
from qfleet_controlplane.store import records, roster
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.leases import LeaseLost
from qfleet_controlplane.store.writer import StoreFailed
from qfleet_wire import api, payloads
from qfleet_wire.names import DeviceName, Millis, RegionName

_log = logging.getLogger(__name__)

_FIRST_RETRY_S = 0.05
_LAST_RETRY_S = 2.0
_LONGEST_WAIT_S = 60.0
"""Look at the clock at least so often: it may have been set."""
_SET_BACK_MS = 1_000
"""By more than this only somebody sets a clock back; all that waits for a time would wait too long."""


class Carrier(Protocol):
    """The way to the devices."""

    def send(self, device: DeviceName, items: Sequence[payloads.Down]) -> None:
        """Queue payloads for a device; never waits, and may lose them: everything is repeated."""


class ClockSetBack(LocalError):
    """The wall clock runs behind what it was: the timers of the machine are of no use."""


class Broken(LocalError):
    """The control plane contradicted itself over this event; it was not taken in."""


@dataclass(slots=True)
class Figures:
    """What the loop has done since the start; for metrics."""

    events: int = 0
    commits: int = 0
    failed_commits: int = 0
    reloads: int = 0
    results: int = 0
    alarms: dict[str, int] = field(default_factory=dict)


class Loop:
    """Owns the machine. ``follow`` is handed each committed batch; it starts what takes reads."""

    def __init__(
        self,
        database: Database,
        carrier: Carrier,
        published: Published,
        around: Surroundings,
        *,
        follow: Callable[[Batch], None],
    ) -> None:
        self._database = database
        self._writer = database.writer_for(around.region)
        self._carrier = carrier
        self._published = published
        self._policy = around.policy
        self._region = around.region
        self._fence = around.fence
        self._clock = around.clock
        self._follow = follow
        self._machine = Machine(policy=self._policy)
        self._timer: asyncio.TimerHandle | None = None
        self._due: Millis | None = None
        self._latest = Millis(0)
        self._stopping = False
        self._abandoned = False
        self._retry_s = _FIRST_RETRY_S
        self._outage = Outage(
            _log,
            Words(
                f"A transaction of region {around.region} failed and its state is reloaded",
                f"Transactions of region {around.region} are stored again",
                "commit-failed",
            ),
            level=logging.ERROR,
        )
        self.inbox = Inbox()
        self.figures = Figures()
        self.trouble: str | None = "the state is not loaded yet"

    async def load(self) -> None:
        """Rebuild the machine from the store and show it; raise ``StoreFailed`` if that fails."""
        known = await self._database.read(self._read)
        self._machine = Machine(known, self._policy)
        self._published.mark_divided(
            await self._database.read(lambda connection: roster.divided(connection, RegionName(self._region)))
        )
        batch = Batch(self._clock(), self._region)
        for device in known.devices.values():
            self._published.put_device(device)
        for job in known.jobs.values():
            batch.show(job)
        batch.publish(self._published, batch.close())
        self.trouble = None
        self.inbox.put(Entry(events.Reloaded(())))

    def _read(self, connection: sa.Connection) -> state.State:
        return records.load(connection, self._region)

    async def run(self) -> None:
        """Go round until ``stop``; what was handed in before is still done."""
        while not self._stopping or (len(self.inbox) and self.trouble is None and not self._abandoned):
            await self.inbox.wait()
            if not self._abandoned:
                await self._round()
        if self._timer is not None:
            self._timer.cancel()
        while len(self.inbox):
            for entry in self.inbox.take():
                entry.fail(Unavailable("this controller does not lead the region any more; ask again"))

    def abandon(self) -> None:
        """Let ``run`` end without doing what was handed in."""
        self._abandoned = True
        self.stop()

    def facts(self, description: regions.Description) -> regions.RegionFacts:
        """Count the region as the machine has it now."""
        return census.facts(self._machine.state, description, self._clock())

    def planned(self, event: events.JobSubmitted) -> api.PlanView:
        """What would become of a job here; raises as if it had been submitted."""
        return foresight.planned(self._machine.state, event, self._region, self._clock())

    def forecast(self, job: Specification, made: Plan, positions: Sequence[int]) -> forecast.Forecast:
        """Predict some tasks of a plan on the devices of this region."""
        known, region = self._machine.state, self._region
        return foresight.share(known, job, made, positions, region=region, now=self._clock())

    def stop(self) -> None:
        """Let ``run`` end."""
        self._stopping = True
        self.inbox.ring()

    async def _round(self) -> None:
        now = self._clock()
        behind, self._latest = self._latest - now, now
        if behind > _SET_BACK_MS:
            await self._reload(ClockSetBack(f"the clock was set back by {behind / 1000:.0f} s"))
        entries = self.inbox.take()
        if not entries:
            return
        batch = Batch(now, self._region, self._fence)
        accepted: list[Entry] = []
        for place, entry in enumerate(entries):
            try:
                batch.add(self._machine.handle(entry.event, now))
            except PlanRefused as error:
                entry.fail(error)
            except Exception as error:  # noqa: BLE001 - logged, and the state is rebuilt without it
                await self._contradiction(entry, error, [*accepted, *entries[place + 1 :]])
                return
            else:
                accepted.append(entry)
        self.figures.events += len(accepted)
        batch.add(self._machine.handle(events.Settle(), now))
        await self._finish(batch, accepted)

    async def _finish(self, batch: Batch, entries: Sequence[Entry]) -> None:
        """Commit, then show, send, and tell whoever waits."""
        commit = batch.close()
        if not commit.empty:
            try:
                await self._writer.run(commit.write)
            except StoreFailed as error:
                await self._undo(entries, error)
                return
            except LeaseLost as error:
                self._give_up(entries, error)
                return
            self.figures.commits += 1
            self._outage.over()
        self.trouble = None
        self._retry_s = _FIRST_RETRY_S
        batch.publish(self._published, commit)
        self._count(batch)
        for device, items in batch.sends.items():
            self._carrier.send(device, items)
        for entry in entries:
            entry.succeed()
        self._set_timer()
        self._follow(batch)

    def _count(self, batch: Batch) -> None:
        self.figures.results += batch.finished_tasks
        for alarm in batch.alarms:
            self.figures.alarms[alarm.kind] = self.figures.alarms.get(alarm.kind, 0) + 1

    async def _undo(self, entries: Sequence[Entry], error: StoreFailed) -> None:
        self.figures.failed_commits += 1
        self._outage.failed(error)
        for entry in entries:
            entry.fail(error)
        await self._reload(error)

    def _give_up(self, entries: Sequence[Entry], error: LeaseLost) -> None:
        """End: another process leads the region, and nothing of this one counts any more."""
        self.figures.failed_commits += 1
        self.trouble = str(error)
        for entry in entries:
            entry.fail(error)
        self.abandon()

    async def _contradiction(self, entry: Entry, error: Exception, others: Sequence[Entry]) -> None:
        """Throw the half-changed machine away; handle the batch again without the event at fault."""
        _log.error(
            "An event of type %s could not be handled and is left out.",
            type(entry.event).__name__,
            exc_info=error,
            extra={"action": "event-broken"},
        )
        entry.fail(error if isinstance(error, ControlPlaneError) else Broken())
        self.inbox.put_back(others)
        await self._reload(error)

    async def _reload(self, error: Exception) -> None:
        """Rebuild the machine from the store, however often that takes."""
        self.trouble = str(error)
        live = [name for name, device in self._machine.state.devices.items() if device.connected]
        while not self._stopping:
            await asyncio.sleep(self._retry_s)
            self._retry_s = min(2 * self._retry_s, _LAST_RETRY_S)
            self.figures.reloads += 1
            try:
                known = await self._database.read(self._read)
            except StoreFailed as failure:
                self.trouble = str(failure)
                continue
            away = self._machine.state.link_down_since
            # The store knows nothing of the link; the clock may have been set back.
            known.link_down_since = None if away is None else min(away, self._clock())
            known.contacts = self._machine.state.contacts
            self._machine = Machine(known, self._policy)
            self.inbox.put_back([Entry(events.Reloaded(tuple(live)))])
            return

    def _set_timer(self) -> None:
        """Tick when the machine asks for it."""
        due = self._machine.next_due()
        if due == self._due and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due is not None:
            wait = min(max(0.0, (due - self._clock()) / 1000), _LONGEST_WAIT_S)
            self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.inbox.put(Entry(events.Tick()))
