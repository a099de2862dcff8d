"""Patients as numbers: from a user's file with checked columns, or data that come with the libraries."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qfleet_applications.errors import InvalidData, InvalidProblem
from qfleet_applications.frame.columns import Column, Frame, read
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.pseudonyms import pseudonyms
from qfleet_applications.healthcare.validation import INNER, OUTER, Ints

RECORD = "record"
"""An optional column: what identifies a row. It is read to be replaced with a pseudonym at once."""
LARGEST = 1e100
"""The largest number of a feature: squares of larger ones overflow."""
LEAST_EACH = OUTER * INNER
"""Rows of each class: one for each inner fold of each outer one."""


@dataclass(frozen=True)
class Cohort:
    """``rows`` (n, features) and what is known of each: ``labels`` (n,) of 0 and 1, ``times`` (n,) or none.

    For survival a label of 1 is an event, 0 the end of observation, and times are counted from entry.
    ``names`` are pseudonyms.
    """

    name: str
    features: tuple[str, ...]
    rows: Floats
    labels: Ints
    names: tuple[str, ...]
    times: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be validated.

        Raises:
            InvalidProblem: a class has too few rows.
        """
        for label in (0, 1):
            number = int(np.sum(self.labels == label))
            if number < LEAST_EACH:
                told = f"{self.name}: class {label} has {number} rows, and at least {LEAST_EACH} are needed"
                raise InvalidProblem(told, hint="each inner fold of each outer one needs a row of each class")

    def part(self, number: int, seed: int) -> "Cohort":
        """So many rows, drawn with the seed in the same shares of both classes.

        Raises:
            InvalidProblem: there are fewer.
        """
        from sklearn.model_selection import train_test_split  # noqa: PLC0415 - slow

        total = len(self.labels)
        if not 2 * LEAST_EACH <= number <= total:
            told = f"{number} rows of {total} were asked for"
            raise InvalidProblem(told, hint=f"ask for {2 * LEAST_EACH} to {total}")
        if number == total:
            return self
        every = np.arange(total)
        drawn, _ = train_test_split(every, train_size=number, stratify=self.labels, random_state=seed)
        kept = np.sort(drawn)
        times = None if self.times is None else self.times[kept]
        names = tuple(self.names[at] for at in kept)
        return replace(self, rows=self.rows[kept], labels=self.labels[kept], names=names, times=times)


def breast_cancer(key: bytes) -> Cohort:
    """Wisconsin diagnostic breast cancer, 569 biopsies and 30 features; class 1 is malignant."""
    from sklearn.datasets import load_breast_cancer  # noqa: PLC0415 - slow

    found = load_breast_cancer()
    labels = (1 - found.target).astype(np.int64)
    features = tuple(map(str, found.feature_names))
    names = pseudonyms(key, tuple(map(str, range(1, len(labels) + 1))))
    return Cohort("Wisconsin breast cancer", features, found.data, labels, names)


def breast_cancer_survival(key: bytes) -> Cohort:
    """The German Breast Cancer Study Group's trial 2: 686 patients, 8 features, recurrence-free days."""
    from lifelines.datasets import load_gbsg2  # noqa: PLC0415 - slow

    table = load_gbsg2()
    numbers = [
        (table["horTh"] == "yes").astype(float),
        (table["menostat"] == "Post").astype(float),
        table["tgrade"].map({"I": 1.0, "II": 2.0, "III": 3.0}),
        *(table[name].astype(float) for name in ("age", "tsize", "pnodes", "progrec", "estrec")),
    ]
    features = ("hormones", "postmenopausal", "grade", "age", "size", "nodes", "progesterone", "oestrogen")
    names = pseudonyms(key, tuple(map(str, range(1, len(table) + 1))))
    rows = np.array([column.to_numpy() for column in numbers], dtype=float).T
    labels = table["cens"].to_numpy(dtype=np.int64)
    return Cohort("GBSG2", features, rows, labels, names, table["time"].to_numpy(dtype=float))


def load(file: Path, outcomes: tuple[str, str], features: Sequence[str], key: bytes) -> Cohort:
    """Read a user's CSV; ``outcomes`` are the columns of the label and of the time in days ("" for none).

    ``features`` are columns of numbers, in a unit where one is spelled (``age [year]``); with
    none of them every other column but ``record`` is one.

    Raises:
        InvalidData: a column is missing, in another unit, or no number.
        InvalidProblem: a class has too few rows.
    """
    label, time = outcomes
    known = {RECORD, label, time}
    there = _heading(file)
    told = [(name, unit or dict(there).get(name, "")) for name, unit in map(split_unit, features)]
    wanted = told or [one for one in there if one[0] not in known]
    if not wanted:
        raise InvalidData(file, "no column of features is left", hint=f"add some beside {label!r}")
    columns = [Column(name, unit, low=-LARGEST, high=LARGEST) for name, unit in wanted]
    asked = [
        *columns,
        Column(label, kind="integer", low=0, high=1),
        Column(RECORD, kind="text", optional=True),
    ]
    if time:
        asked.append(Column(time, unit="day", low=1e-9))
    frame = read(file, asked, least_rows=2 * LEAST_EACH)
    records = _records(frame)
    first = {one: at for at, one in reversed(list(enumerate(records)))}
    if len(first) < len(records):
        twice = next(at for at, one in enumerate(records) if first[one] < at)
        what = "a record stands there twice: a patient would be trained on and tested on"
        raise InvalidData(file, what, line=frame.lines[twice], column=RECORD, hint="give one row for each")
    names = pseudonyms(key, records)
    rows = np.array([frame.numbers(column.name) for column in columns]).T
    labels = frame.numbers(label).astype(np.int64)
    times = frame.numbers(time) if time else None
    return Cohort(file.stem, tuple(column.name for column in columns), rows, labels, names, times)


def _records(frame: Frame) -> tuple[str, ...]:
    return tuple(frame.texts(RECORD)) if frame.has(RECORD) else tuple(map(str, frame.lines))


def _heading(file: Path) -> list[tuple[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            return [split_unit(cell) for cell in next(csv.reader(opened), [])]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidData(file, f"it cannot be read as CSV in UTF-8: {error}") from error


def split_unit(cell: str) -> tuple[str, str]:
    """A heading as its name and its unit: ``age [year]``; no unit is ""."""
    name, _, unit = cell.strip().partition("[")
    return name.strip(), unit.removesuffix("]").strip()
