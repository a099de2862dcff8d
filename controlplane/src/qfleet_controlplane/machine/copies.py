"""Copies of a task that go to different devices, until enough of their results agree.

A copy is a task of its own, with its own lease and its own stored result: what is acknowledged is durable,
whoever leads the region next. A job's copies of one slice stand side by side in its plan and belong to one
region together. ``look`` decides about them whenever one has changed; all that it goes by can be read from
the store again.
"""

import itertools
from collections.abc import Iterable

from qfleet_controlplane.machine import effects, endings, events, history, leases, state, tables, trusting
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.planning import needs, quorum
from qfleet_wire.names import DeviceName


def look(turn: Turn, task: state.Task) -> None:
    """Decide about the copies beside which this one stands, after one has changed."""
    group = task.group
    if group is None or group.over:
        return
    answered = [copy for copy in group.tasks.values() if copy.status == "answered"]
    open_pairs = [pair for pair in itertools.combinations(answered, 2) if group.relation(*pair) is None]
    if open_pairs:
        _weigh(turn, task.job, {copy.position: copy for pair in open_pairs for copy in pair}.values())
        return
    verdict = quorum.judge(
        task.job.specification.agree,
        sorted(copy.position for copy in answered),
        group.differ,
        under_way=sum(copy.status in tables.TASK_OPEN for copy in group.tasks.values()),
        spare=sum(copy.status == "spare" for copy in group.tasks.values()),
    )
    match verdict:
        case quorum.Agreed():
            _agree(turn, group, verdict)
        case quorum.Hopeless():
            _give_up(turn, group, f"only {verdict.largest} of its results agree")
        case quorum.Wait(call):
            _call(turn, group, call)


def weighed(turn: Turn, event: events.Weighed) -> None:
    """Take in how results compare; what has changed meanwhile is left out."""
    job = turn.state.jobs.get(event.job)
    if job is None:
        return
    touched: dict[int, state.Task] = {}
    for found in event.found:
        one, other = (turn.state.tasks.get(state.task_id(job.id, at)) for at in (found.first, found.second))
        if one is None or other is None or one.group is None or one.group is not other.group:
            continue
        if (one.digest, other.digest) == (found.first_digest, found.second_digest):
            one.group.note(found.first, found.second, state.Relation(found.difference, found.exact))
            touched[one.group.index] = one
    for task in touched.values():
        look(turn, task)


def resume(turn: Turn, job: state.Job) -> None:
    """Look at all copies of a job that was loaded."""
    for group in list(job.groups.values()):
        look(turn, next(iter(group.tasks.values())))


def take_answers_back(turn: Turn, device: DeviceName) -> None:
    """Drop the results of a device that wait for agreement, and ask others."""
    for job in list(turn.state.jobs.values()):
        for task in job.tasks if job.groups else ():
            if task.status == "answered" and task.device == device:
                _redo(turn, task)


def give_up_stuck(turn: Turn, job: state.Job) -> None:
    """End the copies of tasks that are in dispute when no other device is left that could decide."""
    for group in list(job.groups.values()):
        if group.disputed and not group.over:
            _give_up_if_stuck(turn, group)


def _give_up_if_stuck(turn: Turn, group: state.Group) -> None:
    waiting = [copy for copy in group.tasks.values() if copy.status == "pending"]
    held = any(copy.status in tables.TASK_HELD for copy in group.tasks.values())
    if waiting and not held and not any(_somebody(turn, copy) for copy in waiting):
        _give_up(turn, group, "no further device is left that could decide")


def _somebody(turn: Turn, task: state.Task) -> bool:
    """Whether a device here could be given a copy, sooner or later."""
    needed = leases.requirement(task.job.specification, task.job.plan.memory_bytes)
    barred = task.barred
    return any(
        device.name not in barred
        and (device.announcement is None or needs.lacks(needed, device.announcement) is None)
        for device in turn.state.devices.values()
        if device.status not in tables.OUT_OF_SERVICE
        and device.status not in {"lost", "invited"}
        and not (device.status == "quarantined" and device.record.accused)
    )


def _weigh(turn: Turn, job: state.Job, copies: Iterable[state.Task]) -> None:
    wanted = []
    for copy in copies:
        device = None if copy.device is None else turn.state.devices.get(copy.device)
        told = None if device is None else device.announcement
        wanted.append(effects.Weighing(copy.position, copy.digest or b"", told.machine if told else ""))
    turn.effects.append(effects.Weigh(turn.cause, job.id, tuple(wanted)))


