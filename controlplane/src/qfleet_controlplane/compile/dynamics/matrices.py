"""The named operators as sparse matrices of one subsystem, in plain Python.

They are here to compare operators and to size them: two words that mean the same have the same matrix.
No state is ever evolved with them.
"""

import functools
import math
from typing import NamedTuple, TypeAlias

from qfleet_wire.workload.dynamics import Factor, Subsystem, Symbol

Entries: TypeAlias = dict[tuple[int, int], complex]
"""Entries that are not zero, by row and column."""

_DIGITS = 12
"""Entries are compared to so many digits."""


class Local(NamedTuple):
    """A matrix divided by its first entry that is not zero, by which it is known; hashable."""

    subsystem: int
    entries: tuple[tuple[int, int, complex], ...]

    def norm(self, highest: int | None = None) -> float:
        """Upper bound of the spectral norm: √(largest row sum × largest column sum).

        With ``highest``, of the part that acts on levels up to that one.
        """
        rows: dict[int, float] = {0: 0.0}
        columns: dict[int, float] = {0: 0.0}
        for row, column, value in self.entries:
            if highest is None or column <= highest:
                rows[row] = rows.get(row, 0.0) + abs(value)
                columns[column] = columns.get(column, 0.0) + abs(value)
        return math.sqrt(max(rows.values()) * max(columns.values()))

    @property
    def places(self) -> frozenset[tuple[int, int]]:
        """Where entries stand."""
        return frozenset((row, column) for row, column, _ in self.entries)


_FIXED: dict[Symbol, Entries] = {
    "X": {(0, 1): 1.0 + 0.0j, (1, 0): 1.0 + 0.0j},
    "Y": {(0, 1): -1.0j, (1, 0): 1.0j},
    "Z": {(0, 0): 1.0 + 0.0j, (1, 1): -1.0 + 0.0j},
}


def matrix(symbol: Symbol, subsystem: Subsystem, level: int = 0) -> Entries:
    """The matrix of a named operator; conventions as in ``workload.dynamics``."""
    levels = range(subsystem.levels)
    j = (subsystem.levels - 1) / 2
    if symbol in _FIXED:
        return _FIXED[symbol]
    match symbol:
        case "I":
            return {(k, k): 1.0 + 0.0j for k in levels}
        case "P":
            return {(level, level): 1.0 + 0.0j}
        case "n":
            return {(k, k): complex(k) for k in levels[1:]}
        case "Jz":
            return {(k, k): complex(j - k) for k in levels if j != k}
        case _:
            return _ladder(symbol, subsystem)


def _ladder(symbol: Symbol, subsystem: Subsystem) -> Entries:
    """Operators that step up or down: <k-1| a |k> = √k, <k-1| J₊ |k> = √(k(2j - k + 1))."""
    levels = range(1, subsystem.levels)
    if symbol in ("a", "adag"):
        sizes = {k: math.sqrt(k) for k in levels}
    else:
        sizes = {k: math.sqrt(k * (subsystem.levels - k)) for k in levels}
    towards_first = {(k - 1, k): complex(size) for k, size in sizes.items()}
    away = {(k, k - 1): complex(size) for k, size in sizes.items()}
    match symbol:
        case "a" | "Jp":
            return towards_first
        case "adag" | "Jm":
            return away
        case "Jx":
            return {place: size / 2 for place, size in (towards_first | away).items()}
        case _:
            return {place: size / 2j for place, size in towards_first.items()} | {
                place: -size / 2j for place, size in away.items()
            }


def local(
    factors: tuple[Factor, ...], index: int, subsystem: Subsystem
) -> tuple[complex, Local | None] | None:
    """A product of factors of one subsystem as scale × normalised matrix.

    The matrix is None for a multiple of the identity; the whole is None where the product vanishes.
    """
    return _local(tuple((factor.symbol, factor.level) for factor in factors), index, subsystem)


def dagger(one: Local) -> tuple[complex, Local]:
    """The adjoint of a normalised matrix, again as scale × normalised matrix."""
    turned = {(column, row): value.conjugate() for row, column, value in one.entries}
    return _normalised(turned, one.subsystem)


@functools.lru_cache(maxsize=4096)
def _local(
    symbols: tuple[tuple[Symbol, int], ...], index: int, subsystem: Subsystem
) -> tuple[complex, Local | None] | None:
    product = matrix("I", subsystem)
    for symbol, level in symbols:
        product = _times(product, matrix(symbol, subsystem, level))
    if not product:
        return None
    scale, normalised = _normalised(product, index)
    identity = len(product) == subsystem.levels and all(
        row == column and value == 1 for row, column, value in normalised.entries
    )
    return scale, None if identity else normalised


def _times(left: Entries, right: Entries) -> Entries:
    rows: dict[int, list[tuple[int, complex]]] = {}
    for (row, column), value in right.items():
        rows.setdefault(row, []).append((column, value))
    found: Entries = {}
    for (row, middle), one in left.items():
        for column, other in rows.get(middle, ()):
            found[row, column] = found.get((row, column), 0.0) + one * other
    return {place: value for place, value in found.items() if value != 0}


def _normalised(entries: Entries, index: int) -> tuple[complex, Local]:
    ordered = sorted(entries.items())
    scale = ordered[0][1]
    return scale, Local(
        index, tuple((row, column, _rounded(value / scale)) for (row, column), value in ordered)
    )


def _rounded(value: complex) -> complex:
    # Adding 0 makes a negative zero positive, so that equal entries are equal.
    return complex(float(f"{value.real:.{_DIGITS}g}") + 0.0, float(f"{value.imag:.{_DIGITS}g}") + 0.0)
