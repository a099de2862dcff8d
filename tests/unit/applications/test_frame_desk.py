"""Jobs of a study: in order, with their progress, and cancelled together."""

from collections.abc import Iterator
from typing import cast

import pytest

from qfleet import Fleet, JobFailed, JobRequest, SampleResultView, Unreachable
from qfleet_applications.errors import UnexpectedResult
from qfleet_applications.frame.desk import Desk, expect
from qfleet_wire import api
from qfleet_wire.names import Millis

REQUESTS = tuple(JobRequest(kind="probe.echo", name=f"echo {number}") for number in range(3))


def detail(job: str, status: str, progress: float) -> api.JobDetail:
    known = cast("api.JobStatus", status)
    counts = api.TaskCounts()
    view = api.JobView(job, job, "probe.echo", known, Millis(0), None, 1, progress, counts, (), (), ())
    return api.JobDetail(view, ())


class Stand:
    """A fleet whose jobs end at once; the job ``breaks`` fails."""

    def __init__(self, breaks: str = "") -> None:
        self.breaks = breaks
        self.cancelled: list[str] = []
        self.submitted = 0
        self.keys: list[str] = []

    def submit(self, _: JobRequest, *, key: str) -> api.JobView:
        self.submitted += 1
        self.keys.append(key)
        return detail(f"job-{self.submitted}", "running", 0.0).job

    def wait(self, job: str) -> api.JobDetail:
        return detail(job, "failed" if job == self.breaks else "succeeded", 1.0)

    def watch(self, job: str) -> Iterator[api.JobDetail]:
        yield detail(job, "running", 0.5)
        yield self.wait(job)

    def result(self, job: str) -> SampleResultView:
        return SampleResultView(job, "succeeded", 1, (), ())

    def cancel(self, job: str) -> None:
        self.cancelled.append(job)


def test_results_come_in_order_and_jobs_are_remembered() -> None:
    ticks = iter([0.0, 2.0, 5.0, 6.0])
    desk = Desk(cast("Fleet", Stand()), clock=lambda: next(ticks))
    assert [view.job for view in desk.run_all(REQUESTS)] == ["job-1", "job-2", "job-3"]
    assert desk.run(REQUESTS[0]).job == "job-4"
    assert desk.jobs == ("job-1", "job-2", "job-3", "job-4")
    assert desk.seconds == 3.0


def test_progress_goes_from_0_to_1_over_all_jobs() -> None:
    told: list[tuple[str, float]] = []
    desk = Desk(cast("Fleet", Stand()), progress=lambda label, share: told.append((label, share)))
    desk.run_all(REQUESTS[:2], "blocks")
    assert told == [("blocks", share) for share in (0.25, 0.5, 0.5, 0.75, 1.0, 1.0)]


def test_a_job_that_fails_ends_the_others() -> None:
    stand = Stand(breaks="job-2")
    with pytest.raises(JobFailed):
        Desk(cast("Fleet", stand)).run_all(REQUESTS)
    assert stand.cancelled == ["job-2", "job-3"]


def test_whoever_gives_up_gets_the_devices_back() -> None:
    stand = Stand()

    def interrupted(_label: str, _share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Desk(cast("Fleet", stand), progress=interrupted).run_all(REQUESTS)
    assert stand.cancelled == ["job-1", "job-2", "job-3"]


def test_a_job_whose_answer_was_given_up_is_cancelled_too() -> None:
    class Slow(Stand):
        def submit(self, request: JobRequest, *, key: str) -> api.JobView:
            stored = key in self.keys
            answer = super().submit(request, key=key)
            if self.submitted == 2 and not stored:
                raise KeyboardInterrupt
            return answer

    stand = Slow()
    desk = Desk(cast("Fleet", stand))
    with pytest.raises(KeyboardInterrupt):
        desk.run_all(REQUESTS)
    assert stand.keys[1] == stand.keys[2] != stand.keys[0]
    assert desk.cancelled == stand.cancelled == ["job-3", "job-1"]


def test_jobs_that_nobody_could_cancel_are_named() -> None:
    class Gone(Stand):
        def cancel(self, _job: str) -> None:
            raise Unreachable("gone")

    desk = Desk(cast("Fleet", Gone(breaks="job-2")))
    with pytest.raises(JobFailed):
        desk.run_all(REQUESTS)
    assert (desk.cancelled, desk.left) == ([], ["job-2", "job-3"])


def test_a_result_of_another_kind_is_refused() -> None:
    view = SampleResultView("job-1", "succeeded", 1, (), ())
    assert expect(view, SampleResultView) is view
    with pytest.raises(UnexpectedResult, match="asked for KernelResultView, got SampleResultView"):
        expect(view, api.KernelResultView)
