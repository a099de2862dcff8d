"""All tasks of a device and what they take: the only place where a task changes its state."""

from dataclasses import dataclass

import msgspec

from qfleet_agent.machine import effects, events
from qfleet_agent.machine.admit import ROW_BYTES, Load
from qfleet_agent.machine.effects import Effect
from qfleet_agent.machine.events import Key
from qfleet_agent.machine.outbox import Outbox
from qfleet_agent.machine.states import State, Step, after
from qfleet_wire import codec, payloads
from qfleet_wire.names import DeviceName, Millis


@dataclass(slots=True)
class _Task:
    state: State
    size: int
    reserve: int


class Tasks:
    """The unfinished tasks, the outbox of finished ones, and the load that both are."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.load = Load()
        self.ended = 0
        """Tasks that have got an outcome since the start."""
        self._unfinished: dict[Key, _Task] = {}

    def state_of(self, key: Key) -> State:
        """Where a task is."""
        if key in self.outbox:
            return State.FINISHED
        task = self._unfinished.get(key)
        return State.UNKNOWN if task is None else task.state

    def is_unfinished(self, key: Key) -> bool:
        """Whether a task was accepted and has no outcome yet."""
        return key in self._unfinished

    def inventory(self) -> payloads.Inventory:
        """All that the device holds."""
        return payloads.Inventory(unfinished=tuple(self._unfinished), finished=self.outbox.keys)

    def take(self, cause: int, assign: payloads.Assign, reserve: int) -> effects.Start:
        """Accept a task; ``reserve`` bytes of disk are kept for its result."""
        key = (assign.task, assign.attempt)
        # A copy: the assignment's own bytes are a view that would keep the whole message alive.
        body = bytes(assign.work)
        self._unfinished[key] = _Task(after(self.state_of(key), Step.ACCEPT), len(body), reserve)
        self.load.unfinished += 1
        self.load.unfinished_bytes += len(body)
        self.load.stored_bytes += len(body) + ROW_BYTES
        self.load.arriving_bytes += len(body) + ROW_BYTES
        self.load.reserved_bytes += reserve
        return effects.Start(
            cause,
            key,
            job=assign.job,
            work=body,
            memory_bytes=assign.memory_bytes,
            time_limit_ms=assign.time_limit_ms,
            priority=assign.priority,
        )

    def start(self, key: Key) -> bool:
        """A worker has begun the task; False when it has ended meanwhile, or began before."""
        task = self._unfinished.get(key)
        if task is None or task.state is State.RUNNING:
            return False
        task.state = after(task.state, Step.START)
        return True

    def finish(
        self, cause: int, result: payloads.TaskResult, now: Millis, artefact: bytes | None = None
    ) -> list[Effect]:
        """Give a task its outcome: the result goes to the outbox, and on its way if it can."""
        key = (result.task, result.attempt)
        after(self.state_of(key), Step.FINISH)
        self._release(key)
        self.ended += 1
        raw = codec.encode(result)
        self.put(key, len(raw) + (0 if artefact is None else len(artefact)) + ROW_BYTES)
        saved = effects.SaveResult(cause, key, raw, digest=result.artefact, artefact=artefact)
        sent = self.outbox.send((key,), now)
        return [saved, effects.SendResults(cause, sent)] if sent else [saved]

    def put(self, key: Key, size: int) -> None:
        """Keep a result that takes ``size`` bytes of disk until it is acknowledged."""
        self.outbox.add(key, size)
        self.load.stored_bytes += size

    def acknowledge(self, key: Key) -> bool:
        """Forget a result; False when there is none, because it was acknowledged before."""
        if self.state_of(key) is not State.FINISHED:
            return False
        after(State.FINISHED, Step.ACKNOWLEDGE)
        self.load.stored_bytes -= self.outbox.remove(key)
        return True

    def room_for(self, key: Key, disk_bytes: int) -> int:
        """Bytes that the result of an unfinished task may take of ``disk_bytes`` in all."""
        promised, load = self._unfinished[key].reserve, self.load
        more = disk_bytes - load.stored_bytes - load.reserved_bytes
        if load.covered_bytes is not None and load.disk_free_bytes is not None:
            # Room that is held is promised to others; beyond the promise there is what is free.
            more = min(more, load.disk_free_bytes // 2)
        return promised + more

    def _release(self, key: Key) -> None:
        task = self._unfinished.pop(key, None)
        if task is not None:
            self.load.unfinished -= 1
            self.load.unfinished_bytes -= task.size
            self.load.stored_bytes -= task.size + ROW_BYTES
            self.load.reserved_bytes -= task.reserve


def succeeded(event: events.WorkFinished, device: DeviceName) -> payloads.TaskResult:
    """Make the result of a worker's answer."""
    return payloads.TaskResult(
        task=event.key[0],
        attempt=event.key[1],
        outcome="succeeded",
        provenance=payloads.Provenance(
            device=device,
            engine=event.engine,
            engine_version=event.engine_version,
            seed=event.seed,
            duration_ms=event.duration_ms,
        ),
        body=msgspec.Raw(event.body) if event.digest is None else payloads.NO_BODY,
        artefact=event.digest,
    )


def failed(key: Key, reason: str) -> payloads.TaskResult:
    """Make the result of an attempt that ended in an error."""
    return payloads.TaskResult(task=key[0], attempt=key[1], outcome="failed", error=reason)


def expired(key: Key) -> payloads.TaskResult:
    """Make the result of a task whose deadline came first."""
    return payloads.TaskResult(
        task=key[0], attempt=key[1], outcome="expired", error="its deadline has passed"
    )


def cancelled(cancel: payloads.Cancel) -> payloads.TaskResult:
    """Make the answer to a cancellation."""
    return payloads.TaskResult(
        task=cancel.task, attempt=cancel.attempt, outcome="cancelled", error=cancel.reason
    )
