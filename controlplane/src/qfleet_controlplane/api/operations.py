"""Routes for those who run the service: is it alive, is it ready, what does it count.

They need no token: they answer with counts and words, never with names of jobs or devices.
"""

from typing import Any

from litestar import MediaType, Request, Response, get

from qfleet_controlplane.api import problems
from qfleet_controlplane.api.backends import backends_of
from qfleet_wire.api import Problem


@get("/healthz", media_type=MediaType.TEXT, sync_to_thread=False, summary="Is the event loop alive")
def healthz() -> str:
    """Answer at once; that it answers is the message."""
    return "ok\n"


@get("/readyz", sync_to_thread=False, summary="Can it serve: store and broker")
def readyz(request: Request[Any, Any, Any]) -> Response[Any]:
    """200 when the store commits and the broker's link is up, else 503 with what is missing."""
    missing = backends_of(request).fleet.unready()
    if not missing:
        return Response("ok\n", media_type=MediaType.TEXT)
    problem = Problem("unavailable", "not ready: " + ", ".join(missing), "the log says why; it may pass")
    return Response(problems.encode(problem), status_code=503, media_type=MediaType.JSON)


@get("/metrics", summary="Counters for Prometheus")
async def metrics(request: Request[Any, Any, Any]) -> Response[str]:
    """Counters and gauges in Prometheus' text format."""
    text = await backends_of(request).fleet.metrics()
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
