"""A job's progress as a live line on stderr."""

from collections.abc import Iterable

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from qfleet.render import tables, terminal
from qfleet_wire import api


def bars() -> Progress:
    """Bars with a description, the time so far, and a word on the tasks."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}", style="dim", markup=False),
        console=terminal.messages(),
    )


def follow(changes: Iterable[api.JobDetail]) -> api.JobDetail:
    """Show a job's changes until they end and return the last one."""
    last: api.JobDetail | None = None
    with bars() as shown:
        line = shown.add_task("job", total=1.0, state="")
        for last in changes:
            show(shown, line, last)
    assert last is not None
    return last


def show(shown: Progress, line: int, detail: api.JobDetail) -> None:
    """Bring one line of ``shown`` up to date."""
    job = detail.job
    shown.update(
        line,  # type: ignore[arg-type]  # rich's TaskID is an int
        description=terminal.printable(job.name or job.id),
        completed=1.0 if job.status == "succeeded" else job.progress,
        state=state(job),
    )


def state(job: api.JobView) -> str:
    """What to say beside a bar: status, tasks, devices."""
    devices = f" on {', '.join(job.devices)}" if job.devices else ""
    return terminal.printable(f"{job.status}: {tables.counts(job.tasks)}{devices}")
