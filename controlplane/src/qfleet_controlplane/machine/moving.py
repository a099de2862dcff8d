"""Looks every two seconds whether what waits here should wait here.

Tasks that no device here can run go to a region that can; so does part of what waits here while
another region is far ahead. What nobody can run is said, not hidden: the job tells why it waits.
"""

from collections.abc import Sequence
from typing import NamedTuple

from qfleet_controlplane.machine import attempts, census, copies, events, leases, shares, state, tables
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.planning import admission, needs, rebalance, regions
from qfleet_wire.names import Millis

_MOST_REFUSED = 64
"""Refused tasks that one look asks about: each costs a look at every device."""


class _Group(NamedTuple):
    """Tasks of a job that wait for the same reason."""

    job: state.Job
    tasks: list[state.Task]
    stranded: str


def look(turn: Turn, event: events.Rebalance) -> None:
    """Move what should be moved; say of the rest why it waits, if it can only wait."""
    known = turn.state
    known.elsewhere = tuple(each for each in event.facts if each.name != event.region and not each.stale)
    jobs = [job for job in known.jobs.values() if job.pending]
    if not jobs:
        return
    here = census.facts(known, regions.Description(event.region), turn.now)
    usable = _usable_kinds(turn) if here.reachable else None
    groups: dict[str, _Group] = {}
    for job in jobs:
        _note_stranded(turn, job, usable)
        _note_waiting(turn, job, here)
        groups.update(_groups(turn, job, event.region))
    waiting = [_waiting(key, group) for key, group in groups.items()]
    for move in rebalance.decide(here, known.elsewhere, waiting):
        _carry_out(turn, groups[move.key], move, event.region)
    for group in groups.values():
        _end_refused(turn, group)


def _usable_kinds(turn: Turn) -> list[regions.DeviceClass]:
    """Classes of the devices that are there now, busy or not."""
    kinds = {}
    for device in turn.state.devices.values():
        if device.connected and device.status == "online":
            kind = turn.state.kind_of(device)
            if kind is not None:
                kinds[id(kind)] = kind
    return list(kinds.values())


def _note_stranded(turn: Turn, job: state.Job, usable: Sequence[regions.DeviceClass] | None) -> None:
    """Note since when no device can be given its tasks; ``usable`` is None while none can be reached."""
    if usable is None:
        # Devices come back some time after their broker: they are waited for from then on.
        job.stranded_since = None
        return
    requirement = leases.requirement(job.specification, job.plan.memory_bytes)
    if any(needs.lacks(requirement, kind) is None for kind in usable):
        job.stranded_since = None
    elif job.stranded_since is None:
        job.stranded_since = Millis(max(turn.now, turn.state.began + turn.policy.return_ms))


def _note_waiting(turn: Turn, job: state.Job, here: regions.RegionFacts) -> None:
    """Say of a job that no device here can ever run that it waits for one, and take that back."""
    requirement = leases.requirement(job.specification, job.plan.memory_bytes)
    reason = "" if here.reachable else f"the broker of {here.name} cannot be reached"
    if here.classes and not regions.able(here, requirement):
        nearest = admission.lack(here, requirement)
        reason = f"no device of {here.name} can run {len(job.pending):,} of its tasks: {nearest}"
    if reason != job.waiting:
        job.waiting = reason
        turn.save_job(job)


def _groups(turn: Turn, job: state.Job, here: str) -> dict[str, _Group]:
    """The tasks that may be moved: those that every device here has refused, and the others."""
    if job.groups:
        copies.give_up_stuck(turn, job)
        return _whole_groups(turn, job, here)
    refused = [task for task in job.pending if task.excluded][:_MOST_REFUSED]
    refused = [task for task in refused if attempts.nobody_left(turn, task)]
    groups: dict[str, _Group] = {}
    if refused:
        groups[f"{job.id} refused"] = _Group(job, refused, f"every device of {here} has refused them")
    if turn.state.elsewhere:
        apart = {task.id for task in refused}
        others = [task for task in job.pending if task.id not in apart and _may_move(turn, task)]
        if others:
            groups[job.id] = _Group(job, others, _stranded(turn, job, here))
    return groups


def _whole_groups(turn: Turn, job: state.Job, here: str) -> dict[str, _Group]:
    """Of the copies of a task that no device has yet, the first: all of them move, or none."""
    if not turn.state.elsewhere or job.status in tables.JOB_OVER:
        return {}
    whole = [next(iter(group.tasks.values())) for group in job.groups.values() if group.untouched]
    others = [task for task in whole if _may_move(turn, task)]
    return {job.id: _Group(job, others, _stranded(turn, job, here))} if others else {}


def _stranded(turn: Turn, job: state.Job, here: str) -> str:
    away = turn.state.link_down_since
    if away is not None:
        if turn.now - away < turn.policy.stranded_ms:
            return ""
        return f"the broker of {here} could not be reached for {(turn.now - away) / 1000:.0f} s"
    since = job.stranded_since
    if since is None or turn.now - since < turn.policy.stranded_ms:
        return ""
    return f"no device of {here} could run them for {(turn.now - since) / 1000:.0f} s"


def _may_move(turn: Turn, task: state.Task) -> bool:
    return task.arrived == 0 or task.arrived + turn.policy.stay_ms <= turn.now


def _waiting(key: str, group: _Group) -> rebalance.Waiting:
    job, part = group.job, group.tasks[0].slice
    return rebalance.Waiting(
        key=key,
        requirement=leases.requirement(job.specification, job.plan.memory_bytes),
        specification=job.specification,
        residency=job.request.residency,
        tasks=len(group.tasks),
        items=part.items,
        shots=part.shots,
        stranded=group.stranded,
    )


def _carry_out(turn: Turn, group: _Group, move: rebalance.Move, here: str) -> None:
    """Take the tasks that would be leased last."""
    first = group.tasks[-move.tasks :]
    del group.tasks[-move.tasks :]
    tasks = [copy for task in first for copy in ([task] if task.group is None else task.group.tasks.values())]
    noun = "task" if len(tasks) == 1 else "tasks"
    sentence = f"{len(tasks):,} {noun} moved from {here} to {move.to}: {move.reason}."
    shares.leave(turn, group.job, tasks, move.to, sentence)


def _end_refused(turn: Turn, group: _Group) -> None:
    """Fail what everybody has refused, here and wherever else it might have run."""
    for task in group.tasks:
        if task.excluded and not attempts.able_elsewhere(turn, task) and attempts.nobody_left(turn, task):
            attempts.give_up(turn, task)
