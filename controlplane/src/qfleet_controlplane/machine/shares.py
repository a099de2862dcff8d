"""Tasks that come to this region and that leave it: the machine's side of moving work.

A task belongs to one region at a time, and only that region's machine decides about it. What leaves is
forgotten in the commit that gives it away; what arrives is taken as the store has it. A task that has
come stays for a while, so that none travels without end.
"""

from dataclasses import replace

from qfleet_controlplane.machine import effects, endings, events, jobs, probing, state, tables
from qfleet_controlplane.machine.turn import Turn


def arrive(turn: Turn, event: events.ShareArrived) -> None:
    """Take in tasks that are this region's now; those known already are left alone."""
    told = event.job
    fresh = [task for task in told.tasks if task.id not in turn.state.tasks]
    if not any(task.status not in tables.TASK_OVER for task in fresh):
        return
    known = turn.state.jobs.get(told.id)
    job = known or _opened(turn, told)
    taken = [replace(task, job=job, arrived=turn.now) for task in fresh]
    turn.state.extend(job, taken)
    turn.save_job(job)
    turn.audit("controlplane", "job.arrive", job.id, f"{len(taken)} tasks")
    if known is None and event.cancelled is None:
        probing.mix_in(turn, job)
    reason = event.cancelled
    if reason is None and told.status == "cancelled":
        reason = "the job was cancelled before these tasks came"
    if reason is not None:
        jobs.stop(turn, job, reason)


def _opened(turn: Turn, told: state.Job) -> state.Job:
    """The job as it was stored, without its tasks; a share that had ended is open again."""
    status = told.status
    if status in tables.JOB_OVER:
        status = tables.step(tables.JOB, status, "reopen")
    job = replace(told, tasks=[], status=status, finished=None)
    turn.state.add(job)
    jobs.watch_deadline(turn, job)
    return job


def leave(turn: Turn, job: state.Job, tasks: list[state.Task], to: str, sentence: str) -> None:
    """Give pending tasks of a job to another region and forget them."""
    for task in tasks:
        state.move(task, "move")
    turn.state.part(job, tasks)
    job.placement.append(sentence)
    turn.effects.append(effects.MoveTasks(turn.cause, job, tuple(tasks), to))
    turn.save_job(job)
    turn.audit("controlplane", "job.move", job.id, sentence)
    endings.settle_end(turn, job)


def done(turn: Turn, order: int) -> None:
    """Note that an order is carried out, and delete it with this commit."""
    turn.state.orders[order] = None
    while len(turn.state.orders) > _REMEMBERED:
        del turn.state.orders[next(iter(turn.state.orders))]
    turn.effects.append(effects.OrderDone(turn.cause, order))


_REMEMBERED = 10_000
"""Orders known to be done: one that was read before its deletion must not be carried out again."""
