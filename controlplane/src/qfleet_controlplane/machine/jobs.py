"""Jobs: taken in and planned, cancelled, and expired."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from qfleet_controlplane.machine import endings, events, leases, probing, state, tables
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.planning import cost, kinds, methods, needs, plan
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire.names import JobId, Millis

_TOLD = 5
"""Devices named when none can run a job: a large fleet would fill the screen."""


def submit(turn: Turn, event: events.JobSubmitted) -> None:
    """Plan a job and take it in; raise ``plan.PlanRefused`` before anything has changed."""
    specification, planned = settled(turn.state, event)
    job = state.Job(event.job, event.request, specification, planned, turn.now)
    job.placement = list(event.placement)
    job.tasks = state.planned(job, range(len(planned.slices)))
    turn.state.add(job)
    if event.request.deadline_s is not None:
        job.deadline = Millis(turn.now + int(event.request.deadline_s * 1000))
    watch_deadline(turn, job)
    turn.save_job(job, created=True)
    for task in job.tasks:
        turn.save_task(task)
    turn.audit(event.who, "job.submit", job.id, f"{event.request.kind}, {plan.many(len(job.tasks), 'task')}")
    probing.mix_in(turn, job)


def settled(known: state.State, event: events.JobSubmitted) -> tuple[Specification, plan.Plan]:
    """What a job is after all, and its plan; made here unless the job comes with one.

    Raises:
        plan.PlanRefused: it cannot be planned, or no device could ever run it.
    """
    if event.plan is not None:
        return event.specification, event.plan
    specification = methods.choose(event.specification, _devices(known))
    _check_possible(known, specification)
    return specification, kinds.plan(specification, fleet_for(known, specification))


def _devices(known: state.State) -> Iterator[methods.Device]:
    """All devices in service that have said what they can do."""
    for device in known.devices.values():
        if device.status not in {"revoked", "retired"} and device.announcement is not None:
            yield methods.Device(device.announcement, device.status == "online")


def _check_possible(fleet: state.State, specification: Specification) -> None:
    """Refuse what no device of the fleet can ever run, rather than let it wait without end.

    A silent, lost or quarantined device may come back, so it counts. While no device has said what
    it can do nothing is known, and the job waits.
    """
    requirement = leases.requirement(specification, kinds.memory_bytes(specification))
    known = {
        device.name: device.announcement
        for device in fleet.devices.values()
        if device.status not in {"revoked", "retired"} and device.announcement is not None
    }
    able = (name for name, told in known.items() if needs.lacks(requirement, told) is None)
    found = len(list(islice(able, requirement.devices)))
    if not known or found >= requirement.devices:
        return  # the first able ones are found at once; only a refusal looks at all of them
    silent = sum(
        device.announcement is None and device.status not in {"invited", *tables.OUT_OF_SERVICE}
        for device in fleet.devices.values()
    )
    if requirement.devices > 1 and found + silent >= requirement.devices:
        return  # who has not said yet what it can do may be able
    if found:
        message = f"{requirement.devices} devices must agree, but only {found} of this fleet can run the job"
        raise plan.PlanRefused(message, f"ask for agree = {found}, or enrol further devices that can run it")
    # The largest are named: they say how far the job would have to shrink.
    largest = sorted(known, key=lambda name: (known[name].max_qubits, known[name].task_memory_bytes))
    reasons = needs.explain(requirement, {name: known[name] for name in largest[-_TOLD:]})
    if len(known) > _TOLD:
        reasons.append(f"and {len(known) - _TOLD:,} more")
    message = f"no device of this fleet can run the job: {'; '.join(reasons)}"
    raise plan.PlanRefused(message, "make the job smaller, or enrol a device that can run it")


def fleet_for(known: state.State, specification: Specification) -> plan.Fleet:
    """Count the online devices that can run a job, and their typical speed for it."""
    requirement = leases.requirement(specification, kinds.memory_bytes(specification))
    counts: dict[int, list[Any]] = {}
    for device in known.devices.values():
        kind = known.kind_of(device) if device.status == "online" else None
        if kind is not None:
            counts.setdefault(id(kind), [kind, 0])[1] += 1
    able = [(kind, count) for kind, count in counts.values() if needs.lacks(requirement, kind) is None]
    weighed = [
        (kinds.rates(specification, cost.calibration_of(kind, specification.capability)), count)
        for kind, count in able
    ]
    return plan.Fleet(
        sum(count for _, count in able),
        sum(kind.workers * count for kind, count in able),
        cost.median(weighed) if weighed else kinds.rates(specification),
    )


def cancel(turn: Turn, event: events.JobCancelled) -> None:
    """Cancel what is not over; a finished job is left as it is."""
    job = turn.state.jobs.get(event.job)
    if job is None:
        return
    told = f"cancelled by {event.who}" + (f": {event.reason}" if event.reason else "")
    turn.audit(event.who, "job.cancel", job.id, event.reason)
    stop(turn, job, told)


def stop(turn: Turn, job: state.Job, reason: str) -> None:
    """Cancel all that is not over of a job here."""
    end_tasks(turn, job, "cancel", reason)
    job.errors.append(reason)
    endings.close(turn, job, "cancel")


def watch_deadline(turn: Turn, job: state.Job) -> None:
    """Look at the job again when its deadline comes, if it has one."""
    if job.deadline is not None:
        turn.state.timers.arm(job.deadline, "deadline", job.id)


def deadline(turn: Turn, key: str) -> None:
    """Expire what is not over when a job's deadline has come."""
    job = turn.state.jobs.get(JobId(key))
    if job is not None:
        job.errors.append("the job's deadline passed")
        end_tasks(turn, job, "expire", "the job's deadline passed")
        endings.settle_end(turn, job)


def end_tasks(turn: Turn, job: state.Job, action: str, reason: str) -> None:
    """Bring every open task of a job to its end and tell the devices that hold some."""
    job.pending.clear()
    for task in job.tasks:
        if task.status in tables.TASK_OVER:
            continue
        leases.withdraw(turn, task, reason)
        state.move(task, action)
        turn.save_task(task)


def estimate_held(turn: Turn, job: state.Job) -> None:
    """Put the estimates of a loaded job's held tasks back into the devices' books."""
    for task in job.tasks:
        if task.status in tables.TASK_HELD and task.device is not None:
            device = turn.state.devices[task.device]
            task.cost_ms = leases.estimate(device, task)
            device.backlog_ms += task.cost_ms
