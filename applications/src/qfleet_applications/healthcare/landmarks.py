"""Public points that stand between sites: no patients, the same at all sites, drawn from public ranges."""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from sklearn.metrics.pairwise import rbf_kernel

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.frame.columns import Column, read
from qfleet_applications.healthcare import scaling
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.site import SiteKernels

Matrix: TypeAlias = tuple[tuple[float, ...], ...]
Block: TypeAlias = Callable[[Floats, Floats], Floats]
"""A kernel: angles (n, k) and (m, k) to the block (n, m)."""
LARGEST_POINTS = 256
_DIGITS = 16


class Landmarks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points (m, features), and how many components they are reduced to; ``features`` are their headings."""

    points: Matrix
    components: int
    features: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What tells these landmarks from others: the first 64 bits of their SHA-256."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:_DIGITS]

    def angles(self, rows: Floats) -> Floats:
        """Rows (n, features) as angles (n, components), fitted to the landmarks alone."""
        known = np.array(self.points)
        reduced = scaling.components(known, known, self.components)
        return scaling.angles(reduced, scaling.components(known, rows, self.components))

    @property
    def own_angles(self) -> Floats:
        """Those of the points themselves, (m, components)."""
        return self.angles(np.array(self.points))


def checked(landmarks: Landmarks) -> Landmarks:
    """Refuse landmarks that mean nothing.

    Raises:
        InvalidProblem: too few or many points, of different lengths, not finite, or with too many components.
    """
    number, widths = len(landmarks.points), {len(point) for point in landmarks.points}
    if not 2 <= number <= LARGEST_POINTS:
        raise InvalidProblem(f"{number} landmarks", hint=f"take 2 to {LARGEST_POINTS}")
    if len(widths) != 1 or (landmarks.features and widths != {len(landmarks.features)}):
        raise InvalidProblem("the landmarks' points have different numbers of features")
    if not all(math.isfinite(value) for point in landmarks.points for value in point):
        raise InvalidProblem("a landmark holds a number that is not finite")
    most = min(number, *widths)
    if not 1 <= landmarks.components <= most:
        told = f"{landmarks.components} components of {number} landmarks with {widths.pop()} features"
        raise InvalidProblem(told, hint=f"take 1 to {most}")
    return landmarks


def drawn(
    ranges: tuple[Floats, Floats], features: tuple[str, ...], number: int, components: int, seed: int
) -> Landmarks:
    """Points that are uniform between the lows and the highs, each (features,).

    Raises:
        InvalidProblem: see ``checked``.
    """
    points = np.random.default_rng(seed).uniform(*ranges, (number, len(features)))
    return checked(Landmarks(tuple(map(tuple, points.tolist())), components, features))


def ranges(file: Path) -> tuple[tuple[str, ...], Floats, Floats]:
    """Read a CSV with the columns ``feature`` (``age [year]``), ``low`` and ``high``.

    Raises:
        InvalidData: it lacks a column, or holds no numbers.
        InvalidProblem: a feature stands there twice, or its range is empty.
    """
    frame = read(file, [Column("feature", kind="text"), Column("low"), Column("high")])
    names, low, high = tuple(frame.texts("feature")), frame.numbers("low"), frame.numbers("high")
    for name, least, most in zip(names, low, high, strict=True):
        if names.count(name) > 1:
            raise InvalidProblem(f"{name!r} has two ranges", hint="keep one")
        if not least < most:
            raise InvalidProblem(f"{name!r}: {least:g} to {most:g} is no range", hint="low is below high")
    return names, low, high


def zz(local: SiteKernels) -> Block:
    """The fidelity kernel of the ZZ map, by a local engine."""
    return lambda rows, columns: local.block(rows, columns, "zz")


def gaussian(landmarks: Landmarks) -> Block:
    """The classical kernel beside it: a Gaussian whose width is the landmarks' (scikit-learn's ``scale``)."""
    own = landmarks.own_angles
    gamma = 1.0 / (landmarks.components * float(own.var()))
    return lambda rows, columns: np.asarray(rbf_kernel(rows, columns, gamma=gamma), dtype=np.float64)
