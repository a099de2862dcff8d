"""Measures of risk from estimates of amplitudes, with intervals that follow from theirs."""

from dataclasses import dataclass

from qfleet_applications.finance.estimating import Estimate
from qfleet_applications.finance.losses import Losses


@dataclass(frozen=True)
class Tail:
    """The value at risk, its probability, and both means of the tail."""

    place: int
    value: Estimate
    below: Estimate
    beyond: Estimate
    shortfall: Estimate


def tail(
    losses: Losses, level: float, place: int, bounds: tuple[int, int], found: tuple[Estimate, Estimate]
) -> Tail:
    """Put a tail together; ``found`` are P(loss ≤ value at ``place``) and E[(v - place)⁺]/(most - place).

    The mean beyond is value + E[(L - value)⁺] / P(L > value). It is one step beyond at least and the
    largest loss at most, which the interval is cut to. Both means are those at the value that was found.
    """
    below, excess = found
    value = losses.at(place)
    span = (losses.most - place) * losses.step
    mean = excess.scaled(span)
    work = below.preparations + excess.preparations
    return Tail(
        place,
        Estimate(value, losses.at(bounds[0]), losses.at(bounds[1]), below.preparations),
        below,
        _cut(_ratio(mean, below, work).scaled(1.0, value), losses, place),
        mean.scaled(1.0 / (1.0 - level), value),
    )


def certain(losses: Losses, bounds: tuple[int, int], work: int) -> Tail:
    """The tail beyond the largest loss: nothing."""
    place = losses.most
    value = losses.at(place)
    fixed = Estimate(value, value, value, work)
    return Tail(
        place,
        Estimate(value, losses.at(bounds[0]), losses.at(bounds[1]), work),
        Estimate(1.0, 1.0, 1.0, work),
        fixed,
        fixed,
    )


def _ratio(mean: Estimate, below: Estimate, work: int) -> Estimate:
    """E[(L - value)⁺] / P(L > value); unbounded above where P may be 0."""
    least, likely, largest = 1.0 - below.high, 1.0 - below.value, 1.0 - below.low
    far = float("inf")
    return Estimate(
        mean.value / likely if likely > 0.0 else far,
        max(mean.low, 0.0) / largest if largest > 0.0 else 0.0,
        mean.high / least if least > 0.0 else far,
        work,
    )


def _cut(found: Estimate, losses: Losses, place: int) -> Estimate:
    least, most = losses.at(place + 1), losses.at(losses.most)

    def within(value: float) -> float:
        return min(max(value, least), most)

    return Estimate(within(found.value), within(found.low), within(found.high), found.preparations)
