"""How jobs end: when the last task is over, or at once when they are cancelled."""

from qfleet_controlplane.machine import history, state, tables
from qfleet_controlplane.machine.turn import Turn


def settle_end(turn: Turn, job: state.Job) -> None:
    """Finish a job when its last task is over."""
    over = sum(job.counts.get(status, 0) for status in tables.TASK_OVER)
    if over < len(job.tasks) or job.status in tables.JOB_OVER:
        return
    succeeded = job.achieved
    if succeeded == job.wanted:
        close(turn, job, "succeed")
    else:
        close(turn, job, "split" if succeeded else "fail")


def note_error(job: state.Job, error: str) -> None:
    """Keep a distinct error of a job's tasks, or count it."""
    job.errors[:] = history.add(tuple(job.errors), error)


def close(turn: Turn, job: state.Job, action: str) -> None:
    """Take a job's last step, and forget the job."""
    job.status = tables.step(tables.JOB, job.status, action)
    job.finished = turn.now
    turn.save_job(job)
    turn.state.drop(job)
