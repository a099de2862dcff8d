"""A whole job in a file: the fields of ``api.JobRequest`` as TOML or JSON.

What the fields mean is the control plane's business; here only their names and types are checked, so
that a slip of the pen is told with its place and nothing is sent.
"""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from qfleet import errors
from qfleet_wire import api, nearest
from qfleet_wire.limits import LIMITS

Asked = TypeVar("Asked", bound=msgspec.Struct)

SUFFIXES = frozenset({".toml", ".json"})
_LARGEST = LIMITS.frame_bytes


def is_job(file: Path) -> bool:
    """Whether a file's name says that it holds a job, not a program."""
    return file.suffix.lower() in SUFFIXES


def load(file: Path) -> api.JobRequest:
    """Read a job; its name is the file's unless it gives one.

    Raises:
        UserError: it cannot be read, or a field is unknown or of another type; with its place.
    """
    fields = _fields(file, "job", "write its fields: kind, program, shots, …")
    return _converted(file, {"name": file.stem} | fields, api.JobRequest)


def load_noise(file: Path) -> api.NoiseRequest:
    """Read what stands under ``noise`` in a job, from a file of its own. Raises as ``load``."""
    if not is_job(file):
        hint = "write it as .toml or .json"
        raise errors.UserError(f"the noise {str(file)!r} is of no file type known", hint=hint)
    fields = _fields(file, "noise", "write its fields: gates, qubits, readout, or a profile")
    return _converted(file, fields, api.NoiseRequest)


def _fields(file: Path, what: str, hint: str) -> dict[str, Any]:
    fields = _parsed(file, _text(file, what))
    if not isinstance(fields, dict):
        raise errors.UserError(f"{str(file)!r} holds no {what}", hint=hint)
    return fields


def _converted(file: Path, fields: Any, kind: type[Asked]) -> Asked:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise errors.UserError(f"{str(file)!r}: {error}", hint=nearest.hint(str(error), kind)) from error


def _text(file: Path, what: str) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise errors.UserError(f"{str(file)!r} has more than {_LARGEST} bytes")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(f"cannot read the {what} {str(file)!r}: {error}") from error


def _parsed(file: Path, text: str) -> Any:
    try:
        return tomllib.loads(text) if file.suffix.lower() == ".toml" else msgspec.json.decode(text)
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, RecursionError) as error:
        form = file.suffix.lower().removeprefix(".").upper()
        raise errors.UserError(f"{str(file)!r} is not valid {form}: {error}") from error
