"""Places to visit and the whole-numbered distances between them, after TSPLIB's definitions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from qfleet_applications.errors import InvalidProblem

_PI = 3.141592
"""π as TSPLIB spells it; its optima depend on it."""
_EARTH_KM = 6378.388


@dataclass(frozen=True)
class Places:
    """Named places; ``distances`` is symmetric, in whole ``unit``; ``points`` are for a picture, if known."""

    name: str
    names: tuple[str, ...]
    distances: tuple[tuple[int, ...], ...]
    unit: str = ""
    points: tuple[tuple[float, float], ...] = ()
    axes: tuple[str, str] = ("x", "y")

    def __post_init__(self) -> None:
        if len(self) < 3:
            raise InvalidProblem(f"{self.name}: {len(self)} places; a path that returns needs 3")

    def __len__(self) -> int:
        return len(self.names)

    def first(self, count: int) -> "Places":
        """The problem of the first ``count`` places.

        Raises:
            InvalidProblem: there are fewer.
        """
        if count > len(self):
            raise InvalidProblem(f"{self.name} has {len(self)} places and the first {count} were asked for")
        rows = tuple(row[:count] for row in self.distances[:count])
        name = f"the first {count} places of {self.name}"
        return Places(name, self.names[:count], rows, self.unit, self.points[:count], self.axes)

    def length(self, tour: Sequence[int]) -> int:
        """Length of a closed path."""
        return sum(self.distances[one][other] for one, other in pairwise((*tour, tour[0])))


def geographic(points: Sequence[tuple[float, float]]) -> tuple[tuple[int, ...], ...]:
    """Kilometres between points of latitude and longitude in DDD.MM, cut to whole ones (TSPLIB 95, GEO)."""
    radians = [(_radians(latitude), _radians(longitude)) for latitude, longitude in points]
    return tuple(tuple(_kilometres(one, other) for other in radians) for one in radians)


def plane(points: Sequence[tuple[float, float]]) -> tuple[tuple[int, ...], ...]:
    """Distances between points of a plane, rounded to whole units (TSPLIB 95, EUC_2D)."""
    return tuple(tuple(int(math.dist(one, other) + 0.5) for other in points) for one in points)


def _radians(value: float) -> float:
    degrees = int(value)
    return _PI * (degrees + 5.0 * (value - degrees) / 3.0) / 180.0


def _kilometres(one: tuple[float, float], other: tuple[float, float]) -> int:
    if one == other:
        return 0
    q1 = math.cos(one[1] - other[1])
    q2, q3 = math.cos(one[0] - other[0]), math.cos(one[0] + other[0])
    return int(_EARTH_KM * math.acos(0.5 * ((1.0 + q1) * q2 - (1.0 - q1) * q3)) + 1.0)
