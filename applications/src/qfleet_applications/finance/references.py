"""All classical answers to a choice of assets: the best in equal parts, twice proven, and free weights."""

import time
from dataclasses import dataclass

from qfleet_applications.finance import proving, weights
from qfleet_applications.finance.selecting import Choice
from qfleet_applications.finance.selection import Selection
from qfleet_applications.finance.weights import Weighted


@dataclass(frozen=True)
class References:
    """``highs`` is None where it has no choice within its limits, ``any_few`` for too many subsets.

    ``same`` are the best weights of CP-SAT's choice, ``any_few`` those of any as many assets, and ``every``
    those of all assets, below which nothing lies. ``seconds`` are those of the best of few.
    """

    cp_sat: Choice
    highs: Choice | None
    same: Weighted
    any_few: Weighted | None
    every: Weighted
    seconds: float

    @property
    def few(self) -> Weighted:
        """The best known weights of so many assets."""
        return self.any_few or self.same

    @property
    def bound(self) -> float:
        """What no choice in equal parts can go below: the higher bound of both proofs."""
        known = self.cp_sat.bound if self.cp_sat.bound is not None else -float("inf")
        return max(known, self.highs.bound) if self.highs and self.highs.bound is not None else known


def of(selection: Selection) -> References:
    """All of them."""
    cp_sat, highs = proving.by_cp_sat(selection), proving.by_highs(selection)
    began = time.perf_counter()
    same = weights.best(selection, cp_sat.chosen)
    any_few = weights.best_of_subsets(selection)
    seconds = time.perf_counter() - began
    return References(cp_sat, highs, same, any_few, weights.best(selection, range(selection.size)), seconds)
