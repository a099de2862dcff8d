"""Futures against a fake control plane: waited for, awaited, followed, cancelled, refused."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.patches import Rectangle
from tests.integration import fake_controlplane as fakes
from tests.integration.fake_controlplane import ControlPlane

import qfleet
from qfleet import Fleet, JobFailed, JobRequest, Refused, UserError
from qfleet_wire import api

REQUEST = JobRequest(kind="circuit.sample", program="…", shots=8)


@pytest.fixture
def fake() -> Iterator[ControlPlane]:
    with fakes.running() as control_plane:
        yield control_plane


@pytest.fixture
def fleet(fake: ControlPlane) -> Iterator[Fleet]:
    with Fleet(fake.url, fakes.TOKEN) as connection:
        yield connection


def runs(fake: ControlPlane, *steps: api.JobDetail) -> None:
    fake.on("POST", "jobs", fakes.of(fakes.detail("planned").job, 201))
    fake.on("GET", "jobs/job-1", *map(fakes.of, steps))
    fake.on("GET", "jobs/job-1/events", fakes.stream(*steps))
    fake.on("GET", "jobs/job-1/result", fakes.of(fakes.sampled({"00": 5, "11": 3})))


def test_a_future_gives_the_result_and_tells_progress(fake: ControlPlane, fleet: Fleet) -> None:
    runs(fake, fakes.detail("running", 0.5), fakes.detail("succeeded", 1.0))
    told: list[float] = []
    future = qfleet.submit(REQUEST, fleet=fleet, on_progress=lambda view: told.append(view.progress))
    assert future.result(timeout=10).counts == ({"00": 5, "11": 3},)
    assert future.id == "job-1"
    assert future.view is not None
    assert future.view.status == "succeeded"
    assert told == [0.5, 1.0]


def test_a_future_is_awaited(fake: ControlPlane, fleet: Fleet) -> None:
    runs(fake, fakes.detail("succeeded", 1.0))

    async def scenario() -> tuple[dict[str, int], ...]:
        first, second = await asyncio.gather(*(qfleet.submit(REQUEST, fleet=fleet) for _ in range(2)))
        assert first.counts == second.counts
        return first.counts

    assert asyncio.run(scenario()) == ({"00": 5, "11": 3},)


def test_text_is_a_program_and_fields_go_before_the_request(fake: ControlPlane, fleet: Fleet) -> None:
    runs(fake, fakes.detail("succeeded", 1.0))
    qfleet.submit("OPENQASM 3.0;", fleet=fleet, seed=5).result(timeout=10)
    qfleet.submit("OPENQASM 3.0;", fleet=fleet, observables=("Z0",)).result(timeout=10)
    qfleet.submit(REQUEST, fleet=fleet, shots=9).result(timeout=10)
    sent = [asked.json for asked in fake.asked if asked.method == "POST"]
    assert (sent[0]["kind"], sent[0]["shots"], sent[0]["seed"]) == ("circuit.sample", 1024, 5)
    assert (sent[1]["kind"], sent[1]["observables"]) == ("circuit.expect", ["Z0"])
    assert sent[2]["shots"] == 9
    with pytest.raises(UserError, match="shot"):
        qfleet.submit(REQUEST, fleet=fleet, shot=9)


def test_what_is_refused_or_fails_is_raised_by_the_future(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("POST", "jobs", fakes.problem(400, "refused", "shots is 0"))
    future = qfleet.submit(REQUEST, fleet=fleet)
    with pytest.raises(Refused, match="shots is 0"):
        future.result(timeout=10)
    with pytest.raises(Refused):
        future.id  # noqa: B018 - reading it is what is tested


def test_a_job_that_fails_raises_what_it_says(fake: ControlPlane, fleet: Fleet) -> None:
    runs(fake, fakes.detail("failed", 0.0, errors=("no memory",)))
    with pytest.raises(JobFailed, match="no memory"):
        qfleet.submit(REQUEST, fleet=fleet).result(timeout=10)


def test_a_failing_callback_harms_nobody(
    fake: ControlPlane, fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    runs(fake, fakes.detail("succeeded", 1.0))

    def broken(_: api.JobView) -> None:
        raise ValueError("mine")

    assert qfleet.submit(REQUEST, fleet=fleet, on_progress=broken).result(timeout=10).counts
    assert "progress callback" in caplog.text


def until_cancelled(fake: ControlPlane) -> threading.Event:
    """A job that runs until somebody cancels it; the event says that it was asked."""
    cancelled = threading.Event()
    answer = fake.answer

    def answering(asked: fakes.Asked) -> fakes.Answer:
        if asked.path.endswith("/cancel"):
            cancelled.set()
            return fakes.of(fakes.detail("cancelled").job)
        if asked.path.endswith("/events"):
            cancelled.wait(10)
            return fakes.stream(fakes.detail("cancelled"))
        return answer(asked)

    fake.answer = answering  # type: ignore[method-assign]  # this fake alone
    runs(fake, fakes.detail("running", 0.0))
    return cancelled


def test_cancelling_a_future_cancels_the_job(fake: ControlPlane, fleet: Fleet) -> None:
    asked = until_cancelled(fake)
    future = qfleet.submit(REQUEST, fleet=fleet)
    assert future.cancel()
    assert asked.is_set()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(timeout=10)


def test_a_task_that_is_cancelled_while_it_awaits_cancels_the_job(fake: ControlPlane, fleet: Fleet) -> None:
    asked = until_cancelled(fake)

    async def scenario() -> None:
        future = qfleet.submit(REQUEST, fleet=fleet)

        async def waiting() -> None:
            await future

        task = asyncio.create_task(waiting())
        await asyncio.to_thread(future._known.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(asked.wait, 10)

    asyncio.run(scenario())


def test_results_are_dicts_arrays_and_plots() -> None:
    mpl.use("agg")
    sampled = qfleet.Result(fakes.sampled({"00": 5, "11": 3}))
    found = sampled.arrays()
    assert found["outcomes"].tolist() == ["00", "11"]
    assert found["counts"].tolist() == [[5, 3]]
    assert sampled.to_dict()["items"][0]["counts"] == {"00": 5, "11": 3}
    axes = sampled.plot()
    assert [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)] == [0.625, 0.375]
    points = tuple(
        api.ExpectItemView({"a": a, "b": 1.0}, (api.ValueView("Z0", a / 2, 0.0, exact=True),))
        for a in (0.0, 1.0)
    )
    expected = qfleet.Result(api.ExpectResultView("job-1", "succeeded", 7, points, ()))
    assert np.array_equal(expected.values, [[0.0], [0.5]])
    assert np.array_equal(expected.arrays()["parameters"], [[0.0, 1.0], [1.0, 1.0]])
    curve = expected.plot(axes)
    assert curve.get_xlabel() == "a"
    with pytest.raises(UserError, match="no counts"):
        expected.counts  # noqa: B018 - reading it is what is tested


def test_what_no_json_can_say_is_refused(fake: ControlPlane, fleet: Fleet) -> None:
    points: Any = [object()]
    request = JobRequest(kind="kernel.matrix", work=api.KernelRequest(points=points))
    with pytest.raises(UserError, match="what no JSON can say"):
        fleet.submit(request)
    assert fake.asked == []


@pytest.mark.parametrize(
    ("given", "fields", "words"),
    [
        (b"OPENQASM 3.0;", {}, "bytes is no job"),
        (api.KernelRequest(points=((0.5,),)), {}, "KernelRequest is no job"),
        ("OPENQASM 3.0;", {"on_progress": 3}, "on_progress is 3"),
    ],
)
def test_what_is_no_job_is_refused_at_once(
    fake: ControlPlane, fleet: Fleet, given: Any, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words) as refused:
        qfleet.submit(given, fleet=fleet, **fields)
    assert refused.value.hint
    assert fake.asked == []
