"""What sites pass to each other as files: landmarks, the sums of one site, and the classifier of all.

None holds a row, a name or a pseudonym. Each names the landmarks that it belongs to by their digest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import msgspec
import numpy as np

from qfleet_applications.errors import InvalidData, InvalidProblem
from qfleet_applications.frame.columns import Column, read
from qfleet_applications.healthcare import landmarks as public
from qfleet_applications.healthcare.cohorts import LARGEST, RECORD, split_unit
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.joining import Sums, check_rows, evaluated, joined, summed
from qfleet_applications.healthcare.landmarks import Block, Landmarks
from qfleet_applications.healthcare.pseudonyms import pseudonyms
from qfleet_applications.healthcare.site import SiteKernels
from qfleet_applications.healthcare.validation import Ints

KernelName: TypeAlias = Literal["zz", "gaussian"]
KERNELS: tuple[KernelName, ...] = ("zz", "gaussian")
"""The quantum kernel and the classical one beside it: both are trained by the same sums."""
_LARGEST_BYTES = 64 * 1024 * 1024
Kept = TypeVar("Kept", bound=msgspec.Struct)


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one site gives away: the sums of each kernel."""

    landmarks: str
    sums: dict[KernelName, Sums]


class Classifier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The classifier of all sites: coefficients (m,) of each kernel, and how many rows trained them."""

    landmarks: str
    weights: dict[KernelName, tuple[float, ...]]
    sites: int
    rows: int


@dataclass(frozen=True)
class SiteRows:
    """A site's rows (n, features), their ``labels`` (n,) of 0 and 1 where they are known, and pseudonyms."""

    rows: Floats
    labels: Ints | None
    names: tuple[str, ...]


def blocks(landmarks: Landmarks, local: SiteKernels) -> dict[KernelName, Block]:
    """The kernels by name."""
    return {"zz": public.zz(local), "gaussian": public.gaussian(landmarks)}


def give(rows: Floats, labels: Ints, landmarks: Landmarks, local: SiteKernels) -> Given:
    """The sums of both kernels over a site's rows.

    Raises:
        InvalidProblem: it has too few rows.
    """
    check_rows(len(rows), landmarks, len(KERNELS))
    return Given(
        landmarks.digest,
        {
            name: summed(evaluated(rows, landmarks, block), labels, landmarks)
            for name, block in blocks(landmarks, local).items()
        },
    )


def join(given: Sequence[Given], landmarks: Landmarks, local: SiteKernels) -> Classifier:
    """The classifier of all sites.

    Raises:
        InvalidProblem: a site's sums are of other landmarks, are not finite, or stand there twice.
    """
    for at, one in enumerate(given):
        if one.landmarks != landmarks.digest or set(one.sums) != set(KERNELS):
            told = (
                f"the sums of site {at + 1} are of other landmarks ({one.landmarks}, not {landmarks.digest})"
            )
            raise InvalidProblem(told, hint="give all sites the same landmarks")
        if one in given[:at]:
            raise InvalidProblem(f"the sums of site {at + 1} stand there twice", hint="name each file once")
    own = landmarks.own_angles
    weights = {
        name: tuple(joined([one.sums[name] for one in given], block(own, own)).tolist())
        for name, block in blocks(landmarks, local).items()
    }
    if not all(math.isfinite(value) for values in weights.values() for value in values):
        raise InvalidProblem("the sums hold numbers that are not finite, or are too large")
    return Classifier(landmarks.digest, weights, len(given), sum(one.sums["zz"].rows for one in given))


def load(file: Path, kind: type[Kept]) -> Kept:
    """Read one of these files.

    Raises:
        InvalidData: it cannot be read, or is another.
    """
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise InvalidData(file, f"it has more than {_LARGEST_BYTES} bytes")
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise InvalidData(file, f"it cannot be read: {error.strerror or error}") from error
    except msgspec.MsgspecError as error:
        hint = "pass on the file that `qfleet app healthcare join` wrote, unchanged"
        raise InvalidData(file, f"it holds no {kind.__name__.lower()}: {error}", hint=hint) from error


def load_landmarks(file: Path) -> Landmarks:
    """Read landmarks whose features have names, by which a site finds its columns.

    Raises:
        InvalidData: it cannot be read, or is another file.
        InvalidProblem: the landmarks mean nothing.
    """
    found = public.checked(load(file, Landmarks))
    if not found.features:
        raise InvalidData(file, "its features have no names", hint="draw landmarks with `join points`")
    return found


def keep(file: Path, kept: msgspec.Struct) -> None:
    """Write one of these files.

    Raises:
        InvalidData: it cannot be written.
    """
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
    except OSError as error:
        raise InvalidData(file, f"it cannot be written: {error.strerror or error}") from error


def site_rows(file: Path, landmarks: Landmarks, label: str, key: bytes, *, labelled: bool) -> SiteRows:
    """Read a site's CSV: the landmarks' features in their units, and ``label``.

    The label may lack unless they are to be ``labelled``.

    Raises:
        InvalidData: a column is missing, in another unit, or no number.
    """
    columns = [Column(*split_unit(name), low=-LARGEST, high=LARGEST) for name in landmarks.features]
    known = Column(label, kind="integer", low=0, high=1, optional=not labelled)
    frame = read(file, [*columns, known, Column(RECORD, kind="text", optional=True)])
    records = frame.texts(RECORD) if frame.has(RECORD) else list(map(str, frame.lines))
    rows = np.array([frame.numbers(column.name) for column in columns]).T
    labels = frame.numbers(label).astype(np.int64) if frame.has(label) else None
    return SiteRows(rows, labels, pseudonyms(key, records))
