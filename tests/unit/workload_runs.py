"""A job's whole way but for transport: request, compiled, planned, encoded, run, checked, merged."""

import sys
from typing import NamedTuple

from qfleet_agent.engines import execution
from qfleet_controlplane.planning import cost, kinds, methods, views
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import submission
from qfleet_wire import api, codec, workload

WORK: type[workload.Work] = workload.Work  # type: ignore[assignment]  # a union is no type to mypy
RESULT: type[workload.WorkResult] = workload.WorkResult  # type: ignore[assignment]  # a union is no type
HEADING = "job-1"


class Ran(NamedTuple):
    """A job's specification, its slices with their results, and what people see."""

    specification: Specification
    parts: tuple[Slice, ...]
    results: tuple[workload.WorkResult, ...]
    view: api.ResultView


def specified(request: api.JobRequest) -> Specification:
    """Compile a request; its seed is 1 where it says none."""
    job = submission.specify(request, 1 if request.seed is None else request.seed)
    return methods.choose(job, ()) if job.noise else job


def answer(job: Specification, part: Slice) -> workload.WorkResult:
    """Run one slice as a device would, within the memory that it is given."""
    work = codec.decode(kinds.encode(job, part), WORK, limit=sys.maxsize)
    result = execution.execute(work, budget=kinds.memory_bytes(job), report=lambda _: None)
    encoded = codec.encode(result)
    assert len(encoded) <= kinds.result_bytes(job, part), "no room was reserved for the result"
    return codec.decode(encoded, RESULT, limit=sys.maxsize)


def run(request: api.JobRequest, *, tasks: int = 1) -> Ran:
    """Run a job in so many tasks at most; each result is valid."""
    job = specified(request)
    rates = cost.Rates(1e5, 0.0) if tasks > 1 else cost.Rates(1e-3, 0.0)
    parts = kinds.plan(job, Fleet(1, max(1, tasks // 4), rates)).slices
    assert (len(parts) > 1) == (tasks > 1)
    results = tuple(answer(job, part) for part in parts)
    for part, result in zip(parts, results, strict=True):
        assert kinds.fault(job, part, result) is None
    return Ran(job, parts, results, shown(request, job, results))


def shown(
    request: api.JobRequest, job: Specification, results: tuple[workload.WorkResult, ...]
) -> api.ResultView:
    """Merge results, as they count."""
    heading = views.Heading(HEADING, "succeeded", request)
    counted = [views.Counted(result, "pi-1", "qulacs", "1", 2.0) for result in results]
    return kinds.view(heading, job, counted)
