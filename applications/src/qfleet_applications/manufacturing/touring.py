"""The search for a short closed path: all places in one model where they fit, then stretch by stretch.

The stretches of a round do not overlap, so that a fleet orders them side by side and every better one counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from qfleet import JobRequest
from qfleet_applications.frame.desk import Runner
from qfleet_applications.manufacturing import stretches
from qfleet_applications.manufacturing.places import Places
from qfleet_applications.manufacturing.stretches import Stretch
from qfleet_applications.qubo import sampling
from qfleet_applications.qubo.sampling import Effort

ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Walk:
    """How long to search: models of at most ``largest`` variables, ``rounds`` of stretches afterwards."""

    effort: Effort
    seed: int = 0
    largest: int = 400
    stretch: int = 7
    rounds: int = ROUNDS
    whole: bool = False
    """All places in one model, however large, and no stretches."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one model gave."""

    places: int
    variables: int
    valid: int
    kept: int
    before: int
    after: int


@dataclass
class Path:
    """A search under way: the shortest closed path so far, and what each model gave."""

    places: Places
    tour: tuple[int, ...]
    steps: list[Step] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Length of the path."""
        return self.places.length(self.tour)


def nearest(places: Places) -> tuple[int, ...]:
    """The path that always goes to the nearest place not yet visited."""
    tour = [0]
    while len(tour) < len(places):
        row = places.distances[tour[-1]]
        tour.append(
            min((one for one in range(len(places)) if one not in tour), key=lambda one: (row[one], one))
        )
    return tuple(tour)


def first(path: Path, walk: Walk) -> list[Stretch]:
    """The first round: the whole where it fits, else stretches of the path to the nearest each time."""
    inner = path.tour[1:]
    if walk.whole or len(inner) ** 2 <= min(walk.largest, walk.effort.largest):
        return [Stretch(path.places, 0, inner, 0)]
    return cut(path, walk, 0)


def cut(path: Path, walk: Walk, turn: int) -> list[Stretch]:
    """Stretches of the path that do not overlap, beginning at its ``turn``-th place."""
    tour = path.tour[turn:] + path.tour[:turn]
    size = min(walk.stretch, len(tour) - 1, math.isqrt(walk.effort.part))
    ring = (*tour, tour[0])
    return [
        Stretch(path.places, ring[at], tuple(ring[at + 1 : at + 1 + size]), ring[at + 1 + size])
        for at in range(0, len(tour) - size, size + 1)
    ]


def requests(asked: Sequence[Stretch], walk: Walk, seed: int) -> tuple[JobRequest, ...]:
    """The jobs of a round."""
    return tuple(
        sampling.request(
            stretches.model(one),
            walk.effort,
            seed=seed + at,
            name=f"{one.places.name}: {len(one.inner)} places",
        )
        for at, one in enumerate(asked)
    )


def at_once(path: Path, walk: Walk) -> bool:
    """Whether all places fit into one model."""
    return first(path, walk)[0].whole


def search(path: Path, desk: Runner, walk: Walk) -> None:
    """Ask the first round, then rounds of stretches that begin at other places each time."""
    _take(path, first(path, walk), desk, walk)
    step = max(1, min(walk.stretch, math.isqrt(walk.effort.part)) // 2)
    for turn in range(0 if walk.whole else walk.rounds):
        _take(path, cut(path, walk, (turn * step) % len(path.tour)), desk, walk)


def _take(path: Path, asked: Sequence[Stretch], desk: Runner, walk: Walk) -> None:
    seed = walk.seed + len(path.steps)
    views = desk.run_all(requests(asked, walk, seed), f"{path.places.name}: length {path.length}")
    for one, view in zip(asked, views, strict=True):
        states = sampling.states(stretches.model(one), view)
        read = [stretches.order(one, state.bits) for state in states]
        best = min((order for order, _ in read), key=one.length)
        before = path.length
        # a model of all places owes nothing to the path before
        if one.whole or one.length(best) < one.length(one.inner):
            path.tour = _replaced(path.tour, one.inner, best)
        valid = sum(valid for _, valid in read)
        path.steps.append(Step(len(one.inner), len(one.inner) ** 2, valid, len(read), before, path.length))


def _replaced(tour: Sequence[int], old: Sequence[int], new: Sequence[int]) -> tuple[int, ...]:
    """The tour with a stretch (which may run over its end) in another order, beginning at place 0 again."""
    at = tour.index(old[0])
    turned = [*tour[at:], *tour[:at]]
    assert tuple(turned[: len(old)]) == tuple(old)
    turned[: len(old)] = new
    start = turned.index(0)
    return tuple(turned[start:] + turned[:start])
