"""One classifier for the patients of several sites, from sums over public landmarks; no row leaves its site.

The kernel is Nyström's over m landmarks, points that are no patients (Williams and Seeger, NIPS 13, 682,
2001). A site computes its block K (n, m) with the landmarks where its rows lie, and gives away KᵀK (m, m),
Kᵀy (m,) and how many rows it has. Kernel least squares needs no more:

    (Σ KᵀK + λ M) α = Σ Kᵀy,    decision = k(x) α,

with M the landmarks' own kernel, which anybody computes. All sites scale by the landmarks, not by their rows.

Sums leak too: whoever has those of all rows but one, or of two requests that differ by a row, has that row's
kernel values and its label. They are not encrypted and carry no noise.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.healthcare import scaling
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.site import SiteKernels
from qfleet_applications.healthcare.validation import Ints

LEAST_ROWS_EACH = 4
"""Rows for each landmark: a sum over fewer is nearly the rows themselves."""
RIDGE = 1e-3
_JITTER = 1e-9
Matrix: TypeAlias = tuple[tuple[float, ...], ...]


class Landmarks(msgspec.Struct, frozen=True):
    """Public points (m, features), and how many components they are reduced to; the same at all sites."""

    points: Matrix
    components: int

    def angles(self, rows: Floats) -> Floats:
        """Rows (n, features) as angles (n, components), fitted to the landmarks alone."""
        known = np.array(self.points)
        reduced = scaling.components(known, known, self.components)
        return scaling.angles(reduced, scaling.components(known, rows, self.components))

    def kernel(self, local: SiteKernels) -> Floats:
        """The landmarks' own kernel (m, m)."""
        own = self.angles(np.array(self.points))
        return local.block(own, own, "zz")


class Sums(msgspec.Struct, frozen=True):
    """What a site gives away: KᵀK, Kᵀy with labels -1 and 1, and its number of rows."""

    square: Matrix
    labelled: tuple[float, ...]
    rows: int


def summed(rows: Floats, labels: Ints, landmarks: Landmarks, local: SiteKernels) -> Sums:
    """The sums of a site with ``rows`` (n, features) and ``labels`` (n,) of 0 and 1, computed there.

    Raises:
        InvalidProblem: it has too few rows for its sums to hide them.
    """
    most = len(rows) // LEAST_ROWS_EACH
    if len(landmarks.points) > most:
        told = f"{len(rows)} rows and {len(landmarks.points)} landmarks: the sums would nearly be the rows"
        raise InvalidProblem(told, hint=f"use at most {most} landmarks, or join sites with more rows")
    block = _block(rows, landmarks, local)
    square = tuple(map(tuple, (block.T @ block).tolist()))
    return Sums(square, tuple((block.T @ (2.0 * labels - 1.0)).tolist()), len(rows))


def joined(sums: Sequence[Sums], landmarks: Landmarks, local: SiteKernels) -> Floats:
    """The coefficients α (m,) of all sites' classifier.

    Raises:
        InvalidProblem: there are no sums, or of other landmarks.
    """
    number = len(landmarks.points)
    if not sums or any(np.shape(one.square) != (number, number) for one in sums):
        told = f"{len(sums)} sites: their sums are not those of {number} landmarks"
        raise InvalidProblem(told, hint="give all sites the same landmarks")
    square = np.sum([one.square for one in sums], axis=0)
    labelled = np.sum([one.labelled for one in sums], axis=0)
    total = sum(one.rows for one in sums)
    left = square + RIDGE * total * (landmarks.kernel(local) + _JITTER * np.eye(number))
    return np.asarray(np.linalg.solve(left, labelled), dtype=np.float64)


def told(rows: Floats, landmarks: Landmarks, weights: Floats, local: SiteKernels) -> Floats:
    """Decisions (n,) for a site's own rows, computed there; class 1 where they are positive."""
    return np.asarray(_block(rows, landmarks, local) @ weights, dtype=np.float64)


def _block(rows: Floats, landmarks: Landmarks, local: SiteKernels) -> Floats:
    return local.block(landmarks.angles(rows), landmarks.angles(np.array(landmarks.points)), "zz")
