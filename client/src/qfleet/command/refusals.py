"""What the control plane refuses of ``qfleet run``, in the words and the places of the command line."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from qfleet import errors
from qfleet.command import outcome
from qfleet_wire import api

_MISSING = re.compile(r"gives no value for (\w+(?:, \w+)*)")


@contextlib.contextmanager
def shown(request: api.JobRequest, *, file: Path, points: Sequence[str], json: bool) -> Iterator[None]:
    """Show what is refused with the place in the text that it points into."""
    try:
        yield
    except errors.Refused as error:
        name, text = _origin(error.problem, request, file)
        refused = errors.Refused(_advised(error.problem, points), status=error.status)
        outcome.fail(refused, json=json, source=text, name=name)


def _advised(problem: api.Problem, points: Sequence[str]) -> api.Problem:
    """Name the option where an input has no value: the control plane knows fields only.

    A file of points cannot be combined with the option's other forms, so nothing is advised for one.
    """
    missing = _MISSING.search(problem.message)
    field = problem.field or ""
    if missing is None or not field.startswith("parameters") or any("=" not in each for each in points):
        return problem
    option = " ".join(f"--parameters {name}=…" for name in missing[1].split(", "))
    return msgspec.structs.replace(problem, hint=f"add {option}")


def _origin(problem: api.Problem, request: api.JobRequest, file: Path) -> tuple[str, str]:
    """Name and text of what a problem's place points into: an observable, or else the program."""
    for number, observable in enumerate(request.observables):
        if problem.field == f"observables[{number}]":
            return "--observable", observable
    return str(file), request.program
