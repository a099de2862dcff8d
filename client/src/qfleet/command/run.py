"""``qfleet run``: submit a program."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from qfleet import errors, parameters
from qfleet.command import following, options, outcome
from qfleet.fleet import Fleet
from qfleet.render import terminal
from qfleet_wire import api
from qfleet_wire.limits import LIMITS

_DEFAULT_SHOTS = 1024
_LARGEST_PROGRAM = LIMITS.frame_bytes
_MISSING = re.compile(r"gives no value for (\w+(?:, \w+)*)")


@outcome.reported
def run(  # noqa: PLR0913 – the options of a command are its parameters
    file: options.ProgramArgument,
    *,
    shots: options.Shots = None,
    observable: options.Observables = None,
    points: options.Points = None,
    seed: options.Seed = None,
    name: options.JobName = None,
    residency: options.Residency = None,
    prefer: options.Prefer = "time",
    replace: options.Replace = True,
    first_valid_wins: options.FirstValidWins = True,
    lost_after: options.LostAfter = api.LOST_AFTER_S,
    max_attempts: options.MaxAttempts = api.MAX_ATTEMPTS,
    deadline: options.Deadline = None,
    watch: options.Watch = False,
    top: options.Top = 16,
    json: options.Json = False,
) -> None:
    """Submit an OpenQASM program: sample it, or with --observable evaluate expectation values."""
    request = api.JobRequest(
        kind="circuit.expect" if observable else "circuit.sample",
        name=file.stem if name is None else name,
        program=_read(file),
        shots=shots if shots is not None else 0 if observable else _DEFAULT_SHOTS,
        observables=tuple(observable or ()),
        parameters=parameters.parse(points or ()),
        seed=seed,
        residency=_tags(residency or ()),
        prefer=_preference(prefer),
        replace=replace,
        first_valid_wins=first_valid_wins,
        lost_after_s=lost_after,
        max_attempts=max_attempts,
        deadline_s=deadline,
    )
    with Fleet.from_configuration() as fleet:
        job = _submit(fleet, request, file=file, points=points or (), json=json)
        if watch:
            following.finish(fleet, job.id, top=top, json=json)
        elif json:
            terminal.write_json(job)
        else:
            _tell(job)


def _submit(
    fleet: Fleet, request: api.JobRequest, *, file: Path, points: Sequence[str], json: bool
) -> api.JobView:
    """Submit; what is refused is shown with the place in the text that it points into."""
    try:
        return fleet.submit(request)
    except errors.Refused as error:
        name, text = _origin(error.problem, request, file)
        refused = errors.Refused(_advised(error.problem, points), status=error.status)
        outcome.fail(refused, json=json, source=text, name=name)


def _tell(job: api.JobView) -> None:
    for sentence in (*job.plan, *job.placement):
        terminal.say(sentence, "dim")
    terminal.output().print(terminal.printable(job.id))
    terminal.say(f"Follow it with `qfleet job watch {job.id}`.")


def _preference(text: str) -> Literal["time", "energy"]:
    if text == "time":
        return "time"
    if text == "energy":
        return "energy"
    raise errors.UserError(f"--prefer {text!r} is not possible", hint="use 'time' or 'energy'")


def _tags(given: Sequence[str]) -> tuple[str, ...]:
    for tag in given:
        if not tag.strip():
            raise errors.UserError(
                f"--residency {tag!r} names no tag",
                hint="give one like 'EU'; `qfleet region list` shows them",
            )
    return tuple(given)


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


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST_PROGRAM:
            raise errors.UserError(f"{str(file)!r} has more than {_LARGEST_PROGRAM} bytes")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(f"cannot read the program {str(file)!r}: {error}") from error
