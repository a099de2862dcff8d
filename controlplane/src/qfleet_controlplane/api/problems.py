"""Every error as a ``Problem``: what was wrong, where, and what to do.

An unexpected error is logged in full and answered without its text, which may hold anything.
"""

import logging
import re
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from qfleet_controlplane import errors
from qfleet_controlplane.compile.errors import ObservableRefused, ProgramRefused, RequestRefused
from qfleet_controlplane.planning.plan import PlanRefused
from qfleet_wire import nearest
from qfleet_wire.api import JobStatus, Place, Problem
from qfleet_wire.errors import LimitExceeded, WireError

_log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (errors.Unauthenticated, 401, "unauthenticated"),
    (errors.Forbidden, 403, "forbidden"),
    (errors.NotFound, 404, "not-found"),
    (errors.Conflict, 409, "conflict"),
    (LimitExceeded, 413, "too-large"),
    (errors.Unavailable, 503, "unavailable"),
    (errors.RemoteError, 422, "invalid"),
    (WireError, 422, "invalid"),
)
_CODES = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
    429: "too-many-requests",
}
_DESCRIBED = "what each route takes is described at /api/v1/openapi"
_LATER = "it may pass: ask again in a moment; `/readyz` and the control plane's log say what is missing"
_HINTS = {
    400: f"send valid JSON: {_DESCRIBED}",
    404: "the routes are listed at /api/v1/openapi",
    405: "the routes and their methods are listed at /api/v1/openapi",
    413: "split the request, or raise api.max_body_bytes in the control plane's configuration",
}


class _Query(msgspec.Struct):
    """What may stand behind the question mark of a route and has named values."""

    status: JobStatus | None = None


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Turn any exception into the response that carries its problem."""
    if isinstance(error, HTTPException):
        return _respond(error.status_code, _http_problem(error, _asked(request)), error.headers)
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return _respond(status, _problem_of(error, code))
    _log.error("A request failed unexpectedly.", exc_info=error, extra={"action": "api_failed"})
    return _respond(500, Problem("internal", "the control plane failed; its log says why"))


def _problem_of(error: Exception, code: str) -> Problem:
    match error:
        case ProgramRefused():
            place = Place(error.line, error.column)
            return Problem("program", error.message, error.hint, place, "program")
        case ObservableRefused():
            field = "observables" if error.number is None else f"observables[{error.number}]"
            return Problem("observable", error.message, error.hint, Place(1, error.column), field)
        case RequestRefused():
            where = None if error.column is None else Place(1, error.column)
            return Problem("request", error.told, error.hint, where, error.field)
        case PlanRefused():
            where = None if error.where is None else Place(*error.where)
            return Problem(code, str(error), error.hint, where, None if where is None else "program")
        case errors.ControlPlaneError():
            hint = error.hint or (_LATER if isinstance(error, errors.Unavailable) else "")
            return Problem(code, error.told, hint, field=error.field)
        case _:
            return Problem(code, str(error))


def _asked(request: Request[Any, Any, Any]) -> tuple[Any, ...]:
    """What the route of a request takes; a route that there is not takes nothing."""
    handler = request.scope.get("route_handler")
    data = None if handler is None else handler.parsed_data_field
    return (_Query,) if data is None else (data.annotation, _Query)


def _http_problem(error: HTTPException, asked: tuple[Any, ...]) -> Problem:
    code = _CODES.get(error.status_code, "internal" if error.status_code >= 500 else "invalid")
    if isinstance(error, ValidationException):
        return _validation_problem(error, code, asked)
    return Problem(code, error.detail, _HINTS.get(error.status_code, ""))


def _validation_problem(error: ValidationException, code: str, asked: tuple[Any, ...]) -> Problem:
    entries = error.extra if isinstance(error.extra, list) else []
    entry: dict[str, Any] = entries[0] if entries and isinstance(entries[0], dict) else {}
    message = str(entry.get("message") or error.detail)
    field = entry.get("key")
    if message == "'data'":
        return Problem(code, "the request has no body", "send a JSON object")
    named = re.search(r"(?:unknown|missing required) field `([^`]*)`", message)
    place = "" if field is None or (named and field == "data") else str(field)
    hint = nearest.hint(message, *asked, place=place)
    if named:
        field = named[1] if not place else f"{place}.{named[1]}"
    return Problem(code, message, hint or _DESCRIBED, field=None if field is None else str(field))


def _respond(status: int, problem: Problem, headers: dict[str, str] | None = None) -> Response[Problem]:
    extra = dict(headers or {})
    if status == 401:
        extra["WWW-Authenticate"] = "Bearer"
    return Response(problem, status_code=status, headers=extra, media_type="application/json")


def encode(problem: Problem) -> bytes:
    """Spell a problem as JSON, for answers that the framework does not make."""
    return msgspec.json.encode(problem)