def _agree(turn: Turn, group: state.Group, verdict: quorum.Agreed) -> None:
    members = [group.tasks[at] for at in verdict.members]
    for copy in members:
        state.move(copy, "succeed")
        turn.save_task(copy)
        trusting.right(turn, copy.device)
    for at in (*verdict.outvoted, *verdict.doubtful):
        copy = group.tasks[at]
        reason = f"{copy.device} contradicts {_names(members)}: {group.difference(copy, members[0])}"
        _reject(turn, copy, reason)
        turn.effects.append(effects.Alarm(turn.cause, "disagreement", copy.id, reason))
        if at in verdict.outvoted:
            exact = any(group.exact(copy, member) for member in members)
            trusting.wrong(turn, copy.device, exact=exact)
    _dismiss(turn, group, "enough devices agree")
    endings.settle_end(turn, members[0].job)


def _give_up(turn: Turn, group: state.Group, why: str) -> None:
    """Fail a task of which not enough results can agree, and say who said what."""
    first = next(iter(group.tasks.values()))
    job, specification = first.job, first.job.specification
    told = "; ".join(_sayings(group)) or "no result came"
    message = (
        f"task {first.id}: {specification.agree} of at most {specification.copies} devices must agree, but "
        f"{why}: {told}"
    )
    if any(copy.status == "answered" for copy in group.tasks.values()) and group.contradicted:
        turn.effects.append(effects.Alarm(turn.cause, "disagreement", first.id, history.shortened(message)))
    for copy in group.tasks.values():
        if copy.status == "answered":
            _reject(turn, copy, why)
        elif copy.status in tables.TASK_OPEN:
            _end_open(turn, copy, "fail", why)
            copy.errors = history.add(copy.errors, why)
            turn.save_task(copy)
    _dismiss(turn, group, why)
    endings.note_error(job, message)
    turn.changed[job.id] = job
    endings.settle_end(turn, job)


def _sayings(group: state.Group) -> list[str]:
    """What each device said, those that agree together, and what happened to the other copies."""
    answered = [copy for copy in group.tasks.values() if copy.status == "answered"]
    told: list[str] = []
    camps: list[list[state.Task]] = []
    for copy in answered:
        home = next((camp for camp in camps if not any(group.differ_tasks(copy, one) for one in camp)), None)
        if home is None:
            camps.append([copy])
        else:
            home.append(copy)
    told.extend(
        f"{_names(camp)} {'says' if len(camp) == 1 else 'say'} {(camp[0].digest or b'').hex()[:12]}"
        for camp in camps
    )
    told.extend(
        f"{one.device} and {other.device}: {difference}"
        for one, other in itertools.combinations(answered, 2)
        if (difference := group.difference(one, other)) is not None
    )
    told.extend(error for copy in group.tasks.values() if copy.status != "answered" for error in copy.errors)
    return told


def _names(copies: Iterable[state.Task]) -> str:
    return " and ".join(str(copy.device) for copy in copies)


def _call(turn: Turn, group: state.Group, number: int) -> None:
    """Give out spare copies."""
    spare = [copy for copy in group.tasks.values() if copy.status == "spare"]
    for copy in spare[:number]:
        turn.state.call(copy)
        turn.save_task(copy)
    if number and group.disputed:
        _give_up_if_stuck(turn, group)


def _redo(turn: Turn, task: state.Task) -> None:
    task.errors = history.add(
        task.errors, f"attempt {task.attempt} on {task.device}: its result was dropped with its device"
    )
    group = task.group
    assert group is not None
    group.forget(task.position)
    state.move(task, "redo")
    task.digest = None
    state.advance(task, 0.0)
    turn.effects.append(effects.DropResult(turn.cause, task.id))
    turn.state.enqueue(task, first=True)
    turn.save_task(task)
    look(turn, task)


def _reject(turn: Turn, task: state.Task, reason: str) -> None:
    state.move(task, "reject")
    task.errors = history.add(task.errors, reason)
    turn.save_task(task)


def _dismiss(turn: Turn, group: state.Group, reason: str) -> None:
    for copy in group.tasks.values():
        if copy.status == "spare":
            state.move(copy, "dismiss")
            turn.save_task(copy)
        elif copy.status in tables.TASK_OPEN:
            _end_open(turn, copy, "dismiss", reason)
            state.advance(copy, 1.0)
            turn.save_task(copy)


def _end_open(turn: Turn, task: state.Task, action: str, reason: str) -> None:
    if task.status == "pending":
        task.job.pending.remove(task)
    else:
        leases.withdraw(turn, task, reason)
    state.move(task, action)
