"""The moment a result counts, or does not: at most once for every task."""

import hashlib
from typing import Any

from qfleet_controlplane.machine import alarms, attempts, copies, effects, endings, leases, probing, state
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.planning import kinds
from qfleet_wire import codec, payloads, workload
from qfleet_wire.errors import InvalidMessage, LimitExceeded
from qfleet_wire.limits import LIMITS

_MOST_ASIDE = 4
_WORK_RESULT: Any = workload.WorkResult


def judge(turn: Turn, device: state.Device, arrival: state.Arrival, body: bytes) -> bool:
    """Count an open task's result if it is valid, else fail its attempt; say whether it counts."""
    result = arrival.result
    task = turn.state.tasks[result.task]
    answer, fault = _read(task, body)
    if fault is not None:
        alarms.about(turn, device, "invalid-result", task.id, fault)
        fail(turn, device, result, f"invalid result: {fault}")
        return False
    _win(turn, device, task, result.attempt)
    task.digest = hashlib.sha256(body).digest()
    turn.effects.append(_saved(turn, device, arrival))
    if task.job.specification.probe:
        probing.judge(turn, device, task, answer)
    if task.group is not None:
        turn.state.aside.pop(task.id, None)
        copies.look(turn, task)
        return True
    for other, told in turn.state.aside.pop(task.id, ()):
        turn.effects.append(effects.Compare(turn.cause, other, told))
    endings.settle_end(turn, task.job)
    return True


def may_count(task: state.Task, device: state.Device, attempt: int) -> bool:
    """Whether a result of this attempt may end the task: by default any, else the lease holder's only.

    Of the copies of a task a device can answer one.
    """
    if task.group is not None and device.name in task.group.engaged(task):
        return False
    return task.job.request.first_valid_wins or leases.holds(task, device, attempt)


def set_aside(turn: Turn, device: state.Device, result: payloads.TaskResult) -> None:
    """Keep an open task's result that does not count, to compare it with the one that will."""
    kept = turn.state.aside.setdefault(result.task, [])
    known = any((name, told.attempt) == (device.name, result.attempt) for name, told in kept)
    if not known and len(kept) < _MOST_ASIDE:
        kept.append((device.name, result))


def batch_id(flush: payloads.Results) -> bytes:
    """Name a signed flush by its signature."""
    return hashlib.sha256(flush.signature).digest()[:16]


def provenance(turn: Turn, device: state.Device, flush: payloads.Results) -> None:
    """Keep the signature of a flush and the digests it covers."""
    digests = b"".join(hashlib.sha256(raw).digest() for raw in flush.results)
    turn.effects.append(
        effects.SaveBatch(turn.cause, batch_id(flush), device.name, flush.signature, digests, turn.now)
    )


def fail(turn: Turn, device: state.Device, result: payloads.TaskResult, reason: str) -> None:
    """End an open task's attempt; one that is not its present attempt is only remembered."""
    task = turn.state.tasks[result.task]
    error = f"attempt {result.attempt} on {device.name}: {reason}"
    if leases.holds(task, device, result.attempt):
        attempts.failed(turn, task, error)
    else:
        attempts.add_error(task, error)
        turn.save_task(task)


def _read(task: state.Task, body: bytes) -> tuple[Any, str | None]:
    """The answer, and what is wrong with it."""
    try:
        answer = codec.decode(body, _WORK_RESULT, limit=LIMITS.artefact_bytes)
    except (InvalidMessage, LimitExceeded) as error:
        return None, str(error)
    return answer, kinds.fault(task.job.specification, task.slice, answer)


def _win(turn: Turn, device: state.Device, task: state.Task, attempt: int) -> None:
    if leases.holds(task, device, attempt):
        turn.state.release(device, task)
    elif task.status == "pending":
        task.job.pending.remove(task)
    else:
        leases.withdraw(turn, task, "another device was first")
    state.move(task, "succeed" if task.group is None else "answer")
    task.device, task.attempt = device.name, attempt
    task.job.devices.add(device.name)
    state.advance(task, 1.0)
    turn.save_task(task)


def _saved(turn: Turn, device: state.Device, arrival: state.Arrival) -> effects.SaveResult:
    return effects.SaveResult(
        turn.cause,
        arrival.result.task,
        device.name,
        arrival.raw,
        arrival.result,
        batch_id(arrival.flush),
        arrival.position,
        turn.now,
    )
