"""Leases: which device has which task, from the schedule to the answer.

A lease is sent until it is answered, with growing pauses, and on every new session to which the
device comes without it.
"""

from collections.abc import Iterator
from itertools import islice
from typing import cast

from qfleet_controlplane.machine import crowds, pool, state, tables
from qfleet_controlplane.machine.turn import Turn, way_of
from qfleet_controlplane.planning import cost, demand, kinds, needs, reach, schedule
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName, Millis

_EXTRA = 256
"""Pending tasks looked at beyond the room there is, in case some are excluded everywhere."""
_MOST_JOBS = 64
_MOST_SLOTS = 2_000
_FEWEST_SLOTS = 32
"""Devices that one sharing out looks at, all classes together, and of each class at least."""
_AGAIN_MS = 1_000
"""Tasks that wait for a better device are looked at again so soon: it may have got stuck."""
_ROUND_TRIPS = 4
"""A question and its answer, and as much again for what is lost below."""
_MOST_LEASES = 4_000
"""Leases of one settling: the event loop waits for it."""


def requirement(specification: Specification, memory_bytes: int) -> needs.Requirement:
    """What a job's tasks need of a device; ``memory_bytes`` as it was planned."""
    return needs.Requirement(
        specification.capability,
        specification.vector_qubits,
        memory_bytes,
        specification.agree,
        kinds.copying_bytes(specification),
    )


def settle(turn: Turn) -> None:
    """Lease as many pending tasks as the fleet has room for.

    Costs what there is to lease, not what there is: only devices that may have room are looked at, and of
    each class no more than there are tasks for it. Jobs of one priority take turns, ``_MOST_JOBS`` of
    the oldest at a time; what is left after ``_MOST_LEASES`` follows at once in the next round. While the
    broker is not connected nothing is leased: it could not be sent, and may run elsewhere meanwhile.
    """
    known = turn.state.pool
    if not known.changed or not turn.state.link_up:
        return
    known.changed = False
    able = _Able(known)
    if able.nobody:
        return
    waiting = sorted((job for job in turn.state.jobs.values() if job.pending), key=_rank)
    left = _MOST_LEASES
    while waiting and left > 0:
        chosen: list[state.Job] = []
        rest: list[state.Job] = []
        for job in waiting:
            (chosen if len(chosen) < _MOST_JOBS and able.buckets(job) else rest).append(job)
        if not chosen:
            break
        left -= _share_out(turn, chosen, able, left)
        waiting = rest
    if left <= 0 or able.cut:
        turn.state.timers.arm(turn.now, "settle", "")


def _rank(job: state.Job) -> tuple[int, int, str]:
    return (-job.request.priority, job.created, job.id)


class _Able:
    """Which classes of devices with room can run which jobs; looked up once per requirement."""

    def __init__(self, source: pool.Pool) -> None:
        self._buckets = source.buckets()
        self._known: dict[needs.Requirement, list[pool.Bucket]] = {}
        self.cut = False
        """Whether tasks are left although not every device was looked at."""

    @property
    def nobody(self) -> bool:
        """Whether no device may have room."""
        return not self._buckets

    def buckets(self, job: state.Job) -> list[pool.Bucket]:
        """Classes for a job that have a device left."""
        needed = requirement(job.specification, job.plan.memory_bytes)
        found = self._known.get(needed)
        if found is None:
            found = [each for each in self._buckets if needs.lacks(needed, each.kind) is None]
            self._known[needed] = found
        return [each for each in found if each.idle or each.busy]


