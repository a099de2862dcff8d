"""How attempts end without a result: refused, failed, or lost with their device.

A device that refuses is excluded for that task, unless it is only busy or stopping: then it rests
for a moment. A task whose every possible device has refused fails with all the reasons; one that
fails is tried again until its job's ``max_attempts``.
"""

from qfleet_controlplane.machine import copies, endings, history, leases, state, tables
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.planning import needs, regions
from qfleet_wire import payloads
from qfleet_wire.names import Millis

PASSING = frozenset({"busy", "stopping"})
"""Refusals that say nothing about the task."""


def refused(turn: Turn, device: state.Device, refusal: payloads.Refused) -> None:
    """Give a refused task back; exclude the device, or let it rest."""
    task = turn.state.tasks.get(refusal.task)
    if task is None or not leases.holds(task, device, refusal.attempt):
        return
    turn.state.release(device, task)
    state.move(task, "refuse")
    if refusal.code in PASSING:
        device.rests_until = Millis(turn.now + turn.policy.rest_ms)
        turn.state.timers.arm(device.rests_until, "rest", device.name)
    else:
        told = f"refused ({refusal.code}): {refusal.text}"
        add_error(task, f"attempt {task.attempt} on {device.name}: {told}")
        turn.state.exclude(task, device.name)
        if nobody_left(turn, task) and not able_elsewhere(turn, task):
            end(turn, task, "every device that could run it has refused")
            return
    turn.state.enqueue(task, first=True)
    turn.save_task(task)


def failed(turn: Turn, task: state.Task, error: str) -> None:
    """End an attempt that failed; try again while attempts are left."""
    device = turn.state.devices.get(task.device) if task.device is not None else None
    if device is not None:
        turn.state.release(device, task)
    task.failures += 1
    add_error(task, error)
    state.advance(task, 0.0)
    state.move(task, "fail")
    if task.failures < task.job.request.max_attempts:
        state.move(task, "retry")
        turn.state.enqueue(task)
    else:
        _last_word(turn, task)
    turn.save_task(task)
    if task.status == "failed":
        copies.look(turn, task)
    endings.settle_end(turn, task.job)


def lose(turn: Turn, task: state.Task, reason: str) -> None:
    """Take a task from a device that is gone; it waits for another one."""
    assert task.device is not None
    turn.state.release(turn.state.devices[task.device], task)
    state.move(task, "lose")
    task.losses += 1
    add_error(task, f"attempt {task.attempt} on {task.device}: {reason}")
    state.advance(task, 0.0)
    if task.losses >= turn.policy.most_losses:
        end(turn, task, f"lost with its device {task.losses} times")
        return
    turn.state.enqueue(task, first=True)
    turn.save_task(task)


def take_back(turn: Turn, task: state.Task, reason: str) -> None:
    """Take a task from a device that can no longer run it; it waits for another one."""
    add_error(task, f"attempt {task.attempt} on {task.device}: {reason}")
    leases.withdraw(turn, task, reason)
    state.move(task, "refuse")
    state.advance(task, 0.0)
    turn.state.enqueue(task, first=True)
    turn.save_task(task)


def end(turn: Turn, task: state.Task, reason: str) -> None:
    """Fail a pending task for good."""
    state.move(task, "fail")
    add_error(task, reason)
    _last_word(turn, task)
    turn.save_task(task)
    copies.look(turn, task)
    endings.settle_end(turn, task.job)


def add_error(task: state.Task, error: str) -> None:
    """Remember what went wrong."""
    task.errors = history.add(task.errors, error)


def _last_word(turn: Turn, task: state.Task) -> None:
    for error in task.errors if task.group is None else ():  # else it is no news before its copies fail too
        endings.note_error(task.job, error)
    turn.changed[task.job.id] = task.job


def nobody_left(turn: Turn, task: state.Task) -> bool:
    """Whether every device here that could run a task has refused it."""
    needed = leases.requirement(task.job.specification, task.job.plan.memory_bytes)
    barred = task.barred
    return not any(
        device.name not in barred and needs.lacks(needed, device.announcement) is None
        for device in turn.state.devices.values()
        if device.announcement is not None
        and device.status not in tables.SHUT_OUT
        and device.status != "lost"
    )


def able_elsewhere(turn: Turn, task: state.Task) -> bool:
    """Whether another region may have the task and has a device for it."""
    job = task.job
    if task.group is not None and not task.group.untouched:
        return False  # its copies belong together
    needed = leases.requirement(job.specification, job.plan.memory_bytes)
    return any(
        regions.carries(facts, job.request.residency) and regions.able(facts, needed)
        for facts in turn.state.elsewhere
    )


def give_up(turn: Turn, task: state.Task) -> None:
    """Fail a pending task that nobody is left for."""
    task.job.pending.remove(task)
    end(turn, task, "every device that could run it has refused")
