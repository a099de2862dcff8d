"""What ``qfleet run`` is asked for: a job file or a program, and options that go before what it says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from qfleet import errors, jobfile
from qfleet_wire import api
from qfleet_wire.limits import LIMITS

_DEFAULT_SHOTS = 1024
_LARGEST_PROGRAM = LIMITS.frame_bytes


def base(file: Path, observables: Sequence[str] | None, bitstrings: Sequence[str] | None) -> api.JobRequest:
    """The job of a file; of a program, what the options make of it.

    Raises:
        UserError: the file cannot be read, or holds no job.
    """
    return jobfile.load(file) if jobfile.is_job(file) else _program(file, _kind(observables, bitstrings))


def tags(given: Sequence[str]) -> tuple[str, ...]:
    """Tags of regions; an empty one is refused."""
    for tag in given:
        if not tag.strip():
            raise errors.UserError(
                f"--residency {tag!r} names no tag",
                hint="give one like 'EU'; `qfleet region list` shows them",
            )
    return tuple(given)


def preference(text: str) -> Literal["time", "energy"]:
    """What regions are chosen for; anything else is refused."""
    if text == "time":
        return "time"
    if text == "energy":
        return "energy"
    raise errors.UserError(f"--prefer {text!r} is not possible", hint="use 'time' or 'energy'")


def _kind(observables: Sequence[str] | None, bitstrings: Sequence[str] | None) -> api.JobKind:
    if bitstrings:
        return "circuit.amplitudes"
    return "circuit.expect" if observables else "circuit.sample"


def _program(file: Path, kind: api.JobKind) -> api.JobRequest:
    shots = _DEFAULT_SHOTS if kind == "circuit.sample" else 0
    return api.JobRequest(kind=kind, name=file.stem, program=_read(file), shots=shots)


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST_PROGRAM:
            raise errors.UserError(f"{str(file)!r} has more than {_LARGEST_PROGRAM} bytes")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(f"cannot read the program {str(file)!r}: {error}") from error
