"""Two-line element sets: their shape and checksums, which the propagator itself does not look at.

The format is that of Spacetrack Report 3 as CelesTrak describes it: 69 columns, the last one the sum of all
digits before it modulo 10, where a minus sign counts as 1.
"""

import datetime as dt

_LENGTH = 69
_FIRST_YEAR = 57
"""Years of two digits begin with that of the first satellite."""
_YEAR_DAYS = 367


def checksum(line: str) -> int:
    """Return the checksum of a line's first 68 columns."""
    return sum(int(c) if c.isdigit() else c == "-" for c in line[: _LENGTH - 1]) % 10


def faults(first: str, second: str) -> str | None:
    """Say what is wrong with an element set; None: nothing."""
    for number, line in ((1, first), (2, second)):
        if len(line) != _LENGTH:
            return f"line {number} of the TLE has {len(line)} columns instead of {_LENGTH}"
        if line[0] != str(number):
            return f"line {number} of the TLE begins with {line[0]!r}"
        if not line[-1].isdigit() or int(line[-1]) != checksum(line):
            return f"line {number} of the TLE ends with {line[-1]!r}, but its checksum is {checksum(line)}"
    if first[2:7] != second[2:7]:
        return f"the TLE's lines are of two satellites, {first[2:7].strip()} and {second[2:7].strip()}"
    return _wrong_number(first, second)


def epoch(first: str) -> dt.datetime:
    """Return the epoch of an element set that has no faults: columns 19 to 32, a year and a day of it."""
    year, day = int(first[18:20]), float(first[20:32])
    start = dt.datetime(year + (1900 if year >= _FIRST_YEAR else 2000), 1, 1, tzinfo=dt.UTC)
    return start + dt.timedelta(days=day - 1.0)


_FIELDS = (
    ("epoch", 0, 18, 32), ("inclination", 1, 8, 16), ("right ascension", 1, 17, 25),
    ("eccentricity", 1, 26, 33), ("argument of perigee", 1, 34, 42), ("mean anomaly", 1, 43, 51),
    ("mean motion", 1, 52, 63),
)  # fmt: skip


def _wrong_number(first: str, second: str) -> str | None:
    for name, line, start, end in _FIELDS:
        text = (first, second)[line][start:end].strip()
        try:
            value = float(text)
        except ValueError:
            return f"the {name} of the TLE is {text!r}, no number"
        if name == "epoch" and not (text[:2].isdigit() and 1 <= float(text[2:]) < _YEAR_DAYS):
            return f"the epoch of the TLE is {text!r}, no year and day of it"
        if name == "mean motion" and not 0 < value < 17:
            return f"the mean motion of the TLE is {value:g} revolutions a day, which no satellite has"
    return None
