"""One classifier for the patients of several sites, from sums over public landmarks; no row leaves its site.

The kernel is Nyström's over m landmarks, points that are no patients (Williams and Seeger, NIPS 13, 682,
2001). A site computes its block K (n, m) with the landmarks where its rows lie, and gives away KᵀK (m, m),
Kᵀy (m,) and how many rows it has. Kernel least squares needs no more:

    (Σ KᵀK + λ M) α = Σ Kᵀy,    decision = k(x) α,

with M the landmarks' own kernel, which anybody computes. All sites scale by the landmarks, not by their rows.

Sums leak too. Whoever has those of all rows but one, or of two requests that differ by a row, has that row's
kernel values and its label. And there are m (m + 3) / 2 of them: as many equations for the rows' angles, so
that few rows with few components might be solved for. Sums over too few rows are refused by counting, which
is a precaution and no proof.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.landmarks import Block, Landmarks, Matrix
from qfleet_applications.healthcare.validation import Ints

LEAST_ROWS_EACH = 4
"""Rows for each landmark: a sum over fewer is nearly the rows themselves."""
RIDGE = 1e-3
_JITTER = 1e-9


class Sums(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a site gives away: KᵀK, Kᵀy with labels -1 and 1, and its number of rows."""

    square: Matrix
    labelled: tuple[float, ...]
    rows: int


def least_rows(landmarks: Landmarks, kernels: int = 1) -> int:
    """Rows that a site must have: more angles than the sums of so many kernels are equations for them."""
    number = len(landmarks.points)
    equations = kernels * number * (number + 3) // 2
    return max(LEAST_ROWS_EACH * number, -(-equations // landmarks.components) + 1)


def check_rows(rows: int, landmarks: Landmarks, kernels: int = 1) -> None:
    """Refuse sums over too few rows.

    Raises:
        InvalidProblem: there are fewer than ``least_rows``.
    """
    least = least_rows(landmarks, kernels)
    if rows < least:
        told = f"{rows} rows and {len(landmarks.points)} landmarks: the sums might be solved for the rows"
        raise InvalidProblem(told, hint=f"have at least {least} rows, or agree on fewer landmarks")


def summed(known: Floats, labels: Ints, landmarks: Landmarks) -> Sums:
    """The sums of a site by its block ``known`` (n, m) and ``labels`` (n,) of 0 and 1, computed there.

    Raises:
        InvalidProblem: it has too few rows.
    """
    check_rows(len(known), landmarks)
    square = tuple(map(tuple, (known.T @ known).tolist()))
    return Sums(square, tuple((known.T @ (2.0 * labels - 1.0)).tolist()), len(known))


def joined(sums: Sequence[Sums], own: Floats) -> Floats:
    """The coefficients α (m,) of all sites' classifier; ``own`` (m, m) is the landmarks' kernel.

    Raises:
        InvalidProblem: there are no sums, or of other landmarks.
    """
    number = len(own)
    if not sums or any(
        np.shape(one.square) != (number, number) or len(one.labelled) != number for one in sums
    ):
        told = f"{len(sums)} sites: their sums are not those of {number} landmarks"
        raise InvalidProblem(told, hint="give all sites the same landmarks")
    square = np.sum([one.square for one in sums], axis=0)
    labelled = np.sum([one.labelled for one in sums], axis=0)
    left = square + RIDGE * sum(one.rows for one in sums) * (own + _JITTER * np.eye(number))
    return np.asarray(np.linalg.solve(left, labelled), dtype=np.float64)


def evaluated(rows: Floats, landmarks: Landmarks, block: Block) -> Floats:
    """The block (n, m) of rows (n, features); times α it is decisions, class 1 where they are positive."""
    return block(landmarks.angles(rows), landmarks.own_angles)
