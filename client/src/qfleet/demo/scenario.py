"""The demo from start to end: start the site, run the jobs, compare, stop everything.

However it ends, by itself, by an error, by Ctrl-C or by SIGTERM, no process stays unless ``keep``
was asked for and all went well.
"""

import time

import typer
from rich.progress import Progress

from qfleet import errors
from qfleet.demo import exercises, interruptions, processes, report, site
from qfleet.demo.directory import Directory
from qfleet.fleet import Fleet
from qfleet.render import progress, terminal
from qfleet_wire import api

_STEP_S = 0.1
_INTERRUPTED = 130


def run(directory: Directory, *, keep: bool, json: bool) -> bool:
    """Run the whole demo and tell whether all results agree with the exact values."""
    began = time.monotonic()
    family = processes.Family(directory.record)
    with directory.claimed(), interruptions.raised():
        _stop_earlier(directory)
        directory.clear()
        kept = False
        try:
            place, outcomes = _main_job(directory, family)
            kept = keep and all(outcome.agrees for outcome in outcomes)
        except KeyboardInterrupt:
            terminal.say("Interrupted; stopping everything.")
            raise typer.Exit(_INTERRUPTED) from None
        except errors.DemoFailed as error:
            terminal.say(directory.tail(error.log), "dim")
            raise
        finally:
            if not kept:
                with interruptions.deferred():
                    family.stop()
    told = report.Report(outcomes, time.monotonic() - began, directory.path)
    told.show(place if kept else None, json=json)
    return told.agrees


def stop(directory: Directory, *, json: bool) -> None:
    """Stop what an earlier demo left running in ``directory``."""
    with directory.claimed(), interruptions.raised():
        stopped = processes.stop_recorded(directory.record)
    if json:
        terminal.write_json({"stopped": stopped})
    else:
        terminal.say(f"Stopped {stopped} processes." if stopped else "Nothing of a demo was running.")


def _stop_earlier(directory: Directory) -> None:
    if stopped := processes.stop_recorded(directory.record):
        terminal.say(f"Stopped {stopped} processes that an earlier demo had left running.")


def _main_job(directory: Directory, family: processes.Family) -> tuple[site.Site, list[report.Outcome]]:
    with progress.bars() as shown:
        line = shown.add_task("site", total=None, state="")
        place = site.start(directory, family, lambda text: shown.update(line, state=text))
        shown.update(line, total=1, completed=1, state=f"online: {', '.join(site.DEVICES)}")
        with place.connect() as fleet:
            jobs = [(exercise, fleet.submit(exercise.request)) for exercise in exercises.all_of_them()]
            details = _follow(fleet, family, [job for _, job in jobs], shown)
            outcomes = [
                report.Outcome(exercise, detail, fleet.result(detail.job.id))
                for (exercise, _), detail in zip(jobs, details, strict=True)
            ]
    return place, outcomes


def _follow(
    fleet: Fleet, family: processes.Family, jobs: list[api.JobView], shown: Progress
) -> list[api.JobDetail]:
    """Show the progress of all jobs until all have finished."""
    lines = {job.id: shown.add_task(job.name, total=1.0, state=progress.state(job)) for job in jobs}
    finished: dict[str, api.JobDetail] = {}
    while len(finished) < len(jobs):
        family.check()
        for job in jobs:
            if job.id in finished:
                continue
            detail = fleet.job(job.id, wait_s=_STEP_S)
            progress.show(shown, lines[job.id], detail)
            if detail.job.status in api.FINISHED:
                finished[job.id] = detail
                if detail.job.status != "succeeded":
                    raise errors.JobFailed(detail)
    return [finished[job.id] for job in jobs]
