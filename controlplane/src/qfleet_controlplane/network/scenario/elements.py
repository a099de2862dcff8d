"""Two-line element sets: their shape, checksums and ranges, none of which the propagator looks at.

The format is that of Spacetrack Report 3 as CelesTrak describes it: 69 columns, the last one the sum of all
digits before it modulo 10, where a minus sign counts as 1. A checksum does not see letters, points and
blanks, so each field is held to its columns too: the propagator would read a misplaced one as not a number
and give a satellite that never rises.
"""

import datetime as dt
import re

_LENGTH = 69
_NUMBER = r"[ \dA-HJ-NP-Z][ \d]{4}"
"""Catalogue numbers, with a letter in front from 100,000 on (Alpha-5)."""
_ANGLE = r" *\d+\.\d{4}"
_SMALL = r"[ +-][ \d]{4}\d[ +-]\d"
"""A decimal fraction without its point, and an exponent."""

_FIELDS: tuple[tuple[str, int, int, int, str], ...] = (
    ("satellite number", 1, 3, 7, _NUMBER), ("epoch", 1, 19, 32, r"\d\d[ \d]{2}\d\.\d{8}"),
    ("first derivative", 1, 34, 43, r"[ +-]\.\d{8}"), ("second derivative", 1, 45, 52, _SMALL),
    ("drag term", 1, 54, 61, _SMALL), ("satellite number", 2, 3, 7, _NUMBER),
    ("inclination", 2, 9, 16, _ANGLE), ("right ascension", 2, 18, 25, _ANGLE),
    ("eccentricity", 2, 27, 33, r"\d{7}"), ("argument of perigee", 2, 35, 42, _ANGLE),
    ("mean anomaly", 2, 44, 51, _ANGLE), ("mean motion", 2, 53, 63, r" *\d+\.\d{8}"),
)  # fmt: skip
"""Name, line, first and last column counted from 1, and what stands there."""
_BLANKS = {1: (2, 9, 18, 33, 44, 53, 62, 64), 2: (2, 8, 17, 26, 34, 43, 52)}
_RANGES = {
    "inclination": (0.0, 180.0), "right ascension": (0.0, 360.0), "argument of perigee": (0.0, 360.0),
    "mean anomaly": (0.0, 360.0), "mean motion": (0.01, 17.0),
}  # fmt: skip
_LAST_DAY = 367.0
_FIRST_YEAR = 57
"""Years of two digits begin with that of the first satellite."""


def checksum(line: str) -> int:
    """Return the checksum of a line's first 68 columns."""
    return sum(ord(c) - ord("0") if "0" <= c <= "9" else c == "-" for c in line[: _LENGTH - 1]) % 10


def faults(first: str, second: str) -> str | None:
    """Say what is wrong with an element set; None: nothing."""
    for number, line in ((1, first), (2, second)):
        if len(line) != _LENGTH:
            return f"line {number} of the TLE has {len(line)} columns instead of {_LENGTH}"
        if line[0] != str(number):
            return f"line {number} of the TLE begins with {line[0]!r}"
        if not line.isascii() or not line.isprintable():
            return f"line {number} of the TLE has characters that no TLE has"
        if line[-1] != str(checksum(line)):
            return f"line {number} of the TLE ends with {line[-1]!r}, but its checksum is {checksum(line)}"
    if first[2:7] != second[2:7]:
        return f"the TLE's lines are of two satellites, {first[2:7].strip()} and {second[2:7].strip()}"
    return _misplaced((first, second)) or _impossible((first, second))


def epoch(first: str) -> dt.datetime:
    """Return the epoch of an element set that has no faults: columns 19 to 32, a year and a day of it."""
    year, day = int(first[18:20]), float(first[20:32])
    start = dt.datetime(year + (1900 if year >= _FIRST_YEAR else 2000), 1, 1, tzinfo=dt.UTC)
    return start + dt.timedelta(days=day - 1.0)


def _misplaced(lines: tuple[str, str]) -> str | None:
    for name, number, start, end, pattern in _FIELDS:
        text = lines[number - 1][start - 1 : end]
        if not re.fullmatch(pattern, text):
            return f"the {name} of the TLE, columns {start} to {end} of line {number}, is {text!r}"
    for number, columns in _BLANKS.items():
        for column in columns:
            if lines[number - 1][column - 1] != " ":
                return f"column {column} of line {number} of the TLE is not blank"
    return None


def _impossible(lines: tuple[str, str]) -> str | None:
    day = float(lines[0][20:32])
    if not 1.0 <= day < _LAST_DAY:
        return f"the epoch of the TLE is day {day:g} of its year, which no year has"
    for name, number, start, end, _ in _FIELDS:
        least, most = _RANGES.get(name, (None, None))
        if least is None or most is None:
            continue
        value = float(lines[number - 1][start - 1 : end])
        if not least <= value <= most:
            return f"the {name} of the TLE is {value:g}, and must be in [{least:g}, {most:g}]"
    return None
