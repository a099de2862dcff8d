"""What the results of a job's tasks add up to.

Any order of results, any number of times, any split into tasks: the same answer. Pieces are put in
order of item and block before anything is added, and floating-point sums are exact
(``math.fsum``). A piece that comes twice must be the same both times.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias, TypeVar

from qfleet_controlplane.errors import RemoteError
from qfleet_wire import workload

Piece = TypeVar("Piece", workload.SampleCounts, workload.Moments)
One = TypeVar("One", workload.AmplitudeValue, workload.PhiValue, workload.KernelValues)
Averaged: TypeAlias = workload.ExpectResult | workload.DynamicsResult
"""Results whose items have moments."""


class MergeConflict(RemoteError):
    """Two results claim the same block of a job and differ."""


class Counts(NamedTuple):
    """Counts of one item over all its blocks; outcomes as integers, ascending."""

    shots: int
    counts: dict[int, int]


class Value(NamedTuple):
    """An expectation value; the standard error is 0 for an exact one."""

    mean: float
    standard_error: float
    exact: bool


def counts(results: Iterable[workload.SampleResult]) -> dict[int, Counts]:
    """Add counts up per item index."""
    pieces: dict[tuple[int, int], workload.SampleCounts] = {}
    for result in results:
        for item in result.items:
            _enter(pieces, (item.index, item.first_block), item)
    shots: dict[int, int] = {}
    totals: dict[int, dict[int, int]] = {}
    for (index, _), piece in sorted(pieces.items(), key=_key):
        shots[index] = shots.get(index, 0) + piece.shots
        total = totals.setdefault(index, {})
        for outcome, count in outcomes(piece):
            total[outcome] = total.get(outcome, 0) + count
    return {index: Counts(shots[index], dict(sorted(total.items()))) for index, total in totals.items()}


def values(results: Iterable[Averaged]) -> dict[int, tuple[Value, ...]]:
    """Average the observables of each item index over its blocks."""
    return {index: _values(pieces) for index, pieces in _blocks(results).items()}


def shots(results: Iterable[Averaged]) -> dict[int, int]:
    """How many shots the averages of each item index are of; 0 if exact."""
    return {index: sum(moments.shots for moments in pieces) for index, pieces in _blocks(results).items()}


def _blocks(results: Iterable[Averaged]) -> dict[int, list[workload.Moments]]:
    """The moments of each item index in order of blocks."""
    blocks: dict[tuple[int, int], workload.Moments] = {}
    for result in results:
        for item in result.items:
            for moments in item.moments:
                _enter(blocks, (item.index, moments.block), moments)
    by_item: dict[int, list[workload.Moments]] = {}
    for (index, _), moments in sorted(blocks.items(), key=_key):
        by_item.setdefault(index, []).append(moments)
    return by_item


def by_index(found: Iterable[One], what: str) -> dict[int, One]:
    """Order answers to single items, problems or blocks by number; ``what`` they are stands in the error.

    Raises:
        MergeConflict: two claim the same number and differ.
    """
    known: dict[int, One] = {}
    for one in found:
        if known.setdefault(one.index, one) != one:
            raise MergeConflict(f"two different results for {what} {one.index}")
    return known


def outcomes(piece: workload.SampleCounts) -> Iterable[tuple[int, int]]:
    """Pairs (outcome, count) of one piece; outcomes are little-endian integers."""
    width = math.ceil(piece.bits / 8)
    if width == 0:
        return [(0, count) for count in piece.counts]
    starts = range(0, len(piece.outcomes), width)
    return [
        (int.from_bytes(piece.outcomes[start : start + width], "little"), count)
        for start, count in zip(starts, piece.counts, strict=True)
    ]


def _values(pieces: list[workload.Moments]) -> tuple[Value, ...]:
    if pieces[0].shots == 0:
        return tuple(Value(value, 0.0, exact=True) for value in pieces[0].sums)
    shots = sum(piece.shots for piece in pieces)
    return tuple(
        _value(
            shots,
            math.fsum(piece.sums[column] for piece in pieces),
            math.fsum(piece.squares[column] for piece in pieces),
        )
        for column in range(len(pieces[0].sums))
    )


def _value(shots: int, total: float, squares: float) -> Value:
    """Mean and its standard error, from the unbiased sample variance (n - 1)."""
    mean = total / shots
    if shots == 1:
        return Value(mean, math.inf, exact=False)
    variance = max(0.0, squares - total * mean) / (shots - 1)
    return Value(mean, math.sqrt(variance / shots), exact=False)


def _enter(pieces: dict[tuple[int, int], Piece], key: tuple[int, int], piece: Piece) -> None:
    known = pieces.setdefault(key, piece)
    if known != piece:
        raise MergeConflict(f"two different results for item {key[0]} from block {key[1]}")


def _key(entry: tuple[tuple[int, int], object]) -> tuple[int, int]:
    return entry[0]
