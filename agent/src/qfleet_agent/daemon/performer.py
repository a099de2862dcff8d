"""Carries out what the machine wants: first the journal, all writes of a round at once, then the rest.

What happens while a round is being journalled makes the next round: under load a commit carries
many tasks, and no timer adds latency. Nothing is sent that is not durable.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from typing import Protocol

from qfleet_agent import clock
from qfleet_agent.journal.journal import Journal
from qfleet_agent.machine import effects, events
from qfleet_agent.machine.effects import Act, Write
from qfleet_agent.machine.events import Event, Key
from qfleet_agent.machine.machine import Machine
from qfleet_wire import payloads

FULL_DISK_RETRY_S = 5.0
DROPS_WAIT_S = 1.0
"""How long acknowledged results may stay in the journal for want of another write to go along with.

After a power cut they would be sent once more, which does no harm; a commit of their own costs every
short task another fsync.
"""

log = logging.getLogger(__name__)


class Sender(Protocol):
    """Where payloads leave."""

    def send(self, payload: payloads.Up) -> None:
        """Put a payload in line for the current session; without one it is dropped."""

    def send_result(self, key: Key, result: bytes | None) -> None:
        """Put a result in line; None: it is read from the journal when its turn comes."""

    def foresee_results(self, results: Sequence[bytes]) -> None:
        """Prepare to send results that will be put in line once they are durable, if they are."""

    def send_telemetry(self, after: int, lost: int) -> None:
        """Send journalled samples after this number once no result waits."""

    def drop_results(self, keys: Sequence[Key]) -> None:
        """Take acknowledged results out of the line."""

    def plan(self, contacts: payloads.Contacts) -> None:
        """Let ways be there by this plan."""

    def renewal(self, answer: payloads.Renewed | payloads.RenewalRefused) -> None:
        """Take in the answer about a certificate."""


class Runner(Protocol):
    """Where tasks run."""

    def start(self, wanted: effects.Start) -> None:
        """Run a task."""

    def stop(self, key: Key) -> None:
        """End a task."""


class Performer:
    """Feeds the machine, one round after the other."""

    def __init__(self, machine: Machine, journal: Journal) -> None:
        self._machine = machine
        self._journal = journal
        self._inbox: list[Event] = []
        self._drops: list[Write] = []
        self._drop_timer: asyncio.TimerHandle | None = None
        self._hurried = False
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0
        self._sender: Sender | None = None
        self._runner: Runner | None = None
        self.journal_full = False
        """Whether the last attempt to write found the disk full."""

    def connect(self, sender: Sender, runner: Runner) -> None:
        """Say where payloads leave and tasks run; before ``run``."""
        self._sender = sender
        self._runner = runner

    def number(self) -> int:
        """Number an event."""
        self._last += 1
        return self._last

    def tell(self, event: Event) -> None:
        """Take an event in; it is handled in the next round."""
        self._inbox.append(event)
        self._wake.set()

    async def run(self) -> None:
        """Handle events until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            happened, self._inbox = self._inbox, []
            self._settled.clear()
            await self._round(happened)
            self._settled.set()

    async def settle(self) -> None:
        """Wait until all events so far are handled and durable, and nobody tells any more."""
        self._settled.clear()
        self._hurry()
        while self._inbox or not self._settled.is_set():
            await self._settled.wait()
            await asyncio.sleep(0)

    async def _round(self, happened: Sequence[Event]) -> None:
        happened = await self._cover(happened)
        writes: list[Write] = []
        acts: list[Act] = []
        now = clock.monotonic()
        for event in happened:
            for effect in self._machine.handle(event, now):
                if isinstance(effect, effects.WRITES):
                    writes.append(effect)
                else:
                    acts.append(effect)
        self._set_timer()
        due = self._gather(writes)
        if due:
            await self._save_and_foresee(due)
        self._act(writes, acts)
        if any(isinstance(event, (events.Measured, events.Restored)) for event in happened):
            await self._journal.hold(self._machine.load.reserved_bytes)

    async def _cover(self, happened: Sequence[Event]) -> Sequence[Event]:
        """Have room on the disk held for what may be promised in this round, and tell the machine of it."""
        promising = self._machine.promising(happened)
        if not promising:
            return happened
        covered = self._journal.covered
        if covered < promising:
            covered = await self._journal.cover(promising)
        return [events.Covered(self.number(), covered), *happened]

    def _gather(self, writes: list[Write]) -> list[Write]:
        """Return what to write now: nothing while there are only drops that can wait."""
        self._drops += writes
        if all(isinstance(one, effects.DropResults) for one in self._drops):
            if self._drops and self._drop_timer is None:
                loop = asyncio.get_running_loop()
                self._drop_timer = loop.call_later(DROPS_WAIT_S, self._hurry)
            return self._take() if self._hurried else []
        return self._take()

    def _take(self) -> list[Write]:
        due, self._drops, self._hurried = self._drops, [], False
        if self._drop_timer is not None:
            self._drop_timer.cancel()
            self._drop_timer = None
        return due

    def _hurry(self) -> None:
        self._hurried = True
        self._wake.set()

    async def _save_and_foresee(self, writes: list[Write]) -> None:
        """Have results signed in the time in which the disk takes them."""
        assert self._sender is not None
        results = [one.result for one in writes if isinstance(one, effects.SaveResult) and one.digest is None]
        if not results:
            await self._save(writes)
            return
        saving = asyncio.create_task(self._save(writes))
        await asyncio.sleep(0)  # the journal's thread has them now
        self._sender.foresee_results(results)
        await saving

    async def _save(self, writes: list[Write]) -> None:
        while True:
            try:
                await self._journal.write(writes)
            except sqlite3.OperationalError as error:
                # Nothing is lost by waiting: what is not durable has not been answered.
                log.error("The journal cannot be written: %s", error, extra={"action": "journal-full"})  # noqa: TRY400
                if not self._make_room(writes):
                    await asyncio.sleep(FULL_DISK_RETRY_S)
                self.journal_full = True
            else:
                self.journal_full = False
                return

    def _make_room(self, writes: list[Write]) -> bool:
        """Put what gives room up in front of the writes; False when there is nothing to give."""
        full = events.JournalFull(self.number())
        shed = [
            one for one in self._machine.handle(full, clock.monotonic()) if isinstance(one, effects.WRITES)
        ]
        writes[:0] = shed
        return bool(shed)

    def _act(self, writes: list[Write], acts: list[Act]) -> None:
        assert self._sender is not None
        fresh: dict[Key, bytes] = {}
        for write in writes:
            if isinstance(write, effects.DropResults):
                self._sender.drop_results(write.keys)
            elif isinstance(write, effects.SaveResult) and write.digest is None:
                fresh[write.key] = write.result
        for act in acts:
            if isinstance(act, effects.SendResults):
                for key in act.keys:
                    self._sender.send_result(key, fresh.get(key))
            else:
                self._do(act)

    def _do(self, act: Act) -> None:
        assert self._sender is not None
        assert self._runner is not None
        match act:
            case effects.Send():
                self._sender.send(act.payload)
            case effects.SendTelemetry():
                self._sender.send_telemetry(act.after, act.lost)
            case effects.Start():
                self._runner.start(act)
            case effects.Stop():
                self._runner.stop(act.key)
            case effects.Plan():
                self._sender.plan(act.contacts)
            case effects.Renewal():
                self._sender.renewal(act.answer)
            case effects.Report():
                log.warning("%s", act.text, extra={"action": act.action, "cause": act.cause})

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wake = self._machine.next_wake()
        if wake is not None:
            delay = max(wake - clock.monotonic(), 0) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.tell(events.Ticked(self.number()))
