"""Features that tell much of the label and little of each other: a model of bits, and other ways.

Maximised is the sum form of minimum redundancy, maximum relevance (Peng, Long and Ding, IEEE Trans. Pattern
Anal. Mach. Intell. 27, 1226, 2005) of exactly k features: Σ I(x; y) - (2 / k) Σ over pairs I(x; x'), in bits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.qubo.model import Qubo

MOST_CHOICES = 3_000_000
"""Sets of features that are tried one by one: some seconds."""
_STEP = 100_000


@dataclass(frozen=True)
class Selection:
    """Choose ``number`` features by ``relevance`` (features,) and ``redundancy`` (features, features)."""

    relevance: Floats
    redundancy: Floats
    number: int

    def __post_init__(self) -> None:
        """Refuse a choice that is none.

        Raises:
            InvalidProblem: all features, or none, are to be chosen.
        """
        if not 1 <= self.number < len(self.relevance):
            told = f"{self.number} features of {len(self.relevance)} are no choice"
            raise InvalidProblem(told, hint=f"choose 1 to {len(self.relevance) - 1}")

    def score(self, chosen: Sequence[int]) -> float:
        """What is maximised, of features by number."""
        at = list(chosen)
        return float(self.relevance[at].sum() - self.redundancy[np.ix_(at, at)].sum() / self.number)

    @property
    def penalty(self) -> float:
        """More than a feature gains that is added (its relevance), or left out (its redundancy in a set)."""
        most = np.sort(self.redundancy, axis=0)[len(self.relevance) - self.number + 1 :].sum(axis=0).max()
        return 0.05 + max(float(self.relevance.max()), 2 / self.number * float(most))

    def model(self) -> Qubo:
        """Minus the score, and the penalty on another number of features; a bit for each."""
        qubo = Qubo()
        bits = qubo.variables(f"feature {at}" for at in range(len(self.relevance)))
        for bit, worth in zip(bits, self.relevance, strict=True):
            qubo.add(bit, -float(worth))
        for one, other in combinations(bits, 2):
            qubo.couple(one, other, 2 / self.number * float(self.redundancy[one, other]))
        qubo.square([(bit, 1.0) for bit in bits], -float(self.number), self.penalty)
        return qubo

    def read(self, bits: Sequence[int]) -> tuple[int, ...]:
        """The features of a state; too many or too few are taken or added where the score gains most."""
        chosen = {at for at, bit in enumerate(bits) if bit}
        while len(chosen) > self.number:
            chosen.remove(max(sorted(chosen), key=lambda at: self.score(sorted(chosen - {at}))))
        return self._filled(chosen)

    def greedy(self) -> tuple[int, ...]:
        """One feature after the other."""
        return self._filled(set())

    def ranked(self) -> tuple[int, ...]:
        """The features of most relevance, however redundant."""
        return tuple(sorted(map(int, np.argsort(-self.relevance, kind="stable")[: self.number])))

    def _filled(self, chosen: set[int]) -> tuple[int, ...]:
        while len(chosen) < self.number:
            left = [at for at in range(len(self.relevance)) if at not in chosen]
            chosen.add(max(left, key=lambda at: self.score([*sorted(chosen), at])))
        return tuple(sorted(chosen))

    @property
    def choices(self) -> int:
        """How many sets there are."""
        return math.comb(len(self.relevance), self.number)

    def exact(self) -> tuple[int, ...] | None:
        """The best set of all; None where there are more than ``MOST_CHOICES``."""
        if self.choices > MOST_CHOICES:
            return None
        best = -math.inf
        chosen: tuple[int, ...] = ()
        every = combinations(range(len(self.relevance)), self.number)
        while block := [one for one, _ in zip(every, range(_STEP), strict=False)]:
            sets = np.array(block)
            scores = self.relevance[sets].sum(axis=1)
            for one, other in combinations(range(self.number), 2):
                scores -= 2 / self.number * self.redundancy[sets[:, one], sets[:, other]]
            at = int(np.argmax(scores))
            if scores[at] > best:
                best, chosen = float(scores[at]), block[at]
        return chosen