def _share_out(turn: Turn, jobs: list[state.Job], able: _Able, most: int) -> int:
    """Lease tasks of these jobs, ``most`` at most; return how many."""
    wanted = min(most, sum(len(job.pending) for job in jobs))
    spare = _most_barred(jobs) if turn.state.excluding or any(job.groups for job in jobs) else 0
    buckets = {id(bucket): bucket for job in jobs for bucket in able.buckets(job)}
    room = min(wanted + spare, max(_FEWEST_SLOTS + spare, _MOST_SLOTS // len(buckets)))
    slots = [slot for bucket in buckets.values() for slot in _slots(turn, bucket, room)]
    if not slots:
        return 0
    windows = [(job, _Window(job, wanted + _EXTRA)) for job in jobs]
    crowd = crowds.Crowd(turn, _slot)
    demands = [_demand(job, window) for job, window in windows]
    choices = schedule.schedule(demands, slots, wanted, crowd)
    for choice in choices:
        task = cast("state.Task", choice.task)
        if task.group is not None and choice.device in task.barred:
            able.cut = True  # another copy of it was given to the same device just now
        else:
            _lease(turn, task, choice)
    for job, window in windows:
        _requeue(job, window.seen)
    unseen = sum(len(bucket.idle) + len(bucket.busy) for bucket in buckets.values()) > len(slots)
    able.cut |= unseen and 0 < len(choices) < wanted
    if crowd.asked and len(choices) < wanted and turn.state.pool.again_at <= turn.now:
        turn.state.pool.again_at = turn.now + _AGAIN_MS
        turn.state.timers.arm(turn.state.pool.again_at, "settle", "")
    return len(choices)


def _most_barred(jobs: list[state.Job]) -> int:
    """Devices that may not have some one of the next tasks: so many more are looked at."""
    return max(
        (
            len(task.barred) + (0 if task.group is None else len(task.group.tasks))
            for job in jobs
            for task in islice(job.pending, _EXTRA)
            if task.excluded or task.group is not None
        ),
        default=0,
    )


def _slots(turn: Turn, bucket: pool.Bucket, most: int) -> list[demand.Slot]:
    """Devices of a class that have room, idle ones first; strikes out the others that it comes across."""
    slots: list[demand.Slot] = []
    for names in (bucket.idle, bucket.busy):
        gone = []
        for name in names:
            if len(slots) >= most:
                break
            slot = _slot(turn, turn.state.devices[name])
            if slot is None or slot.full:
                gone.append(name)
            else:
                slots.append(slot)
        for name in gone:
            del names[name]
            bucket.crowded[name] = None
    return slots


def _slot(turn: Turn, device: state.Device) -> demand.Slot | None:
    """The device as the scheduler sees it; None for one that gets nothing now."""
    told = device.announcement
    if told is None or not device.connected or device.status != "online" or device.rests_until > turn.now:
        return None
    kind = device.kind or told
    return demand.Slot(
        device.name,
        kind,
        held=len(device.held),
        backlog_ms=crowds.left_ms(turn.now, device),
        reach_ms=reach.reach_ms(told.way),
    )


class _Window:
    """The next tasks of a job, for the scheduler to go through once; ``seen`` are those it looked at."""

    def __init__(self, job: state.Job, most: int) -> None:
        self._tasks = islice(job.pending, most)
        self.seen: list[state.Task] = []

    def __iter__(self) -> Iterator[state.Task]:
        for task in self._tasks:
            self.seen.append(task)
            yield task


def _demand(job: state.Job, window: _Window) -> demand.Demand:
    return demand.Demand(
        priority=job.request.priority,
        age=(job.created, job.id),
        requirement=requirement(job.specification, job.plan.memory_bytes),
        specification=job.specification,
        size=_size,
        pending=window,
        left=len(job.pending),
        typical=_size(job.pending[0]),
        known=job.rates,
    )


def _size(task: demand.Candidate) -> tuple[int, int]:
    part = cast("state.Task", task).slice
    return part.items, part.shots


def _requeue(job: state.Job, window: list[state.Task]) -> None:
    """Take the leased ones out of the queue; those passed over go to its end, so none is starved."""
    last = max((n for n, task in enumerate(window) if task.status != "pending"), default=-1)
    for task in window[: last + 1]:
        job.pending.popleft()
        if task.status == "pending":
            job.pending.append(task)


def _lease(turn: Turn, task: state.Task, choice: demand.Choice) -> None:
    device = turn.state.devices[cast("DeviceName", choice.device)]
    job = task.job
    state.move(task, "lease")
    task.attempt += 1
    task.accepted = False
    task.leased_at = turn.now
    task.cost_ms = choice.cost_ms
    state.advance(task, 0.0)
    state.hold(device, task)
    if device.kind is not None:
        turn.state.pool.place(device.name, device.kind, holds=True)
    job.devices.add(device.name)
    job.waiting = ""
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
        memory = requirement(job.specification, memory).bytes_on(told)
        memory = max(memory, min(told.task_memory_bytes, kinds.useful_memory_bytes(job.specification)))
        limit_ms = min(limit_ms, told.task_time_ms)
    return payloads.Assign(
        task=task.id,
        attempt=task.attempt,
        job=job.id,
        work=kinds.encode(job.specification, task.slice),
        memory_bytes=memory,
        result_bytes=kinds.result_bytes(job.specification, task.slice),
        time_limit_ms=limit_ms,
        priority=job.request.priority,
        deadline=job.deadline,
    )


def start_resending(turn: Turn, device: state.Device) -> None:
    """Arm the device's resend timer unless it runs."""
    if device.resend_ms == 0:
        _arm(turn, device, _first_ms(turn, device))


def resend(turn: Turn, key: str) -> None:
    """Send again what the device has not answered; wait twice as long for the next time."""
    device = turn.state.devices[cast("DeviceName", key)]
    if turn.now < device.resend_at:
        return
    unknown = device.announcement is None
    due = device.connected and (device.unanswered > 0 or device.inventory_due or unknown)
    if not due or device.status != "online":
        device.resend_ms = 0
        return
    if unknown:
        turn.send(device.name, payloads.Ask("announcement"))
    if device.inventory_due:
        turn.send(device.name, payloads.Ask("inventory"))
    else:
        for task in device.held.values():
            if not task.accepted and task.leased_at + _first_ms(turn, device) <= turn.now:
                turn.send(device.name, assignment(device, task))
    _arm(turn, device, min(2 * device.resend_ms, max(turn.policy.resend_most_ms, device.resend_ms)))


def _first_ms(turn: Turn, device: state.Device) -> int:
    """How long an answer may take, with what its way takes for both messages."""
    way = way_of(device)
    return turn.policy.resend_first_ms + 2 * reach.batch_ms(way) + round(_ROUND_TRIPS * reach.latency_ms(way))


def _arm(turn: Turn, device: state.Device, wait_ms: int) -> None:
    device.resend_ms = wait_ms
    device.resend_at = Millis(turn.now + wait_ms)
    turn.state.timers.arm(device.resend_at, "resend", device.name)


def withdraw(turn: Turn, task: state.Task, reason: str) -> None:
    """Take a task from the device that holds it, if one does, and tell it."""
    if task.status in tables.TASK_HELD and task.device is not None:
        device = turn.state.devices[task.device]
        turn.state.release(device, task)
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
    calibration = cost.calibration_of(device.announcement, task.job.specification.capability)
    part = task.slice
    return kinds.rates(task.job.specification, calibration).cost_ms(part.items, part.shots)
