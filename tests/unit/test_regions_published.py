"""What a region may answer about a job by itself, and what only the store knows."""

import asyncio

from qfleet_controlplane.machine import state
from qfleet_controlplane.planning.plan import Plan, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import portraits
from qfleet_controlplane.service.published import LAST_VERSION, Published
from qfleet_controlplane.store import records
from qfleet_wire import api
from qfleet_wire.names import JobId, Millis, TaskId

JOB = JobId("j")
HERE = "north"


def job_of(*positions: int, slices: int = 3) -> state.Job:
    """A job of so many slices, of which these are here."""
    parts = tuple(Slice(index, 1, 0, 0) for index in range(slices))
    job = state.Job(
        JOB,
        api.JobRequest(kind="probe.echo", items=slices),
        Specification(kind="probe.echo", seed=1, items=slices),
        Plan(parts, (), slices, 0),
        Millis(1),
    )
    job.tasks = [state.Task(TaskId(f"j-{position}"), job, position) for position in positions]
    state.State().add(job)
    return job


def show(published: Published, job: state.Job, *changed: int) -> None:
    published.put_job(job, portraits.job_view(job))
    published.put_tasks(records.task_row(task, HERE) for task in job.tasks if task.position in changed)


def test_a_job_that_is_all_here_is_answered_from_memory() -> None:
    published = Published(HERE)
    show(published, job_of(0, 1, 2), 0, 1, 2)
    assert published.is_whole(JOB)
    detail = published.detail(JOB)
    assert detail is not None
    assert [task.id for task in detail.tasks] == ["j-0", "j-1", "j-2"]


def test_a_share_is_not_shown_as_the_job() -> None:
    published = Published(HERE)
    show(published, job_of(0, 2), 0, 2)
    assert not published.is_whole(JOB)
    assert published.detail(JOB) is None


def test_a_job_that_came_in_parts_stays_the_stores() -> None:
    published = Published(HERE)
    show(published, job_of(0), 0)
    show(published, job_of(0, 1, 2), 0, 1, 2)
    assert not published.is_whole(JOB)


def test_tasks_that_were_taken_over_and_have_not_changed_have_no_rows_here() -> None:
    published = Published(HERE)
    show(published, job_of(0, 1, 2), 1)
    assert not published.is_whole(JOB)
    assert published.detail(JOB) is None
    show(published, job_of(0, 1, 2), 0, 2)
    assert published.is_whole(JOB)


def test_a_loaded_job_with_a_share_elsewhere_is_the_stores() -> None:
    published = Published(HERE)
    published.mark_divided([JOB])
    show(published, job_of(0, 1, 2), 0, 1, 2)
    assert not published.is_whole(JOB)


def test_whoever_waits_is_let_go_when_the_region_is_given_up() -> None:
    async def main() -> None:
        published = Published(HERE)
        show(published, job_of(0, 1, 2), 0, 1, 2)
        waiting = asyncio.ensure_future(published.wait(JOB, published.version(JOB), 60.0))
        await asyncio.sleep(0)
        published.close()
        assert await waiting == LAST_VERSION
        assert published.view(JOB) is None

    asyncio.run(main())
