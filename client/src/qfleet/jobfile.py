"""A whole job in a file: the fields of ``api.JobRequest`` as TOML or JSON.

What the fields mean is the control plane's business; here only their names and types are checked, so
that a slip of the pen is told with its place and nothing is sent.
"""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from qfleet import errors
from qfleet_wire import api
from qfleet_wire.limits import LIMITS

Asked = TypeVar("Asked", bound=msgspec.Struct)

SUFFIXES = frozenset({".toml", ".json"})
_LARGEST = LIMITS.frame_bytes
_UNKNOWN = re.compile(r"unknown field `([^`]*)`(?: - at `\$\.?([^`]*)`)?")


def is_job(file: Path) -> bool:
    """Whether a file's name says that it holds a job, not a program."""
    return file.suffix.lower() in SUFFIXES


def load(file: Path) -> api.JobRequest:
    """Read a job; its name is the file's unless it gives one.

    Raises:
        UserError: it cannot be read, or a field is unknown or of another type; with its place.
    """
    fields = _parsed(file, _text(file))
    if not isinstance(fields, dict):
        raise errors.UserError(
            f"{str(file)!r} holds no job", hint="write its fields: kind, program, shots, …"
        )
    return _converted(file, {"name": file.stem} | fields, api.JobRequest)


def load_noise(file: Path) -> api.NoiseRequest:
    """Read what stands under ``noise`` in a job, from a file of its own. Raises as ``load``."""
    fields = _parsed(file, _text(file))
    if not isinstance(fields, dict):
        hint = "write its fields: gates, qubits, readout, or a profile"
        raise errors.UserError(f"{str(file)!r} holds no noise", hint=hint)
    return _converted(file, fields, api.NoiseRequest)


def _converted(file: Path, fields: Any, kind: type[Asked]) -> Asked:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise errors.UserError(f"{str(file)!r}: {error}", hint=_nearest(str(error), kind)) from error


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise errors.UserError(f"{str(file)!r} has more than {_LARGEST} bytes")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(f"cannot read the job {str(file)!r}: {error}") from error


def _parsed(file: Path, text: str) -> Any:
    try:
        return tomllib.loads(text) if file.suffix.lower() == ".toml" else msgspec.json.decode(text)
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, RecursionError) as error:
        form = file.suffix.lower().removeprefix(".").upper()
        raise errors.UserError(f"{str(file)!r} is not valid {form}: {error}") from error


def _nearest(message: str, kind: type[msgspec.Struct]) -> str:
    """Name the field that was meant, among those of the place where an unknown one stands."""
    unknown = _UNKNOWN.search(message)
    if unknown is None:
        return ""
    known = sorted(_names(kind))
    near = difflib.get_close_matches(unknown[1], known, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else ""


def _names(kind: Any) -> set[str]:
    """Names of the fields of a struct and of all structs in it."""
    match msgspec.inspect.type_info(kind):
        case msgspec.inspect.StructType() as struct:
            return _fields(struct)
        case _:
            return set()


def _fields(kind: msgspec.inspect.Type) -> set[str]:
    match kind:
        case msgspec.inspect.StructType(fields=fields):
            return {field.name for field in fields}.union(*(_fields(field.type) for field in fields))
        case msgspec.inspect.UnionType(types=types):
            return set().union(*(_fields(each) for each in types))
        case msgspec.inspect.VarTupleType(item_type=item):
            return _fields(item)
        case _:
            return set()
