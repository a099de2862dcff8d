"""A quadratic model of bits under construction: variables, costs, and constraints as penalties."""

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

from qfleet_applications.errors import InvalidProblem

Term = tuple[int, float]
"""A variable and its coefficient."""


class Qubo:
    """E(x) = ``offset`` + Σ ``linear[i]`` x_i + Σ ``quadratic[i, j]`` x_i x_j, with i < j.

    Variables are numbered in the order in which they are made; ``names`` are for people.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.linear: list[float] = []
        self.quadratic: dict[tuple[int, int], float] = {}
        self.offset = 0.0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def terms(self) -> int:
        """How many coefficients the model has."""
        return len(self.linear) + len(self.quadratic)

    def variable(self, name: str) -> int:
        """Make a variable without cost."""
        self.names.append(name)
        self.linear.append(0.0)
        return len(self.names) - 1

    def variables(self, names: Iterable[str]) -> list[int]:
        """Make several variables."""
        return [self.variable(name) for name in names]

    def add(self, variable: int, weight: float) -> None:
        """Add ``weight`` x to the cost.

        Raises:
            InvalidProblem: the weight is not finite.
        """
        self.linear[variable] += _finite(weight, self.names[variable])

    def couple(self, one: int, other: int, weight: float) -> None:
        """Add ``weight`` x_one x_other to the cost; x² is x.

        Raises:
            InvalidProblem: the weight is not finite.
        """
        if one == other:
            self.add(one, weight)
            return
        pair = (one, other) if one < other else (other, one)
        self.quadratic[pair] = self.quadratic.get(pair, 0.0) + _finite(weight, self.names[one])

    def square(self, terms: Sequence[Term], constant: float, weight: float) -> None:
        """Add ``weight`` (Σ a x + ``constant``)²: 0 where Σ a x = -``constant``."""
        for variable, factor in terms:
            self.add(variable, weight * factor * (factor + 2 * constant))
        for (one, first), (other, second) in combinations(terms, 2):
            self.couple(one, other, 2 * weight * first * second)
        self.offset += weight * constant**2

    def exactly_one(self, variables: Sequence[int], weight: float) -> None:
        """Penalise each deviation d of the number of ones from 1 by ``weight`` d² (one-hot)."""
        self.square([(variable, 1.0) for variable in variables], -1.0, weight)

    def at_most_one(self, variables: Sequence[int], weight: float) -> None:
        """Penalise each pair of ones by ``weight``; needs no further variable."""
        for one, other in combinations(variables, 2):
            self.couple(one, other, weight)

    def at_most(self, terms: Sequence[Term], bound: int, weight: float) -> None:
        """Penalise Σ a x > ``bound`` (whole numbers ≥ 0) with ⌈log₂⌉ slack bits, as Lucas, section 2.4.

        Raises:
            InvalidProblem: the bound is below 0.
        """
        if bound < 0:
            raise InvalidProblem(f"a sum of parts that are at least 0 cannot be at most {bound}")
        if math.fsum(factor for _, factor in terms) <= bound:
            return
        steps = slack_steps(bound)
        slack = self.variables(f"slack {len(self) + index}" for index in range(len(steps)))
        self.square([*terms, *zip(slack, map(float, steps), strict=True)], -float(bound), weight)

    def energy(self, bits: Sequence[int]) -> float:
        """Cost of an assignment, rounded once."""
        chosen = (weight for weight, bit in zip(self.linear, bits, strict=True) if bit)
        pairs = (weight for (one, other), weight in self.quadratic.items() if bits[one] and bits[other])
        return math.fsum((self.offset, *chosen, *pairs))


def slack_steps(bound: int) -> list[int]:
    """Coefficients of bits whose sums are all of 0 … ``bound`` and nothing else: 1, 2, 4, …, the rest."""
    steps: list[int] = []
    left = bound
    while left > 0:
        step = min(1 << len(steps), left)
        steps.append(step)
        left -= step
    return steps


def _finite(weight: float, name: str) -> float:
    if not math.isfinite(weight):
        raise InvalidProblem(f"the weight {weight} of {name!r} is not finite; check the numbers of the file")
    return weight
