"""``qfleet job``: list, show, watch, cancel, result."""

import time
from typing import Annotated, get_args

import typer

from qfleet import errors
from qfleet.command import following, options, outcome, written
from qfleet.fleet import Fleet
from qfleet.render import tables, terminal
from qfleet_wire import api

application = typer.Typer(help="See, follow and cancel jobs.", no_args_is_help=True)


@application.command("list")
@outcome.reported
def list_jobs(
    *,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many, the newest first.")] = 20,
    status: Annotated[str | None, typer.Option(help=f"One of {', '.join(get_args(api.JobStatus))}.")] = None,
    json: options.Json = False,
) -> None:
    """List jobs."""
    with Fleet.from_configuration() as fleet:
        views = fleet.jobs(limit=limit, status=_status(status))
    if json:
        terminal.write_json(views)
    elif views:
        terminal.output().print(tables.jobs(views, now_ms=_now()))
    else:
        terminal.say("No such job; `qfleet run FILE.qasm` submits one.")


@application.command("show")
@outcome.reported
def show(job: options.JobArgument, *, json: options.Json = False) -> None:
    """Show a job, its plan and its tasks."""
    with Fleet.from_configuration() as fleet:
        detail = fleet.job(job)
    if json:
        terminal.write_json(detail)
        return
    console = terminal.output()
    console.print(tables.job(detail, now_ms=_now()))
    console.print()
    console.print(tables.tasks(detail.tasks))


@application.command("watch")
@outcome.reported
def watch(job: options.JobArgument, *, top: options.Top = 16, json: options.Json = False) -> None:
    """Follow a job until it has finished, then show its result (with --json: each change as a line)."""
    with Fleet.from_configuration() as fleet:
        if json:
            following.stream(fleet, job)
        else:
            following.finish(fleet, job, top=top, json=False)


@application.command("cancel")
@outcome.reported
def cancel(job: options.JobArgument, *, json: options.Json = False) -> None:
    """Cancel a job."""
    with Fleet.from_configuration() as fleet:
        view = fleet.cancel(job)
    if json:
        terminal.write_json(view)
    else:
        terminal.say(f"Job {view.id} is {view.status}.")


@application.command("result")
@outcome.reported
def result(
    job: options.JobArgument,
    *,
    top: options.Top = 16,
    provenance: options.ProvenanceFile = None,
    json: options.Json = False,
) -> None:
    """Show the result of a finished job."""
    with Fleet.from_configuration() as fleet:
        if provenance is not None:
            written.write(provenance, fleet.provenance(job))
            terminal.say(f"Its provenance is in {provenance}; check it with `qfleet verify {provenance}`.")
        following.show_result(fleet.result(job), top=top, json=json)
        if (detail := fleet.job(job)).job.status != "succeeded" and not json:
            raise errors.JobFailed(detail)


def _status(text: str | None) -> api.JobStatus | None:
    for status in get_args(api.JobStatus):
        if text == status:
            return status  # type: ignore[no-any-return]  # get_args forgets the literals
    if text is None:
        return None
    raise errors.UserError(
        f"{text!r} is not a status of a job", hint=f"use one of {', '.join(get_args(api.JobStatus))}"
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
