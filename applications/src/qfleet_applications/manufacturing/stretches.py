"""A stretch of a path as a model: which place stands on which seat between two that stay.

A bit for each place and seat (Lucas, Front. Phys. 2, 5, 2014, section 7): n places are (n-1)² bits once the
first is fixed. The whole tour is the stretch of all places but the first, between the first and itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from qfleet_applications.manufacturing.places import Places
from qfleet_applications.qubo.model import Qubo

SHARE = 0.6
"""Weight of a broken one-hot constraint, as a share of the longest distance."""


@dataclass(frozen=True)
class Stretch:
    """Places ``inner`` to be ordered between ``before`` and ``after``."""

    places: Places
    before: int
    inner: tuple[int, ...]
    after: int

    @property
    def whole(self) -> bool:
        """Whether it is all of the closed path but its beginning."""
        return len(self.inner) == len(self.places) - 1

    @property
    def weight(self) -> float:
        """Weight of each broken one-hot constraint.

        At the longest distance no state that breaks one is lowest (Lucas, section 7). Annealers move more
        freely below it, and what they break is repaired.
        """
        ends = (self.before, *self.inner, self.after)
        return SHARE * float(max(self.places.distances[one][other] for one in ends for other in ends) or 1)

    def length(self, order: Sequence[int]) -> int:
        """Length of the stretch in an order of its places."""
        path = (self.before, *order, self.after)
        return sum(self.places.distances[one][other] for one, other in pairwise(path))


def model(stretch: Stretch) -> Qubo:
    """The model; bit i·n + s means that place ``inner[i]`` of n stands on seat s."""
    qubo, size, distances = Qubo(), len(stretch.inner), stretch.places.distances
    names = [stretch.places.names[place] for place in stretch.inner]
    bits = [qubo.variables(f"{name} on seat {seat + 1}" for seat in range(size)) for name in names]
    for index in range(size):
        qubo.exactly_one(bits[index], stretch.weight)
        qubo.exactly_one([row[index] for row in bits], stretch.weight)
    for one, place in enumerate(stretch.inner):
        qubo.add(bits[one][0], distances[stretch.before][place])
        qubo.add(bits[one][-1], distances[place][stretch.after])
        for other, next_place in enumerate(stretch.inner):
            if one != other:
                for seat in range(size - 1):
                    qubo.couple(bits[one][seat], bits[other][seat + 1], distances[place][next_place])
    return qubo


def order(stretch: Stretch, bits: Sequence[int]) -> tuple[tuple[int, ...], bool]:
    """The order that a state means, and whether it was valid; else it is repaired.

    Repair gives each seat the first place that stands on it and has no seat yet; places left over go, one by
    one, where they lengthen the path least.
    """
    size = len(stretch.inner)
    seats = [[one for one in range(size) if bits[one * size + seat]] for seat in range(size)]
    seated: list[int] = []
    for row in seats:
        seated += [one for one in row if one not in seated][:1]
    if all(len(row) == 1 for row in seats) and len(seated) == size:
        return tuple(stretch.inner[one] for one in seated), True
    path = [stretch.inner[one] for one in seated]
    for place in (place for place in stretch.inner if place not in path):
        tries = [[*path[:at], place, *path[at:]] for at in range(len(path) + 1)]
        path = min(tries, key=stretch.length)
    return tuple(path), False
