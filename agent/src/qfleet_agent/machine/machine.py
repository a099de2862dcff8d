"""The agent's decider: ``handle(event, now)`` returns what to journal, run and send.

It never reads a clock, draws a number or touches a file: ``now`` is a monotonic clock in
milliseconds. The same key gets the same answer however often it is assigned: a task that was
refused stays refused, a finished one is answered with its result.
"""

import heapq
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from qfleet_agent.machine import admit, effects, events, tasks, telemetry
from qfleet_agent.machine.admit import ROW_BYTES, Admitted, Bounds, Load, Refusal
from qfleet_agent.machine.effects import Effect
from qfleet_agent.machine.events import Event, Key
from qfleet_agent.machine.outbox import RESEND_FIRST_MS
from qfleet_agent.machine.states import State
from qfleet_agent.machine.thrift import Thrift
from qfleet_wire import codec, payloads
from qfleet_wire.errors import RemoteError
from qfleet_wire.names import DeviceName, Millis

REFUSALS_KEPT = 4096
"""Refused assignments whose answer is remembered, so that a duplicate gets the same one."""

EXPIRIES_SLACK = 1024
"""Deadlines of ended tasks that may stay in the heap before it is cleared of them."""

_RING_SHARE = 16
"""Telemetry may take one part in so many of the disk that is kept beside tasks and results."""

_Answer = Callable[[events.Heard, Any, Millis], list[Effect]]


