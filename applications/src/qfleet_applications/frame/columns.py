"""A user's table: CSV with named columns, checked for presence, numbers, ranges and units.

A heading may give a unit, ``load [MW]``. Another unit than the column's is refused, never converted: a
conversion that nobody asked for hides a slip of the pen.
"""

import csv
import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from qfleet_applications.errors import InvalidData

LARGEST_BYTES = 64 * 1024 * 1024
_HEADING = re.compile(r"^(.*?)\s*(?:\[(.*)\])?$")

Kind: TypeAlias = Literal["number", "integer", "text"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a pack reads; ``low`` and ``high`` bound its numbers, both included."""

    name: str
    unit: str = ""
    kind: Kind = "number"
    low: float = -math.inf
    high: float = math.inf
    optional: bool = False


@dataclass(frozen=True)
class Frame:
    """The columns of a file that were asked for and are there, row by row."""

    file: Path
    cells: dict[str, list[str]]
    lines: tuple[int, ...]
    """The line of each row in the file, from 1."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.lines)

    def has(self, name: str) -> bool:
        """Whether the file has an optional column."""
        return name in self.cells

    def texts(self, name: str) -> list[str]:
        """A column as text."""
        return list(self.cells[name])

    def numbers(self, name: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """A column of numbers, shape (rows,)."""
        return np.array([float(cell) for cell in self.cells[name]])


def read(file: Path, columns: Sequence[Column], *, least_rows: int = 1) -> Frame:
    """Read the columns of a CSV file with a heading; other columns of it are let be.

    Raises:
        InvalidData: it cannot be read, or lacks a column, or a cell is not what its column holds.
    """
    lines = _lines(file)
    heading = lines[0][1] if lines else []
    places = _places(file, heading, columns)
    cells: dict[str, list[str]] = {column.name: [] for column, _ in places}
    for line, row in lines[1:]:
        if len(row) != len(heading):
            raise InvalidData(file, f"{len(row)} cells below {len(heading)} columns", line=line)
        for column, place in places:
            cells[column.name].append(_cell(file, column, row[place].strip(), line))
    if len(lines) - 1 < least_rows:
        raise InvalidData(file, f"it has {max(len(lines) - 1, 0)} rows, and at least {least_rows} are needed")
    return Frame(file, cells, tuple(line for line, _ in lines[1:]))


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """Rows that hold anything, each with the number of its (last) line."""
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise InvalidData(file, f"it has more than {LARGEST_BYTES} bytes", hint="give a part of it")
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = csv.reader(opened, strict=True)
            return [(rows.line_num, row) for row in rows if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidData(file, f"it cannot be read as CSV in UTF-8: {error}") from error


def _places(file: Path, heading: Sequence[str], columns: Sequence[Column]) -> list[tuple[Column, int]]:
    names, units = zip(*(_split(cell) for cell in heading), strict=True) if heading else ((), ())
    found = []
    for column in columns:
        if column.name not in names:
            if column.optional:
                continue
            near = difflib.get_close_matches(column.name, names, n=1)
            hint = f"is {near[0]!r} meant? " if near else ""
            hint += f"needed are {', '.join(one.name for one in columns if not one.optional)}"
            raise InvalidData(file, "there is no such column", line=1, column=column.name, hint=hint)
        if names.count(column.name) > 1:
            raise InvalidData(file, "the column stands there twice", line=1, column=column.name)
        place = names.index(column.name)
        if units[place] and units[place] != column.unit:
            ours = f"[{column.unit}]" if column.unit else "no unit"
            raise InvalidData(
                file,
                f"it is in [{units[place]}], and {ours} is needed",
                line=1,
                column=column.name,
                hint="convert the numbers and write the new unit",
            )
        found.append((column, place))
    return found


def _split(cell: str) -> tuple[str, str]:
    match = _HEADING.match(cell.strip())
    assert match is not None
    return match[1], (match[2] or "").strip()


def _cell(file: Path, column: Column, text: str, line: int) -> str:
    if column.kind == "text":
        if not text:
            raise InvalidData(file, "the cell is empty", line=line, column=column.name)
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidData(
            file, f"{text!r} is no finite number", line=line, column=column.name, hint="write it like -1234.5"
        )
    if column.kind == "integer" and not value.is_integer():
        raise InvalidData(file, f"{text} is no whole number", line=line, column=column.name)
    if not column.low <= value <= column.high:
        unit = f" {column.unit}" if column.unit else ""
        bounds = f"{column.low:g} to {column.high:g}{unit}"
        raise InvalidData(file, f"{text} is not within {bounds}", line=line, column=column.name)
    return text
