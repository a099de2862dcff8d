"""Parameter points of a request: every one gives each name a finite number, and nothing else."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from math import isfinite

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api
from qfleet_wire.limits import LIMITS


def check_points(request: api.JobRequest, names: Sequence[str]) -> None:
    """Check the points that are given, if any are.

    Raises:
        RequestRefused: too many, or one that does not fit; with its place.
    """
    known = set(names)
    if len(request.parameters) > LIMITS.items:
        raise RequestRefused(
            "parameters", f"has {len(request.parameters)} points", f"give at most {LIMITS.items}"
        )
    for number, point in enumerate(request.parameters):
        if point.keys() != known:
            raise _misnamed(number, point, known)
        for name, value in point.items():
            if not isfinite(value):
                raise RequestRefused(f"parameters[{number}].{name}", f"is {value}", "give a finite number")


def _misnamed(number: int, point: dict[str, float], names: set[str]) -> RequestRefused:
    for name in sorted(point.keys() - names):
        close = get_close_matches(name, sorted(names), n=1)
        hint = f"did you mean '{close[0]}'?" if close else told(names)
        return RequestRefused(f"parameters[{number}].{name}", "is no input of the program", hint)
    missing = sorted(names - point.keys())
    return RequestRefused(f"parameters[{number}]", f"gives no value for {', '.join(missing)}", told(names))


def told(names: Collection[str]) -> str:
    """Say what inputs there are."""
    return f"its inputs are {', '.join(sorted(names))}" if names else "it declares no input"
