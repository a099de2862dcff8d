"""Which operations of a schedule get a new order, while all others keep theirs.

A schedule gets shorter only where its longest path does, so that every neighbourhood lies about an operation
of that (as in Nowicki and Smutnicki, Manag. Sci. 42, 797, 1996): what is near to it in time, or what its
machine and another one do.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from qfleet_applications.manufacturing.shop import Place, Shop, Starts, makespan, orders
from qfleet_applications.manufacturing.windows import Model, Question, candidates, model

Random = np.random.Generator
KINDS = 3
"""Near by its middle, of two machines, near by its start."""


def critical(shop: Shop, starts: Starts) -> tuple[Place, ...]:
    """Operations on a longest path of a schedule without gaps: none of them can begin later."""
    after: dict[Place, Place] = {}
    for row in orders(shop, starts).values():
        after.update(pairwise(row))
    rest: dict[Place, int] = {}
    for place in sorted(shop.places, key=lambda one: -starts[one]):
        later = (Place(place.job, place.step + 1), after.get(place))
        rest[place] = shop.duration(place) + max((rest[one] for one in later if one in rest), default=0)
    length = makespan(shop, starts)
    return tuple(place for place in shop.places if starts[place] + rest[place] == length)


def ranked(shop: Shop, starts: Starts, kind: int, chance: Random) -> list[Place]:
    """Operations in the order in which a neighbourhood takes them in; ``kind`` is below ``KINDS``."""
    path = critical(shop, starts)
    centre = path[int(chance.integers(len(path)))]
    machines = set(shop.machines)
    if kind == 1:
        names = list(shop.machines)
        machines = {shop.operation(centre).machine, names[int(chance.integers(len(names)))]}

    def when(one: Place) -> float:
        return starts[one] + (shop.duration(one) / 2 if kind == 0 else 0.0)

    def rank(one: Place) -> tuple[bool, bool, float, Place]:
        away = abs(when(one) - when(centre))
        return one != centre, shop.operation(one).machine not in machines, away, one

    return sorted(shop.places, key=rank)


def largest(
    shop: Shop, starts: Starts, order: Sequence[Place], most: int
) -> tuple[Question, Model, int] | None:
    """The most operations of ``order`` whose model has at most ``most`` bits, and the makespan asked.

    That is one unit shorter than the schedule if that can be, else as long (a step aside).
    """
    length = makespan(shop, starts)
    for limit in (length - 1, length):
        best = None
        for question, times in _halving(shop, starts, order, limit, most):
            best = (question, times)
        if best is not None:
            return best[0], model(*best), limit
    return None


def _halving(
    shop: Shop, starts: Starts, order: Sequence[Place], limit: int, most: int
) -> Iterator[tuple[Question, dict[Place, list[int]]]]:
    """Neighbourhoods that fit and hold a window for each operation, each larger than the one before."""
    low, high = 2, len(order)
    while low <= high:
        size = (low + high) // 2
        question = Question(shop, starts, tuple(sorted(order[:size])))
        times = candidates(question, limit, most)
        if times is not None and sum(map(len, times.values())) > most:
            high = size - 1
            continue
        if times is not None:
            yield question, times
        low = size + 1
