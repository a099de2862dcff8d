"""What every compiler of a kind makes of a request, and the checks that they share."""

from dataclasses import dataclass
from typing import TypeVar

from qfleet_controlplane.compile.clifford import Obstacle
from qfleet_controlplane.compile.effort import NO_EFFORT, Effort
from qfleet_controlplane.compile.errors import RequestRefused, a_job
from qfleet_controlplane.compile.facts import ProgramFacts
from qfleet_controlplane.compile.noise_effort import CompiledNoise
from qfleet_controlplane.compile.shifts import Recipe
from qfleet_wire import api, circuit
from qfleet_wire.workload import Observable

Work = TypeVar("Work", bound=api.Asked)

PROGRAM_BYTES = 3 * 1024 * 1024
"""Largest encoded program; it travels in one message."""

RESULT_BYTES = 1024 * 1024 * 1024
"""Largest estimated result of a job."""


@dataclass(frozen=True, slots=True)
class CompiledJob:
    """A checked request.

    ``points`` holds the parameter vector of each item, in the order of ``program.parameters``.
    ``shots`` is 0 where values are exact. ``result_bytes`` is the most that one item's result
    may take. ``program`` and ``facts`` are None for all that is no program, of which ``points`` has one
    entry for each item. ``problem`` holds the encoded base of such a work, and ``effort`` what it costs;
    its ``qubits`` are those of a state vector, if it needs one.
    """

    kind: api.JobKind
    program: circuit.Program | None
    observables: tuple[Observable, ...]
    points: tuple[tuple[float, ...], ...]
    shots: int
    facts: ProgramFacts | None
    result_bytes: int
    problem: bytes = b""
    effort: Effort = NO_EFFORT
    qubits: int = 0
    clifford: bool = False
    """Whether a stabilizer tableau computes it at all its points …"""
    obstacle: Obstacle | None = None
    """… and what of a program is in the way."""
    bitstrings: tuple[int, ...] = ()
    noise: CompiledNoise | None = None
    gradient: Recipe | None = None
    """How its points make gradients, if that is asked."""


def check_number(field: str, value: float, least: float, most: float) -> None:
    """Refuse a number outside its range, or that is none."""
    if not least <= value <= most:
        raise RequestRefused(field, f"is {value}", f"give a number from {_told(least)} to {_told(most)}")


def _told(bound: float) -> str:
    """A bound in full, whatever its size: rounded, the largest seed would be refused."""
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def check_unused(request: api.JobRequest, *fields: str) -> None:
    """Refuse fields that say nothing about a job of this kind."""
    for field in fields:
        if getattr(request, field):
            hint = "leave it out, or name another kind"
            raise RequestRefused(field, f"is given for {a_job(request.kind)}", hint)


def asked(request: api.JobRequest, kind: type[Work], *, using: tuple[str, ...] = ()) -> Work:
    """Return what a job asks for that is no program of its own.

    The program's fields must be left out, but those that the kind is ``using``.

    Raises:
        RequestRefused: nothing is asked, or something of another kind.
    """
    fields = ("program", "observables", "parameters", "shots", "gradient")
    check_unused(request, *(field for field in fields if field not in using))
    if request.items != 1:
        raise RequestRefused("items", f"is given for {a_job(request.kind)}", "leave it out")
    if request.work is None:
        hint = f"give what to do under 'work', with kind = \"{request.kind}\""
        raise RequestRefused("work", f"is missing for {a_job(request.kind)}", hint)
    if not isinstance(request.work, kind):
        tag = request.work.__struct_config__.tag
        raise RequestRefused("work.kind", f"is {tag} for {a_job(request.kind)}", "make both the same kind")
    return request.work
