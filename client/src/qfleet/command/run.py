"""``qfleet run``: submit a program."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from qfleet import errors, jobfile, parameters
from qfleet.command import following, options, outcome
from qfleet.fleet import Fleet
from qfleet.render import plans, terminal
from qfleet_wire import api
from qfleet_wire.limits import LIMITS

_DEFAULT_SHOTS = 1024
_LARGEST_PROGRAM = LIMITS.frame_bytes
_MISSING = re.compile(r"gives no value for (\w+(?:, \w+)*)")


@outcome.reported
def run(  # noqa: PLR0913 – the options of a command are its parameters
    file: options.JobFile,
    *,
    shots: options.Shots = None,
    observable: options.Observables = None,
    bitstring: options.Bitstrings = None,
    points: options.Points = None,
    gradient: options.Gradient = None,
    seed: options.Seed = None,
    name: options.JobName = None,
    residency: options.Residency = None,
    prefer: options.Prefer = None,
    replace: options.Replace = None,
    first_valid_wins: options.FirstValidWins = None,
    lost_after: options.LostAfter = None,
    max_attempts: options.MaxAttempts = None,
    deadline: options.Deadline = None,
    agree: options.Agree = None,
    of: options.Of = None,
    probes: options.Probes = None,
    plan: options.Plan = False,
    noise: options.Noise = None,
    watch: options.Watch = False,
    top: options.Top = 16,
    json: options.Json = False,
) -> None:
    """Submit a job: an OpenQASM program to sample, or a whole job file.

    With --observable a program is evaluated, with --bitstring its amplitudes are taken.

    A job file (.toml or .json) has the fields of a job, of any kind; options go before what it says.
    """
    given: dict[str, Any] = {
        "shots": shots,
        "observables": tuple(observable) if observable else None,
        "bitstrings": tuple(bitstring) if bitstring else None,
        "parameters": parameters.parse(points) if points else None,
        "gradient": gradient,
        "seed": seed,
        "name": name,
        "residency": _tags(residency) if residency else None,
        "prefer": None if prefer is None else _preference(prefer),
        "replace": replace,
        "first_valid_wins": first_valid_wins,
        "lost_after_s": lost_after,
        "max_attempts": max_attempts,
        "deadline_s": deadline,
        "agree": agree,
        "of": of,
        "probes": probes,
        "noise": jobfile.load_noise(noise) if noise else None,
    }
    base = jobfile.load(file) if jobfile.is_job(file) else _program(file, _kind(observable, bitstring))
    request = msgspec.structs.replace(base, **{k: v for k, v in given.items() if v is not None})
    with Fleet.from_configuration() as fleet:
        if plan:
            with _explained(request, file=file, points=points or (), json=json):
                _show(fleet.plan(request), json=json)
            return
        with _explained(request, file=file, points=points or (), json=json):
            job = fleet.submit(request)
        if watch:
            following.finish(fleet, job.id, top=top, json=json)
        elif json:
            terminal.write_json(job)
        else:
            _tell(job)


def _kind(observables: Sequence[str] | None, bitstrings: Sequence[str] | None) -> api.JobKind:
    if bitstrings:
        return "circuit.amplitudes"
    return "circuit.expect" if observables else "circuit.sample"


def _program(file: Path, kind: api.JobKind) -> api.JobRequest:
    shots = _DEFAULT_SHOTS if kind == "circuit.sample" else 0
    return api.JobRequest(kind=kind, name=file.stem, program=_read(file), shots=shots)


@contextlib.contextmanager
def _explained(request: api.JobRequest, *, file: Path, points: Sequence[str], json: bool) -> Iterator[None]:
    """Show what is refused with the place in the text that it points into."""
    try:
        yield
    except errors.Refused as error:
        name, text = _origin(error.problem, request, file)
        refused = errors.Refused(_advised(error.problem, points), status=error.status)
        outcome.fail(refused, json=json, source=text, name=name)


def _show(view: api.PlanView, *, json: bool) -> None:
    if json:
        terminal.write_json(view)
    else:
        terminal.output().print(plans.plan(view))


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
