"""One life of a control plane: the machine, its loop's rounds, and the reads that follow.

A round is a generator that stops between any two effects, so that a crash can come there. It does
as ``qfleet_controlplane.service.loop`` does: everything that queued in one transaction, then the sends;
when the commit fails the machine is discarded and loaded again.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.ring import answers, invariants, letters
from tests.simulation.ring.chores import Chores
from tests.simulation.ring.post import Post
from tests.simulation.ring.site import Refused
from tests.simulation.ring.trace import names_of

from qfleet_controlplane.machine import effects, events
from qfleet_controlplane.machine import leases as assigning
from qfleet_controlplane.machine.machine import Machine
from qfleet_controlplane.machine.policy import Policy
from qfleet_controlplane.planning.plan import PlanRefused
from qfleet_controlplane.service import afterwards, batch
from qfleet_controlplane.store import leases, queries, records
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName, Millis

if TYPE_CHECKING:
    from tests.simulation.ring.region import Region

SILENCE_MS = 45_000
_LONGEST_WAIT_MS = 60_000
_RETRY_MS = 500
Done = Callable[[bool], None]
_STORED = True


class Controller:
    """Memory only; it is gone with the process. ``fence`` is its lease as it was taken."""

    def __init__(self, region: "Region", fence: leases.Fence) -> None:
        self.region = region
        self.world = region.world
        self.site = region.world.site
        self.fence = fence
        self.name = f"{region.name}/{fence.controller}"
        self.alive = True
        self.point = "idle"
        self.honest = True
        """Whether it stops sending when its lease has run out by its own clock."""
        self.held_ms = 0
        """How long it is paused between looking at its lease and publishing."""
        self.machine: Machine | None = None
        self.post = Post(self)
        self._inbox: list[tuple[events.Event, Done | None]] = []
        self._round: Iterator[str] | None = None
        self._timer: int | None = None
        self._due: Millis | None = None
        self._start([])
        self.chores = Chores(self)

    def crash(self, point: str) -> None:
        """End the process where it stands; a deposed one does not come back."""
        self.world.trace.fault(f"control crash: {point}", self.name)
        self.stop()
        if self is self.region.controller:
            self.region.lead_again(self.world.choose((50, 500, 8_000, 60_000)))

    def stop(self) -> None:
        """End the process."""
        self.alive = False

    def command_all(self) -> None:
        """Go on commanding without asking the store, as a process does that was paused meanwhile."""
        if self.machine is not None:
            for name, device in self.machine.state.devices.items():
                work = [assigning.assignment(device, task) for task in device.held.values()]
                self.post.send(name, [payloads.Ask("inventory"), *work])

    @property
    def leads(self) -> bool:
        """Whether it holds the lease."""
        return self.fence.epoch == self.region.epoch

    def clock(self) -> Millis:
        """Wall time of the control plane, which may be set."""
        return Millis(letters.START + self.world.clock.now + self.world.control_forward_ms)

    def tell(self, event: events.Event, done: Done | None = None) -> None:
        """Take an event in; ``done`` is called with whether its effects are stored."""
        self._inbox.append((event, done))
        self._stir()

    @property
    def settled(self) -> bool:
        """Whether everything it was told is handled."""
        return self.machine is not None and self._round is None and not self._inbox

    @property
    def mid_round(self) -> bool:
        """Whether its machine is ahead of what is committed."""
        return self.point == "before the commit"

    # ── loading ─────────────────────────────────────────────────────────────────────────────

    def _start(self, live: list[DeviceName]) -> None:
        """Load the machine from the store, however often that takes."""
        self.machine = None
        self.point = "loading"
        self.world.clock.after(_RETRY_MS if live else 1, self, lambda: self._load(live))

    def _load(self, live: list[DeviceName]) -> None:
        try:
            if not live:
                self.site.transact(
                    self.fence, lambda connection: queries.drop_stray_chunks(connection, self.region.name)
                )
            known = self.site.read(lambda connection: records.load(connection, self.region.name))
        except Refused:
            self.world.clock.after(_RETRY_MS, self, lambda: self._load(live))
            return
        except leases.LeaseLost:
            self._lose_lease()
            return
        self.world.trace.note(self.name, "loaded")
        self.machine = Machine(
            known, Policy(silence_ms=SILENCE_MS, most_losses=self.world.weather.most_losses)
        )
        self._inbox.insert(0, (events.Reloaded(tuple(live)), None))
        self._stir()

    def _lose_lease(self) -> None:
        self.world.trace.note(self.name, "has lost its lease")
        self.stop()

    # ── rounds ──────────────────────────────────────────────────────────────────────────────

    def _stir(self) -> None:
        if self._round is None and self.machine is not None and self._inbox:
            self._round = self._perform(self.machine)
            self.world.clock.after(self.world.choose((0, 0, 1)), self, self._go)

    def _go(self) -> None:
        assert self._round is not None
        point = next(self._round, None)
        if point is not None:
            self.point = point
            self.world.clock.after(self.world.choose((0, 0, 0, 2, 30)), self, self._go)
            return
        self.point, self._round = "idle", None
        self._stir()

    def _perform(self, machine: Machine) -> Iterator[str]:
        taken, self._inbox = self._inbox, []
        now = self.clock()
        gathered = batch.Batch(now, region=self.region.name, fence=self.fence)
        self.world.trace.note(self.name, f"handles {names_of(event for event, _ in taken)}")
        before = {name: device.status for name, device in machine.state.devices.items()}
        for event, _ in taken:
            try:
                gathered.add(machine.handle(event, now))
            except PlanRefused:
                self.world.trace.fault("plan refused", self.name)
        invariants.silent_only_when_missed(self.world, self, before, now)
        gathered.add(machine.handle(events.Settle(), now))
        invariants.books_agree(self.world, machine)
        commit = gathered.close()
        yield "before the commit"
        if not commit.empty:
            try:
                self.site.transact(None, commit.write)
            except Refused:
                self._undo(machine, taken)
                return
            except leases.LeaseLost:
                self._lose_lease()
                return
            self.world.trace.note(self.name, "commits")
            self.world.ledger.committed(self, machine)
            yield "after the commit"
        for device, items in gathered.sends.items():
            self.post.send(device, items)
            yield "between sends"
        for _, done in taken:
            if done is not None:
                done(_STORED)
        self._set_timer()
        self._follow(gathered)

    def _undo(self, machine: Machine, taken: list[tuple[events.Event, Done | None]]) -> None:
        for _, done in taken:
            if done is not None:
                done(not _STORED)
        live = [name for name, device in machine.state.devices.items() if device.connected]
        self._start(live)

    def _set_timer(self) -> None:
        assert self.machine is not None
        due = self.machine.next_due()
        if due is None or (due == self._due and self._timer is not None):
            return
        self._due = due
        wait = min(max(0, due - self.clock()), _LONGEST_WAIT_MS)
        self._timer = at = self.world.clock.now + wait
        self.world.clock.after(wait, self, lambda: self._tick(at))

    def _tick(self, at: int) -> None:
        if self._timer == at:
            self._timer = None
            self.tell(events.Tick())

    # ── the reads that follow a commit ──────────────────────────────────────────────────────

    def _follow(self, gathered: batch.Batch) -> None:
        for assemble in gathered.assemble:
            self._later(partial(self._assemble, assemble))
        for weigh in gathered.weigh:
            self._later(partial(self._weigh, weigh))
        for compare in gathered.compare:
            self._later(partial(self._compare, compare))

    def _later(self, read: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                read()
            except Refused:
                self.world.clock.after(_RETRY_MS, self, guarded)
                return
            if self.point == "idle":
                self.point = "after a read"

        self.world.clock.after(self.world.choose((0, 5, 100)), self, guarded)

    def _assemble(self, effect: effects.Assemble) -> None:
        body = self.site.read(lambda connection: queries.artefact(connection, effect.device, effect.digest))
        whole = body if answers.digest_of(body) == effect.digest else None
        self.world.trace.fault("assembled", self.name)
        self.tell(events.Assembled(effect.device, effect.digest, whole))

    def _weigh(self, effect: effects.Weigh) -> None:
        found = self.site.read(lambda connection: afterwards.weighed(connection, effect))
        self.world.trace.fault("copies compared", self.name)
        self.tell(found)

    def _compare(self, effect: effects.Compare) -> None:
        found = self.site.read(lambda connection: afterwards.compared(connection, effect))
        if found is not None:
            self.world.trace.fault("second result compared", self.name)
            self.tell(found)
