"""Routes for jobs: submit, look, wait, watch, cancel, fetch the result."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage

from qfleet_controlplane.api import authentication
from qfleet_controlplane.api.backends import Backends, backends_of
from qfleet_controlplane.authority.roles import Caller
from qfleet_wire import api
from qfleet_wire.names import JobId

_LONGEST_WAIT_S = 60.0
_MOST_LISTED = 1000
_KEEP_ALIVE_S = 15.0

_encode = msgspec.json.Encoder().encode
Call = Request[Any, Caller, Any]


@post(
    "/jobs",
    guards=[authentication.operator],
    summary="Submit a job",
    description="The job is stored for good when this answers. Asked again with the same Idempotency-Key, "
    "it answers with the job that was stored the first time; 409 if that asks for something else.",
)
async def submit(
    request: Call,
    data: JSONBody[api.JobRequest],
    key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
) -> api.JobView:
    """Compile, plan and store a job."""
    return await backends_of(request).jobs.submit(data, request.auth.name, key)


@post(
    "/runs",
    guards=[authentication.operator],
    summary="Run a job: submit it and wait for its result",
    description="The job is stored for good at once, as by a submission, and under its Idempotency-Key too. "
    "Answers when the job is finished or the time is up: with its result if it has succeeded.",
)
async def run(
    request: Call,
    data: JSONBody[api.JobRequest],
    wait_s: Annotated[float, QueryParameter(ge=0, le=_LONGEST_WAIT_S)] = 20.0,
    key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
) -> api.RunView:
    """Compile, plan and store a job, and wait for its end."""
    backends = backends_of(request)
    view = await backends.jobs.submit(data, request.auth.name, key)
    if view.status not in api.FINISHED:
        view = await _ended(backends, JobId(view.id), wait_s)
    done = view.status == "succeeded"
    return api.RunView(view, await backends.jobs.result(JobId(view.id)) if done else None)


@post(
    "/plans",
    guards=[authentication.viewer],
    status_code=200,
    summary="Plan a job without submitting it",
    description="How it would split and why, with predicted times and memory; refused as the job would be.",
)
async def plan(request: Call, data: JSONBody[api.JobRequest]) -> api.PlanView:
    """Compile and plan a job; nothing is stored."""
    return await backends_of(request).jobs.plan(data, request.auth.name)


@get("/jobs", guards=[authentication.viewer], summary="List jobs, the newest first")
async def listing(
    request: Call,
    limit: Annotated[int, QueryParameter(ge=1, le=_MOST_LISTED)] = 50,
    status: FromQuery[api.JobStatus | None] = None,
) -> Sequence[api.JobView]:
    """List jobs, of one status if asked."""
    return await backends_of(request).jobs.jobs(limit, status)


@get(
    "/jobs/{job:str}",
    guards=[authentication.viewer],
    summary="Show a job with its tasks",
    description="With wait_s, answers when the job is finished or the time is up.",
)
async def detail(
    request: Call,
    job: FromPath[str],
    wait_s: Annotated[float, QueryParameter(ge=0, le=_LONGEST_WAIT_S)] = 0.0,
) -> api.JobDetail:
    """Show a job, waiting for its end if asked."""
    backends = backends_of(request)
    if wait_s:
        await _ended(backends, JobId(job), wait_s)
    return await backends.jobs.job(JobId(job))


@get(
    "/jobs/{job:str}/events",
    guards=[authentication.viewer],
    summary="Watch a job",
    description="Server-sent events `job`, each with the job's detail; ends when the job is finished.",
    media_type="text/event-stream",
)
async def events(request: Call, job: FromPath[str]) -> ServerSentEvent:
    """Stream a job's detail on each change."""
    backends = backends_of(request)
    first = await backends.jobs.job(JobId(job))
    return ServerSentEvent(_changes(backends, JobId(job), first))


@get(
    "/jobs/{job:str}/result",
    guards=[authentication.viewer],
    summary="Fetch a finished job's result",
    description="With wait_s, waits so long for the job to finish; 409 while it is not finished.",
)
async def result(
    request: Call,
    job: FromPath[str],
    wait_s: Annotated[float, QueryParameter(ge=0, le=_LONGEST_WAIT_S)] = 0.0,
) -> api.ResultView:
    """Fetch the result, waiting for it if asked."""
    backends = backends_of(request)
    if wait_s:
        await _ended(backends, JobId(job), wait_s)
    return await backends.jobs.result(JobId(job))


@get(
    "/jobs/{job:str}/provenance",
    guards=[authentication.viewer],
    summary="Fetch a finished job's provenance bundle",
    description="A file for `qfleet verify`: the result with everything it follows from, signed.",
    media_type="application/octet-stream",
)
async def provenance(request: Call, job: FromPath[str]) -> bytes:
    """Fetch the bundle."""
    return await backends_of(request).notary.bundle(JobId(job))


@post("/jobs/{job:str}/cancel", guards=[authentication.operator], status_code=200, summary="Cancel a job")
async def cancel(request: Call, job: FromPath[str]) -> api.JobView:
    """Cancel what is unfinished of a job; repeatable."""
    # The request carries no reason, and who cancelled is told with the job anyway.
    return await backends_of(request).jobs.cancel(JobId(job), "", request.auth.name)


async def _changes(
    backends: Backends, job: JobId, found: api.JobDetail
) -> AsyncIterator[ServerSentEventMessage]:
    """Yield the detail now and on each change; a comment now and then keeps proxies from closing."""
    seen = 0
    while True:
        yield ServerSentEventMessage(event="job", data=_encode(found).decode())
        if found.job.status in api.FINISHED:
            return
        while (version := await _change(backends, job, seen, _KEEP_ALIVE_S)) == seen:
            yield ServerSentEventMessage(comment="alive", data=None)
        if version is None:
            return
        seen = version
        found = await backends.jobs.job(job)


async def _ended(backends: Backends, job: JobId, wait_s: float) -> api.JobView:
    """Return how a job stands when it is finished, the time is up, or the server stops."""
    waiting = asyncio.ensure_future(backends.jobs.wait_for_end(job, wait_s))
    try:
        await asyncio.wait((waiting, backends.stopping), return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else await backends.jobs.view(job)
    finally:
        waiting.cancel()


async def _change(backends: Backends, job: JobId, seen: int, timeout_s: float) -> int | None:
    """Wait for a change like ``wait_for_change``; None when the server stops first."""
    waiting = asyncio.ensure_future(backends.jobs.wait_for_change(job, seen, timeout_s))
    try:
        await asyncio.wait((waiting, backends.stopping), return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else None
    finally:
        waiting.cancel()


ROUTES = (submit, run, plan, listing, detail, events, result, provenance, cancel)
