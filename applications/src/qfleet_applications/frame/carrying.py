"""Carries a study out for somebody at a terminal: priced first, then run, then written."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import msgspec
import typer

from qfleet import Fleet, JobRequest, PlanView
from qfleet.errors import UserError
from qfleet.render import plans, progress, terminal
from qfleet_applications.errors import TooLarge
from qfleet_applications.frame import giving_up, html, markdown, screen
from qfleet_applications.frame.desk import Desk, Progress
from qfleet_applications.frame.report import Report
from qfleet_applications.frame.study import Study

MOST_PRICED = 16
"""Jobs of a first round that are priced one by one; the others count as their average."""
Writer: TypeAlias = Callable[[Report, Path], None]
_WRITERS: dict[str, Writer] = {".md": markdown.write, ".html": html.write}


class Cost(msgspec.Struct, frozen=True):
    """What a study's first round would take."""

    title: str
    qubits: int
    jobs: int
    work_ms: float
    plans: tuple[PlanView, ...]


def carry_out(study: Study, *, plan: bool, json: bool, output: Path | None) -> None:
    """Price a study, and run it unless only its price is asked for. Who gives up gets the devices back.

    Raises:
        TooLarge: no device can hold it.
        UserError: the report cannot be written where it should be.
        Exit: it was given up.
    """
    write = _writer(output)
    with Fleet.from_configuration() as fleet, giving_up.raised():
        cost = price(fleet, study)
        if plan:
            _tell(cost, json=json)
            return
        terminal.say(_summary(cost), "dim")
        report = _ran(fleet, study, cost)
    _deliver(report, write, json=json, output=output)


def carry_out_here(conduct: Callable[[], Report], *, json: bool, output: Path | None) -> None:
    """Write the report of what needs no fleet, and asks none.

    Raises:
        UserError: the report cannot be written where it should be.
    """
    write = _writer(output)
    began = time.perf_counter()
    report = conduct()
    report = msgspec.structs.replace(report, seconds=time.perf_counter() - began)
    _deliver(report, write, json=json, output=output)


def _deliver(report: Report, write: Writer | None, *, json: bool, output: Path | None) -> None:
    if output is not None and write is not None:
        _written(write, report, output)
    if json:
        terminal.write_json(report)
    else:
        screen.show(report, terminal.output())


def _ran(fleet: Fleet, study: Study, cost: Cost) -> Report:
    with _bar(study.title if cost.jobs == 0 else "") as shown:
        desk = Desk(fleet, progress=shown)
        try:
            return conduct(study, desk)
        except giving_up.GivenUp as error:
            ending = error
    terminal.say(f"Given up: {_cancelled(desk)}.")
    raise typer.Exit(ending.exit_code)


def _cancelled(desk: Desk) -> str:
    if desk.left:
        return f"some jobs may still run, end them by `qfleet job cancel`: {', '.join(desk.left)}"
    number = len(desk.cancelled)
    return f"{number} job{' was' if number == 1 else 's were'} cancelled" if number else "no job was running"


def _written(write: Writer, report: Report, output: Path) -> None:
    try:
        write(report, output)
    except OSError as error:
        hint = "its jobs have run: `qfleet job list` has them"
        raise UserError(f"--output {str(output)!r} cannot be written: {error}", hint=hint) from error
    terminal.say(f"The report is in {output}.")


def conduct(study: Study, desk: Desk) -> Report:
    """Run a study at a desk; the report says which jobs that took."""
    began = time.perf_counter()
    report = study.conduct(desk)
    return msgspec.structs.replace(report, jobs=desk.jobs, seconds=time.perf_counter() - began)


def price(fleet: Fleet, study: Study) -> Cost:
    """What a study's first round would take.

    Raises:
        TooLarge: no device can hold one of its jobs.
        Refused: the control plane says why one of them cannot be.
    """
    requests = study.requests()
    found = tuple(_priced(fleet, study, request) for request in requests[:MOST_PRICED])
    work = sum(view.work_ms for view in found) * (len(requests) / len(found) if found else 1.0)
    return Cost(study.title, study.qubits, len(requests), work, found)


def _priced(fleet: Fleet, study: Study, request: JobRequest) -> PlanView:
    # one that is too wide for any device is refused with its number of qubits by the control plane itself
    view = fleet.plan(request)
    lacking = [device.lacks for device in view.devices if device.lacks]
    if view.devices and len(lacking) == len(view.devices):
        hint = "give a smaller problem, or join a larger device with the engines that it needs"
        needs = f"{study.title}: the job {request.name!r} needs {study.qubits} qubits"
        raise TooLarge(f"{needs}; no device can run it: {lacking[0]}", qubits=study.qubits, hint=hint)
    return view


def _writer(output: Path | None) -> Writer | None:
    if output is None:
        return None
    writer = _WRITERS.get(output.suffix.lower())
    if writer is None:
        raise UserError(f"--output {str(output)!r} is of no kind known", hint="let it end in .md or .html")
    if not output.parent.is_dir():
        raise UserError(f"--output: there is no folder {str(output.parent)!r}", hint="make it first")
    # before hours of work, not after them
    if output.is_dir() or not os.access(output if output.exists() else output.parent, os.W_OK):
        raise UserError(f"--output {str(output)!r} cannot be written", hint="give a file that can be")
    return writer


def _summary(cost: Cost) -> str:
    if cost.jobs == 0:
        return f"{cost.title}: no job for the fleet, it is computed on this machine."
    width = f", the widest of {cost.qubits} qubits" if cost.qubits else ""
    jobs = f"{cost.jobs} job{'' if cost.jobs == 1 else 's'}"
    return f"{cost.title}: {jobs} to begin with{width}, about {plans.duration(cost.work_ms)} of work."


def _tell(cost: Cost, *, json: bool) -> None:
    if json:
        terminal.write_json(cost)
        return
    terminal.output().print(terminal.printable(_summary(cost)))
    if cost.plans:
        terminal.output().print(plans.plan(cost.plans[0]))


@contextmanager
def _bar(label: str) -> Iterator[Progress]:
    """A bar with ``label`` until it is told more: it only moves where nobody knows how far things are."""
    with progress.bars() as shown:
        line = shown.add_task(terminal.printable(label), total=None if label else 1.0, state="")

        def tell(label: str, share: float) -> None:
            shown.update(line, description=terminal.printable(label), total=1.0, completed=share)

        yield tell
