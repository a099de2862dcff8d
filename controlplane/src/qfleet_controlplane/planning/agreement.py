"""Whether two results of the same task say the same.

On the same engine and architecture they are equal bit by bit. Elsewhere rounding differs: exact
values agree within a tolerance, and counts and sampled values agree when their difference is no
larger than chance makes it once in ``1 / LEVEL`` honest comparisons.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import msgspec

from qfleet_controlplane.planning import merge

LEVEL = 1e-6
"""Probability of an alarm about two honest devices."""
TOLERANCE = 1e-7
"""Difference allowed between exact values, relative to the larger of 1 and the value."""
FEWEST = 5.0
"""Cells of a chi-square table with a smaller expected count are pooled."""

_SHOWN = 60
_SIGMA = NormalDist().inv_cdf(1.0 - LEVEL / 2.0)


def unequal(one: msgspec.Struct, other: msgspec.Struct) -> str | None:
    """Say where two results are not equal up to rounding; None when they are.

    For results of the same engine on the same architecture: both drew the same numbers, so no chance is
    left, and only the last digits of a floating-point number may depend on a processor's instructions.
    """
    return _unequal("the result", msgspec.to_builtins(one), msgspec.to_builtins(other))


def _unequal(where: str, one: Any, other: Any) -> str | None:
    if isinstance(one, float) and isinstance(other, float):
        near = math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        return None if near else f"{where} is {one!r} and {other!r}"
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return _first(_unequal(f"{where}.{name}", one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return _first(_unequal(f"{where}[{number}]", *pair) for number, pair in pairs)
    return None if one == other else f"{where} differs: {str(one)[:_SHOWN]} and {str(other)[:_SHOWN]}"


def _first(found: Iterable[str | None]) -> str | None:
    return next((each for each in found if each is not None), None)


def counts_differ(one: dict[int, merge.Counts], other: dict[int, merge.Counts]) -> str | None:
    """Say for which item the counts of two results differ; None when they agree."""
    if one.keys() != other.keys():
        return "the answers are for different items"
    for index, left in one.items():
        right = other[index]
        statistic, freedom = _chi_square(left, right)
        if freedom and statistic > _quantile(freedom):
            return (
                f"counts of item {index} differ by chi-square {statistic:.1f} at {freedom} degrees of freedom"
            )
    return None


def values_differ(
    one: dict[int, tuple[merge.Value, ...]], other: dict[int, tuple[merge.Value, ...]]
) -> str | None:
    """Say which value differs between two results; None when they agree."""
    if one.keys() != other.keys():
        return "the answers are for different items"
    for index, lefts in one.items():
        for left, right in zip(lefts, other[index], strict=True):
            allowed = TOLERANCE * max(1.0, abs(left.mean)) + _SIGMA * math.hypot(
                left.standard_error, right.standard_error
            )
            if abs(left.mean - right.mean) > allowed:
                return f"values of item {index} differ: {left.mean!r} and {right.mean!r}"
    return None


def _chi_square(one: merge.Counts, other: merge.Counts) -> tuple[float, int]:
    """Two-sample chi-square statistic (Press et al., Numerical Recipes, section 14.3), rare cells pooled."""
    left_scale = math.sqrt(other.shots / one.shots)
    right_scale = 1.0 / left_scale
    share = min(one.shots, other.shots) / (one.shots + other.shots)
    cells: list[tuple[int, int]] = []
    pooled = (0, 0)
    for outcome in one.counts.keys() | other.counts.keys():
        cell = (one.counts.get(outcome, 0), other.counts.get(outcome, 0))
        if sum(cell) * share < FEWEST:
            pooled = (pooled[0] + cell[0], pooled[1] + cell[1])
        else:
            cells.append(cell)
    if sum(pooled) > 0:
        cells.append(pooled)
    statistic = math.fsum((left_scale * a - right_scale * b) ** 2 / (a + b) for a, b in cells)
    return statistic, max(0, len(cells) - 1)


def expected_differ(found: Mapping[int, int], expected: Sequence[float], level: float) -> str | None:
    """Say how counts differ from what is expected of them; None where chance explains it, at a level.

    Pearson's chi-square with rare cells pooled; ``expected`` holds the probability of each outcome.
    """
    shots = sum(found.values())
    cells: list[tuple[int, float]] = []
    pooled = (0, 0.0)
    for outcome, probability in enumerate(expected):
        cell = (found.get(outcome, 0), shots * probability)
        if cell[1] < FEWEST:
            pooled = (pooled[0] + cell[0], pooled[1] + cell[1])
        else:
            cells.append(cell)
    if pooled[1] >= FEWEST:
        cells.append(pooled)
    statistic = math.fsum((count - mean) ** 2 / mean for count, mean in cells)
    freedom = len(cells) - 1
    if freedom < 1 or statistic <= _quantile(freedom, level):
        return None
    return f"differ by chi-square {statistic:.1f} at {freedom} degrees of freedom"


def _quantile(freedom: int, level: float = LEVEL) -> float:
    """Upper quantile of chi-square at a level by Wilson and Hilferty (PNAS 17, 684, 1931)."""
    spread = 2.0 / (9.0 * freedom)
    return freedom * (1.0 - spread + NormalDist().inv_cdf(1.0 - level) * math.sqrt(spread)) ** 3
