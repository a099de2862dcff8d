"""Results: the first valid one of a task counts, a further one is compared with it.

Nothing is acknowledged that is not stored in the same commit, and everything that needs no more
work from the device is acknowledged, so that outboxes drain whatever was lost on the way.
"""

from qfleet_controlplane.machine import (
    alarms,
    artefacts,
    copies,
    counting,
    effects,
    endings,
    events,
    leases,
    state,
    tables,
    trusting,
)
from qfleet_controlplane.machine.turn import Turn
from qfleet_wire import codec, payloads
from qfleet_wire.errors import InvalidMessage, LimitExceeded
from qfleet_wire.names import TaskId


def arrive(turn: Turn, device: state.Device, flush: payloads.Results) -> None:
    """Take in a flush of results whose signature the link has verified."""
    counted = False
    acknowledged: list[tuple[TaskId, int]] = []
    for position, raw in enumerate(flush.results):
        try:
            result = codec.decode(raw, payloads.TaskResult)
        except (InvalidMessage, LimitExceeded) as error:
            detail = f"a result does not decode: {error}"
            alarms.about(turn, device, "invalid-result", device.name, detail)
            continue
        if _awaits_chunks(turn, device, result):
            artefacts.expect(
                turn, device, result.artefact or b"", state.Arrival(result, bytes(raw), position, flush)
            )
            continue
        counted |= _take(turn, device, state.Arrival(result, bytes(raw), position, flush))
        acknowledged.append((result.task, result.attempt))
    if counted:
        counting.provenance(turn, device, flush)
    if acknowledged:
        turn.send(device.name, payloads.Acknowledge(tuple(acknowledged)))


def compared(turn: Turn, event: events.Compared) -> None:
    """Raise the trust in devices that agree; raise an alarm about those that do not.

    Nobody knows which of two is wrong, so nobody is accused.
    """
    if event.first == event.second:
        return
    trusting.compared(turn, (event.first, event.second), agree=event.difference is None)
    if event.difference is not None:
        detail = f"{event.first} and {event.second}: {event.difference}"
        turn.effects.append(effects.Alarm(turn.cause, "disagreement", event.task, detail))


def _awaits_chunks(turn: Turn, device: state.Device, result: payloads.TaskResult) -> bool:
    task = turn.state.tasks.get(result.task)
    return (
        result.artefact is not None
        and result.outcome == "succeeded"
        and task is not None
        and task.status in tables.TASK_OPEN
        and counting.may_count(task, device, result.attempt)
    )


def _take(turn: Turn, device: state.Device, arrival: state.Arrival) -> bool:
    """Deal with one result; return whether it counts."""
    result = arrival.result
    task = turn.state.tasks.get(result.task)
    if task is None or task.status not in tables.TASK_OPEN:
        _again(turn, device, task, result)
    elif result.outcome == "succeeded" and not counting.may_count(task, device, result.attempt):
        counting.set_aside(turn, device, result)
        if result.artefact is not None:
            artefacts.drop(turn, device, result.artefact)
    elif result.outcome == "succeeded":
        return counting.judge(turn, device, arrival, bytes(result.body))
    elif result.outcome == "expired" and _is_late(turn, task):
        _expire(turn, task)
    else:
        counting.fail(turn, device, result, result.error or f"the device reports {result.outcome}")
    return False


def _again(turn: Turn, device: state.Device, task: state.Task | None, result: payloads.TaskResult) -> None:
    """Compare a further success; the same delivery once more, or another outcome, says nothing."""
    if result.outcome != "succeeded":
        return
    if task is not None and (task.device, task.attempt) == (device.name, result.attempt):
        return
    if result.artefact is not None:
        artefacts.drop(turn, device, result.artefact)
    if task is None or (task.status == "succeeded" and task.group is None):
        turn.effects.append(effects.Compare(turn.cause, device.name, result))


def _is_late(turn: Turn, task: state.Task) -> bool:
    return task.job.deadline is not None and task.job.deadline <= turn.now


def _expire(turn: Turn, task: state.Task) -> None:
    leases.withdraw(turn, task, "the job's deadline passed")
    if task.status == "pending":
        task.job.pending.remove(task)
    state.move(task, "expire")
    turn.save_task(task)
    copies.look(turn, task)
    endings.settle_end(turn, task.job)
