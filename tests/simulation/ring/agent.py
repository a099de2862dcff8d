"""One life of an agent: the machine, its performer's rounds, and workers that take their time.

A round is a generator that stops between any two effects, so that a crash can come there. It does as
``qfleet_agent.daemon.performer`` does: all writes of a round in one transaction, then the acts;
only drops of acknowledged results may wait for the next write.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tests.simulation.ring import answers, invariants
from tests.simulation.ring.trace import names_of
from tests.simulation.ring.uplink import Uplink

from qfleet_agent.machine import effects, events
from qfleet_agent.machine.events import Key
from qfleet_agent.machine.machine import Machine
from qfleet_wire import codec, payloads
from qfleet_wire.names import Millis

if TYPE_CHECKING:
    from tests.simulation.ring.device import Device
    from tests.simulation.ring.world import World

_DROPS_WAIT_MS = 1_000
_FULL_DISK_RETRY_MS = 2_000
_CHUNKED = 200
"""Results with a longer body travel in chunks."""


class Agent:
    """Memory only; it is gone with the process."""

    def __init__(self, device: "Device") -> None:
        self.device = device
        self.world: World = device.world
        self.name = device.name
        self.alive = True
        self.point = "idle"
        self.running: dict[Key, bytes] = {}
        self.machine = Machine(device.name, answers.bounds(), answers.announcement())
        self.uplink = Uplink(self)
        self.drops: list[effects.Write] = []
        self._hurried = False
        self._drops_timed = False
        self._inbox: list[events.Event] = []
        self._round: Iterator[str] | None = None
        self._booted = self.world.clock.now
        self._wake: Millis | None = None
        self._last = 0
        self._restore()
        self.uplink.start()

    def die(self) -> None:
        """End the process."""
        self.alive = False

    def crash(self, point: str) -> None:
        """End the process where it stands."""
        self.device.crash(point)

    @property
    def settled(self) -> bool:
        """Whether everything it was told is handled and durable."""
        return self._round is None and not self._inbox and not self.drops

    def number(self) -> int:
        """Number an event."""
        self._last += 1
        return self._last

    def tell(self, event: events.Event) -> None:
        """Take an event in; it is handled in the next round."""
        self._inbox.append(event)
        self._stir()

    def now(self) -> Millis:
        """The monotonic clock: it starts anew at every boot."""
        return Millis(self.world.clock.now - self._booted)

    def _restore(self) -> None:
        journal = self.device.journal
        tasks = [events.StoredTask(key, data) for key, data in journal.tasks.items()]
        results = [events.StoredResult(key, len(data)) for key, data in journal.results.items()]
        restored = events.Restored(self.number(), journal.epoch, tasks, results, contacts=journal.contacts)
        self.tell(restored)

    # ── rounds ──────────────────────────────────────────────────────────────────────────────

    def _stir(self) -> None:
        if self._round is None:
            self._round = self._perform()
            self.world.clock.after(self.world.choose((0, 0, 1, 5)), self, self._go)

    def _go(self) -> None:
        assert self._round is not None
        point = next(self._round, None)
        if point is not None:
            self.point = point
            wait = _FULL_DISK_RETRY_MS if point == "journal full" else self.world.choose((0, 0, 0, 1, 20))
            self.world.clock.after(wait, self, self._go)
            return
        self.point, self._round = "idle", None
        if self._inbox or self._hurried:
            self._stir()

    def _perform(self) -> Iterator[str]:
        happened, self._inbox = self._inbox, []
        writes: list[effects.Write] = []
        acts: list[effects.Act] = []
        self.world.trace.note(self.name, f"handles {names_of(happened)}")
        for event in happened:
            self._sort(self._handle(event), writes, acts)
        self._set_timer()
        due = self._gather(writes)
        if due:
            yield "before the journal"
            yield from self._save(due)
            yield "after the journal"
        for write in writes:
            if isinstance(write, effects.DropResults):
                self.uplink.outgoing.drop(write.keys)
        fresh = {
            one.key: one.result for one in writes if isinstance(one, effects.SaveResult) and not one.digest
        }
        for act in acts:
            self._act(act, fresh)
            yield "between acts"

    def _handle(self, event: events.Event) -> list[effects.Effect]:
        seen = self.machine.epoch
        wanted = self.machine.handle(event, self.now())
        if isinstance(event, events.Heard) and event.epoch < seen:
            invariants.stale_epoch_does_nothing(self.world, self, event, wanted)
        return wanted

    def _sort(
        self, wanted: Sequence[effects.Effect], writes: list[effects.Write], acts: list[effects.Act]
    ) -> None:
        for effect in wanted:
            if isinstance(effect, effects.WRITES):
                writes.append(effect)
            else:
                acts.append(effect)

    def _gather(self, writes: list[effects.Write]) -> list[effects.Write]:
        self.drops += writes
        if all(isinstance(one, effects.DropResults) for one in self.drops) and not self._hurried:
            if self.drops and not self._drops_timed:
                self._drops_timed = True
                self.world.clock.after(_DROPS_WAIT_MS, self, self._hurry)
            return []
        due, self.drops, self._hurried = self.drops, [], False
        return due

    def _hurry(self) -> None:
        self._drops_timed = False
        if self.drops:
            self._hurried = True
            self._stir()

    def _save(self, due: list[effects.Write]) -> Iterator[str]:
        while not self.device.disk_takes():
            self.world.trace.fault("journal refused", self.name)
            yield "journal full"
        self.world.trace.note(self.name, f"journals {names_of(due)}")
        self.device.journal.write(due)

    def _act(self, act: effects.Act, fresh: dict[Key, bytes]) -> None:
        match act:
            case effects.Send():
                self.uplink.send(act.payload)
            case effects.SendResults():
                for key in act.keys:
                    self.uplink.send_result(key, fresh.get(key))
            case effects.Start():
                self.running[act.key] = act.work
                self.world.clock.after(self.world.choose((1, 10, 200)), self, lambda: self._begin(act))
            case effects.Stop():
                self.running.pop(act.key, None)
            case effects.Plan(contacts=contacts):
                self.uplink.plan(contacts)
            case effects.Report(action="stale-epoch"):
                self.world.trace.fault("stale epoch refused", self.name)
            case _:
                pass

    def _set_timer(self) -> None:
        wake = self.machine.next_wake()
        if wake is not None and wake != self._wake:
            self._wake = wake
            self.world.clock.after(wake - self.now(), self, lambda: self._tick(wake))

    def _tick(self, wake: Millis) -> None:
        if self._wake == wake:
            self._wake = None
            self.tell(events.Ticked(self.number()))

    # ── workers ─────────────────────────────────────────────────────────────────────────────

    def _begin(self, started: effects.Start) -> None:
        if started.key in self.running:
            self.tell(events.WorkStarted(self.number(), started.key))
            slow = self.world.choose((5, 50, 500, 3_000, 20_000) if self.world.rough else (5, 50))
            self.world.clock.after(slow, self, lambda: self._end(started))

    def _end(self, started: effects.Start) -> None:
        key = started.key
        work = self.running.pop(key, None)
        if work is None:
            return
        if started.job in self.world.operator.poison:
            self.world.trace.fault("poison", self.name)
            self.tell(events.WorkFailed(self.number(), key, "the worker was killed: poison"))
        elif self.world.chance(self.world.weather.fail):
            self.world.trace.fault("worker died", self.name)
            self.tell(events.WorkFailed(self.number(), key, "the worker was killed"))
        else:
            if self.world.chance(0.1):
                self.tell(events.WorkProgressed(self.number(), key, 0.5))
            lies = self.world.weather.liar and self.name == self.world.names[0] and self.world.chance(0.5)
            if lies:
                self.world.trace.fault("lie", self.name)
            body = answers.lie(work) if lies else answers.answer(work)
            digest = answers.digest_of(body) if len(body) > _CHUNKED else None
            self.tell(events.WorkFinished(self.number(), key, body, "fake", "1", 0, 1.0, digest))
            if digest is not None:
                self.world.trace.fault("artefact", self.name)

    def assignment(self, key: Key) -> payloads.Assign:
        """What the journal holds of an unfinished task."""
        return codec.decode(self.device.journal.tasks[key], payloads.Assign)
