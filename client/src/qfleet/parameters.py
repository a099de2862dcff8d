"""Parameter points of a job, from a file or from ranges on the command line.

Three forms, each a list of points (input name → value):

- ``FILE.csv``: the first line names the inputs, every other line is a point;
- ``FILE.json``: a list of objects, one per point, or one object of equally long lists;
- ``theta=0:3.14:24`` (start, stop, number of points, both ends included), ``theta=0,0.5,1`` or
  ``theta=pi/4``; several of them span a grid in which the last one varies fastest.

What the inputs mean is the compiler's business; here only their spelling is checked. Every error
says line, column or field.
"""

import csv
import itertools
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from qfleet import errors, numbers
from qfleet_wire.limits import LIMITS

Point = dict[str, float]

_FORMS = "give FILE.json, FILE.csv, name=start:stop:count, name=a,b,c or name=value"


def parse(arguments: Sequence[str]) -> tuple[Point, ...]:
    """Read the points that the arguments of ``--parameters`` describe; none for no argument.

    Raises:
        UserError: with the place and what is expected there.
    """
    files = [argument for argument in arguments if "=" not in argument]
    if not files:
        return _grid(arguments) if arguments else ()
    if len(arguments) > 1:
        raise errors.UserError(
            f"--parameters {files[0]!r} cannot be combined with others",
            hint="a file holds whole points; " + _FORMS,
        )
    return _file(Path(files[0]))


def _file(file: Path) -> tuple[Point, ...]:
    readers = {".json": _json, ".csv": _csv}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise errors.UserError(
            f"--parameters {str(file)!r} is neither a range nor a file type known", hint=_FORMS
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(f"cannot read the parameters in {str(file)!r}: {error}") from error
    points = reader(text, str(file))
    if not points:
        raise errors.UserError(f"{file}: no parameter point in it")
    return _counted(points, str(file))


def _grid(arguments: Sequence[str]) -> tuple[Point, ...]:
    """The product of ranges; the last varies fastest."""
    axes: dict[str, tuple[float, ...]] = {}
    for argument in arguments:
        name, _, text = argument.partition("=")
        name = _name(name, f"--parameters {argument!r}")
        if name in axes:
            raise errors.UserError(f"--parameters: input {name!r} is given twice")
        axes[name] = _axis(text, f"--parameters {argument!r}")
    size = math.prod(len(axis) for axis in axes.values())
    _check_count(size, "--parameters")
    return tuple(dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))


def _axis(text: str, where: str) -> tuple[float, ...]:
    if ":" not in text:
        return tuple(numbers.parse(value, where) for value in text.split(","))
    fields = text.split(":")
    if len(fields) != 3:
        raise errors.UserError(f"{where}: a range has three fields, not {len(fields)}", hint=_FORMS)
    start, stop = (numbers.parse(value, where) for value in fields[:2])
    if not fields[2].strip().isdecimal() or (count := int(fields[2])) < 1:
        raise errors.UserError(
            f"{where}: {fields[2][:80]!r} is not a number of points, 1 or more", hint=_FORMS
        )
    _check_count(count, where)
    if count == 1:
        return (start,)
    return tuple(start + (stop - start) * step / (count - 1) for step in range(count))


def _csv(text: str, file: str) -> list[Point]:
    rows = csv.reader(text.splitlines(), strict=True)
    points: list[Point] = []
    names: list[str] | None = None
    try:
        for row in rows:
            where = f"{file}, line {rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if names is None:
                names = _distinct([_name(cell, where) for cell in row], where)
                continue
            if len(row) != len(names):
                raise errors.UserError(f"{where}: {len(row)} values for {len(names)} inputs")
            cells = enumerate(zip(names, row, strict=True), start=1)
            points.append(
                {
                    name: numbers.parse(cell, f"{where}, column {column} (input {name!r})")
                    for column, (name, cell) in cells
                }
            )
    except csv.Error as error:
        raise errors.UserError(f"{file}, line {rows.line_num}: not valid CSV: {error}") from error
    return points


def _json(text: str, file: str) -> list[Point]:
    try:
        content = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, file))
    except json.JSONDecodeError as error:
        raise errors.UserError(
            f"{file}, line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}"
        ) from error
    except RecursionError as error:
        raise errors.UserError(f"{file}: nested too deeply") from error
    if isinstance(content, dict):
        return _columns(content, file)
    if not isinstance(content, list):
        raise errors.UserError(f"{file}: neither a list of points nor an object of lists")
    return [_point(entry, f"{file}, point {number}") for number, entry in enumerate(content, start=1)]


def _columns(content: dict[str, Any], file: str) -> list[Point]:
    columns = {name: values if isinstance(values, list) else [values] for name, values in content.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise errors.UserError(f"{file}: the inputs have different numbers of values: {told}")
    rows = zip(*columns.values(), strict=True)
    return [
        _point(dict(zip(columns, row, strict=True)), f"{file}, point {number}")
        for number, row in enumerate(rows, start=1)
    ]


def _point(entry: Any, where: str) -> Point:
    if not isinstance(entry, dict):
        raise errors.UserError(
            f"{where}: {json.dumps(entry)[:80]} is not an object of input names and values"
        )
    point: Point = {}
    for name, value in entry.items():
        field = f"{where}, field {name!r}"
        if isinstance(value, str):
            point[_name(name, where)] = numbers.parse(value, field)
        elif isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            raise errors.UserError(f"{field}: {json.dumps(value)[:80]} is not a finite number")
        else:
            point[_name(name, where)] = float(value)
    return point


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of floats
        return False


def _object(pairs: list[tuple[str, Any]], file: str) -> dict[str, Any]:
    _distinct([name for name, _ in pairs], file)
    return dict(pairs)


def _name(text: str, where: str) -> str:
    name = text.strip()
    if not name.isidentifier():
        raise errors.UserError(f"{where}: {name[:80]!r} is not the name of an input")
    return name


def _distinct(names: list[str], where: str) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise errors.UserError(f"{where}: input {name!r} is given twice")
    return names


def _counted(points: Iterable[Point], where: str) -> tuple[Point, ...]:
    counted = tuple(points)
    _check_count(len(counted), where)
    return counted


def _check_count(count: int, where: str) -> None:
    if count > LIMITS.items:
        raise errors.UserError(f"{where}: {count} parameter points; a job has at most {LIMITS.items}")
