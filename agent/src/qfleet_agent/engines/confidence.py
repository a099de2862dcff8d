"""Confidence intervals of a probability, and the rounds of iterative amplitude estimation.

D. Grinko, J. Gacon, C. Zoufal and S. Woerner, "Iterative quantum amplitude estimation", npj Quantum
Information 7, 52 (2021): algorithm 1 (the loop) and algorithm 2 (the next power). An angle θ in [0, π/2]
stands for the amplitude a = sin²θ. After k Grover operators a shot is good with the chance
sin²((2k + 1)θ) = (1 - cos Kθ)/2, where K = 4k + 2.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from scipy import special  # type: ignore[import-untyped]  # ships no types

from qfleet_wire.workload import AmplitudeRound, Confidence

RATIO = 2
"""A power is raised only where K at least doubles."""
_BORDER = 1e-9
"""Halves of a turn overlap by this much, for rounding."""


class Interval(NamedTuple):
    """Two ends, in order."""

    lower: float
    upper: float


class Estimated(NamedTuple):
    """The angle's interval when it is short enough, and the rounds that led there."""

    angles: Interval
    rounds: tuple[AmplitudeRound, ...]


Draw = Callable[[int, int], int]
"""Hits of a round: told the round's number and the power."""


def estimate(draw: Draw, *, epsilon: float, alpha: float, shots: int, confidence: Confidence) -> Estimated:
    """Run rounds of ``shots`` shots until the angle's interval is at most 2ε long."""
    level = alpha / most_powers(epsilon)
    angles, power, half = Interval(0.0, math.pi / 2.0), 0, 0
    rounds: list[AmplitudeRound] = []
    hits = drawn = 0
    while angles.upper - angles.lower > 2.0 * epsilon:
        before = power
        power, half = next_power(before, half, angles)
        if power != before:
            hits = drawn = 0
        found = draw(len(rounds), power)
        rounds.append(AmplitudeRound(power, shots, found))
        # Rounds of the same power count together.
        hits, drawn = hits + found, drawn + shots
        chances = interval(hits, drawn, level, confidence)
        angles = _angles(chances, 4 * power + 2, half)
    return Estimated(angles, tuple(rounds))


def most_powers(epsilon: float) -> int:
    """Powers that one run can go through: K doubles from 2 to at most π / 2ε. The level is shared by them."""
    return max(1, math.floor(math.log2(math.pi / (4.0 * epsilon))) + 1)


def next_power(power: int, half: int, angles: Interval) -> tuple[int, int]:
    """The largest power for which K × the interval lies in one half of a turn, and which half, from 0.

    An end may lie on the border of a half, as 0 and π/2 do. Where no power with twice the K has such a
    half, all stays as it is.
    """
    largest = math.floor(math.pi / (angles.upper - angles.lower))
    scale = largest - (largest - 2) % 4
    while scale >= RATIO * (4 * power + 2):
        first = math.floor(scale * angles.lower / math.pi + _BORDER)
        if scale * angles.upper / math.pi <= first + 1 + _BORDER:
            return (scale - 2) // 4, first
        scale -= 4
    return power, half


def interval(hits: int, shots: int, level: float, confidence: Confidence) -> Interval:
    """An interval that holds the probability of a hit but for a chance of ``level``.

    Clopper and Pearson, Biometrika 26, 404 (1934), is exact; Chernoff's (by Hoeffding's inequality) is wider.
    """
    if confidence == "chernoff":
        reach = math.sqrt(math.log(2.0 / level) / (2.0 * shots))
        return Interval(max(0.0, hits / shots - reach), min(1.0, hits / shots + reach))
    lower = 0.0 if hits == 0 else float(special.betaincinv(hits, shots - hits + 1, level / 2.0))
    upper = 1.0 if hits == shots else float(special.betaincinv(hits + 1, shots - hits, 1.0 - level / 2.0))
    return Interval(lower, upper)


def _angles(chances: Interval, scale: int, half: int) -> Interval:
    """From chances (1 - cos Kθ)/2 to angles, in the half of a turn where Kθ is known to be."""
    low, high = (math.acos(1.0 - 2.0 * chance) for chance in chances)
    if half % 2:
        low, high = math.pi - high, math.pi - low
    return Interval((half * math.pi + low) / scale, (half * math.pi + high) / scale)
