"""Following a job to its end, shared by ``run --watch`` and ``job``.

Ctrl-C ends the following, never the job.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from qfleet import errors
from qfleet.fleet import Fleet
from qfleet.render import progress, results, terminal
from qfleet_wire import api

INTERRUPTED = 130
"""What shells expect of a command that Ctrl-C ended."""


def finish(fleet: Fleet, job: str, *, top: int, json: bool) -> None:
    """Show progress until the job has finished, then its result.

    Raises:
        JobFailed: it ended without its whole result; what there is has been shown.
    """
    with _interruptible(job):
        detail = progress.follow(fleet.watch(job))
    if detail.job.status in {"succeeded", "partial"}:
        show_result(fleet.result(job), top=top, json=json)
    if detail.job.status != "succeeded":
        raise errors.JobFailed(detail)


def stream(fleet: Fleet, job: str) -> None:
    """Write each change of a job as a line of JSON until it has finished."""
    detail = None
    with _interruptible(job):
        for detail in fleet.watch(job):
            terminal.write_json(detail)
    if detail is not None and detail.job.status != "succeeded":
        terminal.say(str(errors.JobFailed(detail)))
        raise typer.Exit(errors.JobFailed.exit_code)


def show_result(view: api.ResultView, *, top: int, json: bool) -> None:
    """Show a result on stdout."""
    if json:
        terminal.write_json(view)
        return
    console = terminal.output()
    console.print(results.result(view, top=top, width=console.width))


@contextmanager
def _interruptible(job: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        terminal.say(f"Job {job} goes on. Watch it with `qfleet job watch {job}`,")
        terminal.say(f"or cancel it with `qfleet job cancel {job}`.")
        raise typer.Exit(INTERRUPTED) from None
