"""Which operations a model decides, when each of them may begin, and the model itself.

The operations of ``free`` are put in any order; all others keep theirs. Between two free operations the
longest path through what keeps its order is a distance, and each free operation has a *head* (the earliest
start) and a *tail* (the least time from its start to the end). A schedule within the makespan T then exists
exactly where starts with head ≤ t ≤ T - tail meet all distances and machines take one operation at a time.

The model has a bit for each operation and start (Venturelli, Marchand, Rojo, arXiv:1506.08479), without
costs: its energy is the weight of the broken constraints, 0 for a schedule.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from qfleet_applications.manufacturing.shop import Place, Shop, Starts, orders
from qfleet_applications.qubo.model import Qubo

ONE_START = 2.0
"""Weight of an operation with no start, or with two."""
CONFLICT = 1.0
"""Weight of a pair of starts that exclude each other."""


@dataclass(frozen=True)
class Question:
    """Which order shall ``free`` have? ``starts`` is the schedule whose other orders stay."""

    shop: Shop
    starts: Starts
    free: tuple[Place, ...]

    @cached_property
    def rows(self) -> dict[str, tuple[Place, ...]]:
        """In which order each machine takes its operations in ``starts``."""
        return orders(self.shop, self.starts)

    @cached_property
    def paths(self) -> dict[Place, dict[Place, int]]:
        """Longest path from each free operation's start to the start of any that must come after it."""
        after = self._after
        row = sorted(self.shop.places, key=lambda place: (self.starts[place], place))
        return {one: _longest(one, row[row.index(one) :], after, self.shop) for one in self.free}

    @cached_property
    def heads(self) -> dict[Place, int]:
        """Earliest start of every operation under the orders that stay."""
        heads = dict.fromkeys(self.shop.places, 0)
        for place in sorted(self.shop.places, key=lambda one: (self.starts[one], one)):
            for later in self._after[place]:
                heads[later] = max(heads[later], heads[place] + self.shop.duration(place))
        return heads

    @cached_property
    def tails(self) -> dict[Place, int]:
        """Least time from the start of each free operation to the end of the schedule."""
        return {
            one: max(far + self.shop.duration(place) for place, far in self.paths[one].items())
            for one in self.free
        }

    @property
    def rest(self) -> int:
        """Makespan of what is left when nothing is asked of the free operations' machines."""
        return max(head + self.shop.duration(place) for place, head in self.heads.items())

    @cached_property
    def _after(self) -> dict[Place, list[Place]]:
        after: dict[Place, list[Place]] = {place: [] for place in self.shop.places}
        for place in self.shop.places:
            if place.step + 1 < len(self.shop.jobs[place.job]):
                after[place].append(Place(place.job, place.step + 1))
        for row in self.rows.values():
            for one, other in combinations(row, 2):
                if not (one in self.free and other in self.free):
                    after[one].append(other)
        return after


def _longest(
    source: Place, row: Sequence[Place], after: Mapping[Place, Collection[Place]], shop: Shop
) -> dict[Place, int]:
    far = {source: 0}
    for place in row:
        if place in far:
            for later in after[place]:
                far[later] = max(far.get(later, 0), far[place] + shop.duration(place))
    return far


def candidates(question: Question, limit: int, most: int = 100_000) -> dict[Place, list[int]] | None:
    """Starts that the free operations may have in a schedule of makespan ``limit``; None where one has none.

    A schedule can be shifted left until every operation begins at its head, or when a free operation has
    just freed its machine, or at its distance from one; only such starts are kept. The search for them ends
    once there are more than ``most`` in all.
    """
    last = {one: limit - question.tails[one] for one in question.free}
    if any(question.heads[one] > last[one] for one in question.free) or question.rest > limit:
        return None
    found = {one: {question.heads[one]} for one in question.free}
    fresh = [(one, question.heads[one]) for one in question.free]
    steps = {one: _steps(question, one) for one in question.free}
    number = len(fresh)
    while fresh and number <= most:
        one, start = fresh.pop()
        for other, step in steps[one]:
            begin = start + step
            if question.heads[other] <= begin <= last[other] and begin not in found[other]:
                found[other].add(begin)
                number += 1
                fresh.append((other, begin))
    return {one: sorted(times) for one, times in found.items()}


def _steps(question: Question, one: Place) -> list[tuple[Place, int]]:
    shop = question.shop
    steps = []
    for other in question.free:
        if other == one:
            continue
        if other in question.paths[one]:
            steps.append((other, question.paths[one][other]))
        elif shop.operation(other).machine == shop.operation(one).machine:
            steps.append((other, shop.duration(one)))
    return steps


@dataclass(frozen=True)
class Model:
    """A model and what its bits mean: an operation and its start."""

    qubo: Qubo
    meaning: tuple[tuple[Place, int], ...]


def model(question: Question, times: Mapping[Place, Sequence[int]]) -> Model:
    """The time-indexed model of a question with ``candidates``."""
    qubo, meaning = Qubo(), []
    bits: dict[Place, list[tuple[int, int]]] = {}
    for one in question.free:
        names = [f"job {question.shop.names[one.job]} step {one.step + 1} at {start}" for start in times[one]]
        bits[one] = list(zip(qubo.variables(names), times[one], strict=True))
        meaning += [(one, start) for start in times[one]]
        qubo.exactly_one([bit for bit, _ in bits[one]], ONE_START)
    for one, other in combinations(question.free, 2):
        least = _least(question, one, other)
        if least == (None, None):
            continue
        begins = times[other]
        for bit, start in bits[one]:
            first, last = _excluded(start, begins, least)
            for later, _ in bits[other][first:last]:
                qubo.couple(bit, later, CONFLICT)
    return Model(qubo, tuple(meaning))


def _least(question: Question, one: Place, other: Place) -> tuple[int | None, int | None]:
    """Least time from one's start to the other's if it comes first, and the other way; None: it cannot."""
    shop = question.shop
    if other in question.paths[one]:
        return question.paths[one][other], None
    if one in question.paths[other]:
        return None, question.paths[other][one]
    if shop.operation(one).machine == shop.operation(other).machine:
        return shop.duration(one), shop.duration(other)
    return None, None


def _excluded(start: int, begins: Sequence[int], least: tuple[int | None, int | None]) -> tuple[int, int]:
    """Which of the ascending starts of the other exclude this one: from the first up to before the last."""
    forward, backward = least
    first = 0 if backward is None else bisect_right(begins, start - backward)
    last = len(begins) if forward is None else bisect_left(begins, start + forward)
    return first, last
