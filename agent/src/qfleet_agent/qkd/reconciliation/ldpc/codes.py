"""Quasi-cyclic LDPC codes of 16,384 bits for every error rate, built the same way on both ends.

A column of the base matrix stands for 128 bits, a row for 128 parities, an entry is a cyclic shift. Columns
get their rows and shifts one after the other, each where it closes no cycle of four edges and fewest of six:
progressive edge growth (Hu, Eleftheriou and Arnold, IEEE Trans. Inf. Theory 51, 386 (2005)) in a quasi-cyclic
matrix. How many columns have which degree was found for the binary symmetric channel by a linear program over
extrinsic information transfer charts (Richardson and Urbanke, Modern Coding Theory, chapters 3 and 4).
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from qfleet_agent.qkd.reconciliation.passes import Bits, Indices

Floats = NDArray[np.float32]
LIFT = 128
COLUMNS = 128
_CANDIDATES = 6
_DEGREES = (2, 3, 6, 9, 15)
_REDUNDANCY = (0.1, 0.2, 0.3, 0.4, 0.5)
_SHARES = (
    (0.095, 0.7217, 0.0847, 0.0986, 0.0),
    (0.19, 0.6367, 0.0215, 0.1518, 0.0),
    (0.285, 0.54, 0.0, 0.1685, 0.0065),
    (0.38, 0.4391, 0.0062, 0.1528, 0.0219),
    (0.458, 0.3285, 0.1368, 0.0, 0.0767),
)
"""Share of columns of each degree, at some ratios of rows to columns; between them in proportion.

There are fewer columns of degree two than rows: more decode nearer to the limit, but some frames never do.
"""

_DRAWN_AGAIN: Mapping[int, int] = {12: 2, 13: 1, 15: 3, 27: 1, 33: 1, 49: 1}
"""Codes by base rows whose first draw has light words, and the first draw without them.

Errors in half of a word's bits decode to the wrong half, and the syndrome does not tell: with 33 rows (2.5 %
of errors) there were 32 words of 8 bits: one wrong frame of 2,000, which only the verification sees. None of
these codes has a word of 16 bits or fewer made of columns of degree two and one or two others.
"""


class Code(msgspec.Struct, frozen=True):
    """A code: for each base row the bits of its parities, [degree, LIFT], and columns that may be punctured.

    No two of ``punctured`` meet in a row, so each can be found from bits that were not ("untainted": Elkouss,
    Martinez-Mateo and Martin, IEEE Wireless Commun. Lett. 1, 585 (2012)).
    """

    rows: tuple[Indices, ...]
    punctured: tuple[int, ...]


def syndrome(code: Code, bits: Bits) -> Bits:
    """Parities of [COLUMNS × LIFT, frames]: [rows, LIFT, frames]."""
    return np.stack([np.bitwise_xor.reduce(bits[row], axis=0) for row in code.rows])


@lru_cache(maxsize=4)
def code(rows: int) -> Code:
    """The code with so many base rows."""
    shifts = _Growth(rows).shifts
    places = np.arange(LIFT)
    indices = []
    for row in shifts:
        columns = np.flatnonzero(row >= 0)
        indices.append(columns[:, None] * LIFT + (places[None, :] + row[columns][:, None]) % LIFT)
    return Code(tuple(indices), _untainted(shifts))


def _untainted(shifts: Indices) -> tuple[int, ...]:
    """Columns of few entries that share no row, the later ones first."""
    used = np.zeros(shifts.shape[0], dtype=np.bool_)
    chosen = []
    degrees = (shifts >= 0).sum(axis=0)
    for column in sorted(range(COLUMNS), key=lambda at: (degrees[at] != 3, degrees[at], -at)):
        rows = shifts[:, column] >= 0
        if not used[rows].any():
            used |= rows
            chosen.append(column)
    return tuple(chosen)


def _degrees(rows: int) -> list[int]:
    shares = [np.interp(rows / COLUMNS, _REDUNDANCY, column) for column in zip(*_SHARES, strict=True)]
    ends = np.round(np.cumsum(shares) / np.sum(shares) * COLUMNS).astype(int)
    return [_DEGREES[int(np.searchsorted(ends, column, side="right"))] for column in range(COLUMNS)]


class _Growth:
    """Builds the base matrix; ``shifts`` has -1 where there is no entry."""

    def __init__(self, rows: int) -> None:
        self.shifts: Indices = np.full((rows, COLUMNS), -1, dtype=np.int64)
        # Which differences of shifts a pair of rows has in some column, and their Fourier transform.
        self._met = np.zeros((rows, rows, LIFT), dtype=np.float64)
        self._spectra = np.zeros((rows, rows, LIFT // 2 + 1), dtype=np.complex128)
        self._raw = np.random.Philox(key=rows + 1000 * _DRAWN_AGAIN.get(rows, 0))
        for column, degree in enumerate(_degrees(rows)):
            self._grow(column, min(degree, rows))

    def _grow(self, column: int, degree: int) -> None:
        rows: list[int] = []
        shifts: list[int] = []
        for _ in range(degree):
            row, shift = self._best(rows, shifts, chain=degree == 2)
            rows.append(row)
            shifts.append(shift)
        self.shifts[rows, column] = shifts
        for row, shift in zip(rows, shifts, strict=True):
            for other, its in zip(rows, shifts, strict=True):
                if row != other:
                    self._met[row, other, (shift - its) % LIFT] = 1.0
                    self._spectra[row, other] = np.fft.rfft(self._met[row, other])

    def _best(self, rows: list[int], shifts: list[int], *, chain: bool) -> tuple[int, int]:
        degrees = (self.shifts >= 0).sum(axis=1)
        order = np.lexsort((self._raw.random_raw(degrees.size), degrees))
        free = [int(row) for row in order if row not in rows][:_CANDIDATES]
        found: list[tuple[float, int, int]] = []
        for row in free:
            cost = np.zeros(LIFT)
            for other, shift in zip(rows, shifts, strict=True):
                six = np.fft.irfft((self._spectra[row] * self._spectra[:, other]).sum(axis=0), LIFT)
                cost += np.roll(1e6 * self._met[row, other] + np.round(six), shift)
            least = np.flatnonzero(cost == cost.min())
            at = int(least[int(self._raw.random_raw()) % least.size])
            uneven = float(degrees[row] - degrees[free[0]]) * (50.0 if chain else 3.0)
            found.append((float(cost.min()) + uneven, row, at))
        _, row, at = min(found, key=lambda one: one[0])
        return row, at
