"""A study for somebody at a terminal: priced, given up, and a report that cannot be written."""

import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import pytest
import typer

from qfleet import JobRequest, PlanView
from qfleet.errors import Unreachable, UserError
from qfleet_applications.frame import carrying, giving_up
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Report
from qfleet_wire import api
from qfleet_wire.names import Millis


class Stand:
    """A fleet on which a signal arrives while a job is watched; ``gone``: nobody answers after it."""

    def __init__(self, number: int = 0, *, gone: bool = False) -> None:
        self.number, self.gone = number, gone
        self.cancelled: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def plan(self, _: JobRequest) -> PlanView:
        return PlanView("probe.echo", "", 1, 0, 1, 0, 0, 2.0, 2.0, (), (), (), ())

    def submit(self, _: JobRequest, *, key: str) -> api.JobView:
        counts = api.TaskCounts()
        return api.JobView("job-1", key, "probe.echo", "running", Millis(0), None, 1, 0.0, counts, (), (), ())

    def watch(self, _job: str) -> object:
        os.kill(os.getpid(), self.number)
        return iter(())

    def cancel(self, job: str) -> None:
        if self.gone:
            raise Unreachable("gone")
        self.cancelled.append(job)


class Study:
    """One job, or none."""

    title, qubits = "a study", 3

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs

    def requests(self) -> tuple[JobRequest, ...]:
        return (JobRequest(kind="probe.echo", name="echo"),) * self.jobs

    def conduct(self, desk: Runner) -> Report:
        if self.jobs:
            desk.run_all(self.requests())
        return Report(pack="finance", command="risk", title="a study", comparisons=())


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> "type[Fleets]":
    monkeypatch.setattr(carrying, "Fleet", Fleets)
    return Fleets


class Fleets:
    """Where the command finds its fleet."""

    found = Stand()

    @classmethod
    def from_configuration(cls) -> Stand:
        return cls.found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_gives_up_is_told_and_no_job_stays(
    joined: type[Fleets], capsys: pytest.CaptureFixture[str], number: int
) -> None:
    before = signal.getsignal(number)
    joined.found = Stand(number)
    with pytest.raises(typer.Exit) as ended:
        carrying.carry_out(Study(), plan=False, json=False, output=None)
    assert ended.value.exit_code == 128 + number
    assert joined.found.cancelled == ["job-1"]
    told = capsys.readouterr()
    assert "Given up: 1 job was cancelled." in told.err
    assert not told.out
    assert signal.getsignal(number) == before


def test_jobs_that_may_still_run_are_named(joined: type[Fleets], capsys: pytest.CaptureFixture[str]) -> None:
    joined.found = Stand(signal.SIGTERM, gone=True)
    with pytest.raises(typer.Exit):
        carrying.carry_out(Study(), plan=False, json=False, output=None)
    assert "may still run, end them by `qfleet job cancel`: job-1" in capsys.readouterr().err


def test_a_signal_that_nohup_ignores_is_let_be() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with giving_up.raised():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_study_without_jobs_says_that_it_runs_here(
    joined: type[Fleets], capsys: pytest.CaptureFixture[str]
) -> None:
    joined.found = Stand()
    carrying.carry_out(Study(jobs=0), plan=False, json=True, output=None)
    told = capsys.readouterr()
    assert "a study: no job for the fleet, it is computed on this machine." in told.err
    assert "0 jobs" not in told.err
    assert '"jobs":[]' in told.out


def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(
    joined: type[Fleets], tmp_path: Path
) -> None:
    folder = tmp_path / "report.html"
    folder.mkdir()
    joined.found = cast("Stand", None)
    with pytest.raises(UserError, match="cannot be written"):
        carrying.carry_out(Study(), plan=False, json=False, output=folder)


def test_a_report_that_could_not_be_written_after_all_says_where(
    joined: type[Fleets], tmp_path: Path
) -> None:
    blocked = tmp_path / "report.md"

    class Late(Study):
        def conduct(self, desk: Runner) -> Report:
            blocked.mkdir()
            return super().conduct(desk)

    joined.found = Stand()
    with pytest.raises(UserError, match=r"report\.md' cannot be written: .*Is a directory"):
        carrying.carry_out(Late(jobs=0), plan=False, json=False, output=blocked)
