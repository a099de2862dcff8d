"""After any cut both sides agree again: what a device says it holds, against what it should hold."""

from qfleet_controlplane.machine import leases, state, tables
from qfleet_controlplane.machine.turn import Turn
from qfleet_wire import payloads
from qfleet_wire.names import TaskId


def reconcile(turn: Turn, device: state.Device, told: payloads.Inventory) -> None:
    """Send what it lacks, cancel what it should not have, take back what it kept."""
    device.inventory_due = False
    unfinished, finished = set(told.unfinished), set(told.finished)
    for task in device.held.values():
        if (task.id, task.attempt) in unfinished or (task.id, task.attempt) in finished:
            state.answer(device, task)
        else:
            _send_again(turn, device, task)
    for task_id, attempt in told.unfinished:
        _settle_unfinished(turn, device, task_id, attempt)
    settled = tuple(entry for entry in told.finished if _is_settled(turn, device, *entry))
    if settled:
        turn.send(device.name, payloads.Acknowledge(settled))


def stray(turn: Turn, device: state.Device, task_id: TaskId, attempt: int) -> None:
    """Cancel what a device says it works on, if nobody needs it any more."""
    task = turn.state.tasks.get(task_id)
    if task is None or task.status not in tables.TASK_OPEN:
        turn.send(device.name, payloads.Cancel(task_id, attempt, "the task is over"))


def _send_again(turn: Turn, device: state.Device, task: state.Task) -> None:
    if task.accepted:
        task.accepted = False
        device.unanswered += 1
    task.leased_at = turn.now
    turn.send(device.name, leases.assignment(device, task))
    leases.start_resending(turn, device)


def _settle_unfinished(turn: Turn, device: state.Device, task_id: TaskId, attempt: int) -> None:
    task = turn.state.tasks.get(task_id)
    if task is not None and task.status == "pending" and task.attempt == attempt:
        _adopt(turn, device, task)
    else:
        stray(turn, device, task_id, attempt)


def _adopt(turn: Turn, device: state.Device, task: state.Task) -> None:
    """Take the latest attempt back from a device that was given up and has kept it.

    It is sent again until answered: the device may have ended it since, if this was overtaken.
    """
    if device.status != "online" or device.name in task.barred:
        return
    task.job.pending.remove(task)
    state.move(task, "adopt")
    task.accepted = False
    task.leased_at = turn.now
    task.cost_ms = leases.estimate(device, task)
    state.hold(device, task)
    turn.save_task(task)
    leases.start_resending(turn, device)


def _is_settled(turn: Turn, device: state.Device, task_id: TaskId, attempt: int) -> bool:
    """Whether this very result is the one that counts; any other will come and be compared."""
    task = turn.state.tasks.get(task_id)
    return (
        task is not None
        and task.status in tables.TASK_STORED
        and (task.device, task.attempt) == (device.name, attempt)
    )
