"""Carries a study out for somebody at a terminal: priced first, then run, then written."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import msgspec
import typer
from rich.markdown import Markdown

from qfleet import Fleet, JobRequest, PlanView
from qfleet.command.following import INTERRUPTED
from qfleet.errors import UserError
from qfleet.render import plans, progress, terminal
from qfleet_applications.errors import TooLarge
from qfleet_applications.frame import html, markdown
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
    """Price a study, and run it unless only its price is asked for.

    Raises:
        TooLarge: no device can hold it.
        UserError: the report cannot be written where it should be.
    """
    write = _writer(output)
    with _interruptible(), Fleet.from_configuration() as fleet:
        cost = price(fleet, study)
        if plan:
            _tell(cost, json=json)
            return
        terminal.say(_summary(cost), "dim")
        with _bar() as shown:
            desk = Desk(fleet, progress=shown)
            report = conduct(study, desk)
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
        write(report, output)
        terminal.say(f"The report is in {output}.")
    if json:
        terminal.write_json(report)
    else:
        terminal.output().print(Markdown(terminal.printable(markdown.text(report))))


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
    return writer


def _summary(cost: Cost) -> str:
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
def _interruptible() -> Iterator[None]:
    """Say what Ctrl-C did: the desk has cancelled what ran by the time that it gets here."""
    try:
        yield
    except KeyboardInterrupt:
        terminal.say("Interrupted: the jobs that had not ended are cancelled, and there is no report.")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _bar() -> Iterator[Progress]:
    with progress.bars() as shown:
        line = shown.add_task("", total=1.0, state="")

        def tell(label: str, share: float) -> None:
            shown.update(line, description=terminal.printable(label), completed=share)

        yield tell
