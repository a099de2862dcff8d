"""The value at risk by a search over the distribution's levels, each estimated as an amplitude.

Woerner and Egger, npj Quantum Information 5, 15 (2019), halve the range in each round; here three levels are
estimated at once, which divides it by four.
"""

import math
from dataclasses import dataclass, field

from qfleet import JobRequest
from qfleet_applications.finance import estimating
from qfleet_applications.finance.estimating import Estimate, Precision
from qfleet_applications.finance.exposures import Exposure
from qfleet_applications.frame.desk import Runner

AT_ONCE = 3


def rounds(most: int) -> int:
    """Rounds at most to search levels 0 … ``most``."""
    return max(1, math.ceil(math.log(most + 1, AT_ONCE + 1) - 1e-9) + 1)


def levels(below: int, reached: int) -> tuple[int, ...]:
    """What to ask when the quantile lies in ``below`` < v ≤ ``reached``: even steps, ends left out."""
    inside = reached - below - 1
    asked = min(AT_ONCE, inside)
    return tuple(below + math.ceil((number + 1) * (reached - below) / (asked + 1)) for number in range(asked))


@dataclass
class Search:
    """The search for the smallest v with P(loss ≤ value at v) ≥ ``level``."""

    exposure: Exposure
    level: float
    precision: Precision
    seed: int
    seen: dict[int, Estimate] = field(default_factory=dict)

    def request(self, below: int, reached: int, number: int) -> JobRequest:
        """The job of a round."""
        problems = [self.exposure.below(place) for place in levels(below, reached)]
        name = f"value at risk, round {number + 1}"
        return estimating.request(problems, self.precision, name, seed=self.seed, number=number)

    def first(self) -> JobRequest | None:
        """The job of the first round; None where there is but one possible loss."""
        most = self.exposure.losses.most
        return self.request(-1, most, 0) if levels(-1, most) else None

    def run(self, desk: Runner) -> int:
        """Search; the estimates stay in ``seen``."""
        below, reached, number = -1, self.exposure.losses.most, 0
        while asked := levels(below, reached):
            job = self.request(below, reached, number)
            found = estimating.run(desk, job, "value at risk")
            self.seen |= dict(zip(asked, found, strict=True))
            enough = [place for place, one in zip(asked, found, strict=True) if one.value >= self.level]
            first = min(enough, default=reached)
            below = max((place for place in asked if place < first), default=below)
            reached, number = first, number + 1
        return reached

    def bounds(self) -> tuple[int, int]:
        """Between which v the quantile lies as long as all intervals hold."""
        short = [place for place, one in self.seen.items() if one.high < self.level]
        enough = [place for place, one in self.seen.items() if one.low >= self.level]
        return max(short, default=-1) + 1, min(enough, default=self.exposure.losses.most)
