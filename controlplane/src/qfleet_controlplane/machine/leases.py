"""Leases: which device has which task, from the schedule to the answer.

A lease is sent until it is answered, with growing pauses, and on every new session to which the
device comes without it.
"""

from collections.abc import Iterable
from itertools import islice
from typing import cast

from qfleet_controlplane.machine import state, tables
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.planning import cost, schedule, work
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName, Millis

_EXTRA = 256
"""Pending tasks looked at beyond the room there is, in case some are excluded everywhere."""


def requirement(specification: Specification, memory_bytes: int) -> schedule.Requirement:
    """What a job's tasks need of a device."""
    return schedule.Requirement(specification.kind, specification.qubits, memory_bytes)


def settle(turn: Turn) -> None:
    """Lease as many pending tasks as the fleet has room for."""
    waiting = [job for job in turn.state.jobs.values() if job.pending]
    if not waiting:
        return
    slots = [slot for slot in map(_slot, _usable(turn)) if not slot.full]
    if not slots:
        return
    room = sum(slot.workers * schedule.MOST_TASKS_PER_WORKER - slot.held for slot in slots)
    windows = [(job, list(islice(job.pending, max(room, 0) + _EXTRA))) for job in waiting]
    for choice in schedule.schedule([_demand(job, window) for job, window in windows], slots):
        _lease(turn, cast("state.Task", choice.task), choice)
    for job, window in windows:
        _requeue(job, window)


def _usable(turn: Turn) -> Iterable[state.Device]:
    return (
        device
        for device in turn.state.devices.values()
        if device.connected
        and device.status == "online"
        and device.announcement is not None
        and device.rests_until <= turn.now
    )


def _slot(device: state.Device) -> schedule.Slot:
    assert device.announcement is not None
    return schedule.Slot(
        device.name, device.announcement, held=len(device.held), backlog_ms=device.backlog_ms
    )


def _demand(job: state.Job, window: list[state.Task]) -> schedule.Demand:
    return schedule.Demand(
        priority=job.request.priority,
        age=(job.created, job.id),
        requirement=requirement(job.specification, job.plan.memory_bytes),
        specification=job.specification,
        size=_size,
        pending=window,
    )


def _size(task: schedule.Candidate) -> tuple[int, int]:
    part = cast("state.Task", task).slice
    return part.items, part.shots


def _requeue(job: state.Job, window: list[state.Task]) -> None:
    """Take the leased ones out of the queue; those passed over go to its end, so none is starved."""
    last = max((n for n, task in enumerate(window) if task.status != "pending"), default=-1)
    for task in window[: last + 1]:
        job.pending.popleft()
        if task.status == "pending":
            job.pending.append(task)


def _lease(turn: Turn, task: state.Task, choice: schedule.Choice) -> None:
    device = turn.state.devices[cast("DeviceName", choice.device)]
    job = task.job
    state.move(task, "lease")
    task.attempt += 1
    task.accepted = False
    task.leased_at = turn.now
    task.cost_ms = choice.cost_ms
    state.advance(task, 0.0)
    state.hold(device, task)
    job.devices.add(device.name)
    if job.status == "planned":
        job.status = tables.step(tables.JOB, job.status, "lease")
        turn.save_job(job)
    turn.save_task(task)
    turn.send(device.name, assignment(device, task))
    start_resending(turn, device)


def assignment(device: state.Device, task: state.Task) -> payloads.Assign:
    """The message that gives a task to a device; memory and time as the device can give them."""
    job = task.job
    told = device.announcement
    memory, limit_ms = job.plan.memory_bytes, int(job.request.time_limit_s * 1000)
    if told is not None:
        memory = max(memory, min(told.task_memory_bytes, cost.useful_memory_bytes(job.specification)))
        limit_ms = min(limit_ms, told.task_time_ms)
    return payloads.Assign(
        task=task.id,
        attempt=task.attempt,
        job=job.id,
        work=work.encode(job.specification, task.slice),
        memory_bytes=memory,
        result_bytes=work.result_bytes(job.specification, task.slice),
        time_limit_ms=limit_ms,
        priority=job.request.priority,
        deadline=job.deadline,
    )


def start_resending(turn: Turn, device: state.Device) -> None:
    """Arm the device's resend timer unless it runs."""
    if device.resend_ms == 0:
        _arm(turn, device, turn.policy.resend_first_ms)


def resend(turn: Turn, key: str) -> None:
    """Send again what the device has not answered; wait twice as long for the next time."""
    device = turn.state.devices[cast("DeviceName", key)]
    if turn.now < device.resend_at:
        return
    due = device.connected and (device.unanswered > 0 or device.inventory_due)
    if not due or device.status != "online":
        device.resend_ms = 0
        return
    if device.inventory_due:
        turn.send(device.name, payloads.Ask("inventory"))
        if device.announcement is None:
            turn.send(device.name, payloads.Ask("announcement"))
    else:
        for task in device.held.values():
            if not task.accepted and task.leased_at + turn.policy.resend_first_ms <= turn.now:
                turn.send(device.name, assignment(device, task))
    _arm(turn, device, min(2 * device.resend_ms, turn.policy.resend_most_ms))


def _arm(turn: Turn, device: state.Device, wait_ms: int) -> None:
    device.resend_ms = wait_ms
    device.resend_at = Millis(turn.now + wait_ms)
    turn.state.timers.arm(device.resend_at, "resend", device.name)


def withdraw(turn: Turn, task: state.Task, reason: str) -> None:
    """Take a task from the device that holds it, if one does, and tell it."""
    if task.status in tables.TASK_HELD and task.device is not None:
        device = turn.state.devices[task.device]
        state.release(device, task)
        if device.status not in tables.SHUT_OUT:
            turn.send(device.name, payloads.Cancel(task.id, task.attempt, reason))


def holds(task: state.Task | None, device: state.Device, attempt: int) -> bool:
    """Whether this very attempt is the device's."""
    return (
        task is not None
        and task.attempt == attempt
        and task.device == device.name
        and task.status in tables.TASK_HELD
    )


def estimate(device: state.Device, task: state.Task) -> float:
    """Estimated time of a task on a device, for books that are rebuilt."""
    calibration = cost.calibration_of(device.announcement, task.job.specification.kind)
    part = task.slice
    return cost.rates(task.job.specification, calibration).cost_ms(part.items, part.shots)