class Machine:
    """Decides for one device. Not safe for threads: one owner feeds it."""

    def __init__(self, device: DeviceName, bounds: Bounds, announcement: payloads.Announcement) -> None:
        self._device = device
        self._bounds = bounds
        self._announcement = announcement
        self._epoch = 0
        self._tasks = tasks.Tasks()
        self._ring = telemetry.Ring(bounds.disk_reserve_bytes // _RING_SHARE // telemetry.ROW_BYTES)
        self._takes_telemetry = True
        self._thrift = Thrift()
        self._contacts: payloads.Contacts | None = None
        self._refused: dict[Key, payloads.Refused] = {}
        self._expiries: list[tuple[Millis, Key]] = []
        self._handlers: dict[type, Callable[[Any, Millis], list[Effect]]] = {
            events.Restored: self._restored,
            events.Heard: self._heard,
            events.SessionOpened: self._session_opened,
            events.SessionLost: self._session_lost,
            events.WayTaken: self._way_taken,
            events.Announced: self._announced,
            events.WorkStarted: self._work_started,
            events.WorkProgressed: self._work_progressed,
            events.WorkFinished: self._work_finished,
            events.WorkFailed: self._work_failed,
            events.Measured: self._measured,
            events.Covered: self._covered,
            events.Sampled: self._sampled,
            events.JournalFull: self._journal_full,
            events.Ticked: self._ticked,
            events.Stopping: self._stopping,
        }
        self._answers: dict[type, _Answer] = {
            payloads.Assign: self._assign,
            payloads.Cancel: self._cancel,
            payloads.Acknowledge: self._acknowledge,
            payloads.Ask: self._ask,
            payloads.Renewed: self._renewal,
            payloads.RenewalRefused: self._renewal,
            payloads.TelemetryAcknowledge: self._telemetry_stored,
            payloads.Contacts: self._planned,
            payloads.Unsupported: self._unsupported,
        }

    def handle(self, event: Event, now: Millis) -> list[Effect]:
        """Take an event in; its effects are to happen in the order in which they stand."""
        return self._handlers[type(event)](event, now)

    def next_wake(self) -> Millis | None:
        """When to send ``Ticked``; None: not before something else happens."""
        while self._expiries and not self._tasks.is_unfinished(self._expiries[0][1]):
            heapq.heappop(self._expiries)
        times = [self._expiries[0][0]] if self._expiries else []
        if self._tasks.outbox.wake is not None:
            times.append(self._tasks.outbox.wake)
        return min(times, default=None)

    @property
    def load(self) -> Load:
        """What the device has taken on; for reading."""
        return self._tasks.load

    def promising(self, happened: Iterable[Event]) -> int:
        """Bytes of disk to hold if every task in these events is accepted; 0 if there is none."""
        items = (item for event in happened if isinstance(event, events.Heard) for item in event.items)
        arriving = admit.arriving(items, self._bounds, self.load)
        return self.load.reserved_bytes + arriving if arriving else 0

    @property
    def finished(self) -> int:
        """Results that wait for an acknowledgement."""
        return len(self._tasks.outbox)

    @property
    def telemetry_lost(self) -> int:
        """Samples of telemetry that will never be sent."""
        return self._ring.lost

    @property
    def telemetry_held(self) -> int:
        """Samples of telemetry that wait for an acknowledgement."""
        return len(self._ring)

    @property
    def epoch(self) -> int:
        """The highest epoch that a controller's message carried."""
        return self._epoch

    def state_of(self, key: Key) -> State:
        """Where a task is."""
        return self._tasks.state_of(key)

    def inventory(self) -> payloads.Inventory:
        """All that the device holds."""
        return self._tasks.inventory()

    # ── what happens on the device ──────────────────────────────────────────────────────────

    def _restored(self, event: events.Restored, now: Millis) -> list[Effect]:
        self._epoch = event.epoch
        for result in event.results:
            self._tasks.put(result.key, result.size)
        if event.telemetry is not None:
            self._ring.restore(event.telemetry)
        self._contacts = event.contacts
        return [effect for stored in event.tasks for effect in self._restore(event.id, stored, now)]

    def _restore(self, cause: int, stored: events.StoredTask, now: Millis) -> list[Effect]:
        try:
            assign = codec.decode(stored.assign, payloads.Assign)
        except RemoteError as error:  # journalled by another version of the agent
            result = tasks.failed(stored.key, f"the journalled task cannot be read: {error}")
            return self._tasks.finish(cause, result, now)
        # Its deadline is left to the controller: the clock may have been wrong since the restart.
        return [self._tasks.take(cause, assign, admit.reserve_of(assign))]

    def _session_opened(self, event: events.SessionOpened, now: Millis) -> list[Effect]:
        wanted: list[Effect] = [
            effects.Send(event.id, self._announcement),
            effects.Send(event.id, self.inventory()),
        ]
        keys = self._tasks.outbox.open(now)
        if keys:
            wanted.append(effects.SendResults(event.id, keys))
        self._takes_telemetry = True
        return wanted + self._ring.send(event.id)

    def _way_taken(self, event: events.WayTaken, _now: Millis) -> list[Effect]:
        """Say in the announcement of every session over which way it came."""
        self._announcement = msgspec.structs.replace(self._announcement, way=event.way)
        self._thrift.over(event)
        self._tasks.outbox.first_ms = RESEND_FIRST_MS + self._thrift.answer_ms
        return self._say(event.id, self._announcement) if event.again else []

    def _session_lost(self, _event: events.SessionLost, _now: Millis) -> list[Effect]:
        self._tasks.outbox.close()
        return []

    def _announced(self, event: events.Announced, _now: Millis) -> list[Effect]:
        self._announcement = msgspec.structs.replace(event.announcement, way=self._announcement.way)
        self._bounds = self._bounds if event.bounds is None else event.bounds
        return self._say(event.id, self._announcement)

    def _work_started(self, event: events.WorkStarted, _now: Millis) -> list[Effect]:
        if not self._tasks.start(event.key):
            return []
        return self._hint(event.id, payloads.Started(*event.key))

    def _work_progressed(self, event: events.WorkProgressed, _now: Millis) -> list[Effect]:
        if not self._tasks.is_unfinished(event.key):
            return []
        return self._hint(event.id, payloads.Progress(*event.key, fraction=event.fraction))

    def _work_finished(self, event: events.WorkFinished, now: Millis) -> list[Effect]:
        if not self._tasks.is_unfinished(event.key):
            return []  # cancelled or expired meanwhile
        room = self._tasks.room_for(event.key, self._bounds.disk_bytes)
        if len(event.body) + ROW_BYTES > room:
            text = f"the result has {len(event.body)} bytes, there is room for {room - ROW_BYTES}"
            return self._tasks.finish(event.id, tasks.failed(event.key, text), now)
        artefact = None if event.digest is None else event.body
        return self._tasks.finish(event.id, tasks.succeeded(event, self._device), now, artefact)

    def _work_failed(self, event: events.WorkFailed, now: Millis) -> list[Effect]:
        if not self._tasks.is_unfinished(event.key):
            return []
        return self._tasks.finish(event.id, tasks.failed(event.key, event.reason), now)

    def _measured(self, event: events.Measured, _now: Millis) -> list[Effect]:
        self.load.disk_free_bytes = event.disk_free_bytes
        self.load.temperature_c = event.temperature_c
        return self._shed(event.id) if event.disk_free_bytes < self._bounds.disk_reserve_bytes else []

    def _covered(self, event: events.Covered, _now: Millis) -> list[Effect]:
        self.load.covered_bytes, self.load.arriving_bytes = event.bytes, 0
        return []

    def _sampled(self, event: events.Sampled, now: Millis) -> list[Effect]:
        held, ended = len(self._tasks.outbox), self._tasks.ended
        self._ring.take(msgspec.structs.replace(event.sample, outbox=held, finished=ended), now)
        if not self._ring.due(now):
            return []
        saved: list[Effect] = [self._ring.save(event.id)]
        return saved + self._send_telemetry_now_and_then(event.id)

    def _journal_full(self, event: events.JournalFull, _now: Millis) -> list[Effect]:
        self.load.disk_free_bytes = 0  # until it is measured again
        return self._shed(event.id)

    def _shed(self, cause: int) -> list[Effect]:
        """Telemetry is the first to go when the disk has no room."""
        if not self._ring.shed(telemetry.KEPT_WHEN_FULL):
            return []
        text = f"The disk is short of room: {self._ring.lost} samples of telemetry are lost in all."
        return [self._ring.save(cause), effects.Report(cause, "telemetry-shed", text)]

    def _send_telemetry(self, cause: int) -> list[Effect]:
        may = self._tasks.outbox.online and self._takes_telemetry
        return self._ring.send(cause) if may else []

    def _send_telemetry_now_and_then(self, cause: int) -> list[Effect]:
        """Where every byte counts, more of it goes in one message, and more seldom."""
        return self._send_telemetry(cause) if self._thrift.telemetry_is_due() else []

    def _ticked(self, event: events.Ticked, now: Millis) -> list[Effect]:
        wanted: list[Effect] = []
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heapq.heappop(self._expiries)
            if self._tasks.is_unfinished(key):
                wanted.append(effects.Stop(event.id, key))
                wanted += self._tasks.finish(event.id, tasks.expired(key), now)
        late = self._tasks.outbox.overdue(now)
        if late:
            wanted.append(effects.SendResults(event.id, late))
        return wanted

    def _stopping(self, event: events.Stopping, _now: Millis) -> list[Effect]:
        self.load.stopping = True
        return self._ring.stop(event.id)

    def _hint(self, cause: int, payload: payloads.Up) -> list[Effect]:
        """Say what nobody needs to know, unless every byte counts."""
        return [] if self._thrift.thrifty else self._say(cause, payload)

    def _say(self, cause: int, payload: payloads.Up) -> list[Effect]:
        return [effects.Send(cause, payload)] if self._tasks.outbox.online else []

    # ── what a controller says ──────────────────────────────────────────────────────────────

    def _heard(self, event: events.Heard, now: Millis) -> list[Effect]:
        if event.epoch < self._epoch:
            text = f"Refused a message of epoch {event.epoch}: epoch {self._epoch} was seen before."
            return [effects.Report(event.id, "stale-epoch", text)]
        wanted: list[Effect] = []
        if event.epoch > self._epoch:
            self._epoch = event.epoch
            wanted.append(effects.SaveEpoch(event.id, event.epoch))
        for item in event.items:
            wanted += self._answers[type(item)](event, item, now)
        wanted += [effects.Send(event.id, payloads.Unsupported(kind=kind)) for kind in event.unknown]
        return wanted

    def _assign(self, event: events.Heard, item: payloads.Assign, now: Millis) -> list[Effect]:
        key = (item.task, item.attempt)
        if self._tasks.is_unfinished(key):
            return [effects.Send(event.id, payloads.Accepted(*key))]
        if key in self._tasks.outbox:
            return self._again(event.id, key, now)
        if key in self._refused:
            return [effects.Send(event.id, self._refused[key])]
        match admit.admit(item, event.sent, self._bounds, self.load):
            case Refusal(code, text):
                return [effects.Send(event.id, self._refuse(payloads.Refused(*key, code=code, text=text)))]
            case Admitted(reserve, runs_for):
                if runs_for is not None:
                    self._expire_at(Millis(now + runs_for), key)
                return [
                    effects.SaveTask(event.id, key, codec.encode(item)),
                    effects.Send(event.id, payloads.Accepted(*key)),
                    self._tasks.take(event.id, item, reserve),
                ]

    def _cancel(self, event: events.Heard, item: payloads.Cancel, now: Millis) -> list[Effect]:
        key = (item.task, item.attempt)
        if key in self._tasks.outbox:
            return self._again(event.id, key, now)
        wanted: list[Effect] = [effects.Stop(event.id, key)] if self._tasks.is_unfinished(key) else []
        return wanted + self._tasks.finish(event.id, tasks.cancelled(item), now)

    def _acknowledge(self, event: events.Heard, item: payloads.Acknowledge, _now: Millis) -> list[Effect]:
        dropped = tuple(key for key in item.tasks if self._tasks.acknowledge(key))
        return [effects.DropResults(event.id, dropped)] if dropped else []

    def _ask(self, event: events.Heard, item: payloads.Ask, _now: Millis) -> list[Effect]:
        answer = self._announcement if item.what == "announcement" else self.inventory()
        return [effects.Send(event.id, answer)]

    def _renewal(
        self, event: events.Heard, item: payloads.Renewed | payloads.RenewalRefused, _now: Millis
    ) -> list[Effect]:
        return [effects.Renewal(event.id, item)]

    def _telemetry_stored(
        self, event: events.Heard, item: payloads.TelemetryAcknowledge, _now: Millis
    ) -> list[Effect]:
        return self._send_telemetry(event.id) if self._ring.acknowledge(item.up_to) else []

    def _planned(self, event: events.Heard, item: payloads.Contacts, _now: Millis) -> list[Effect]:
        """Take the plan that was issued last, whichever comes last."""
        before = self._contacts
        if before is not None and item.issued <= before.issued:
            return []
        self._contacts = item
        if before is not None and (before.until, before.windows) == (item.until, item.windows):
            return []
        return [
            effects.SaveContacts(event.id, codec.encode(item)),
            effects.Plan(event.id, item),
        ]

    def _unsupported(self, event: events.Heard, item: payloads.Unsupported, _now: Millis) -> list[Effect]:
        if item.kind == payloads.Telemetry.__struct_config__.tag:
            self._takes_telemetry = False  # an older controller: until the next session
            return []
        # Never answered: the two sides would tell each other for ever.
        text = f"The controller does not understand items of kind {item.kind!r}."
        return [effects.Report(event.id, "unsupported", text)]

    def _again(self, cause: int, key: Key, now: Millis) -> list[Effect]:
        sent = self._tasks.outbox.send((key,), now)
        return [effects.SendResults(cause, sent)] if sent else []

    def _expire_at(self, when: Millis, key: Key) -> None:
        if len(self._expiries) > 2 * self.load.unfinished + EXPIRIES_SLACK:
            self._expiries = [one for one in self._expiries if self._tasks.is_unfinished(one[1])]
            heapq.heapify(self._expiries)
        heapq.heappush(self._expiries, (when, key))

    def _refuse(self, refused: payloads.Refused) -> payloads.Refused:
        self._refused[refused.task, refused.attempt] = refused
        if len(self._refused) > REFUSALS_KEPT:
            del self._refused[next(iter(self._refused))]
        return refused
