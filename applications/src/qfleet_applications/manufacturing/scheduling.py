"""The search for a short schedule: bisection on the makespan where the whole shop is one model, then parts.

A model only answers "is there a schedule within T?", and an annealer that finds none has proved nothing. Each
state is repaired to a schedule, whose makespan counts. Parts are neighbourhoods: operations near to
each other in time, or of two machines, get a new order while the others keep theirs; several are asked side
by side.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from qfleet import JobRequest
from qfleet_applications.frame.desk import Runner
from qfleet_applications.manufacturing import decoding
from qfleet_applications.manufacturing.shop import Place, Shop, dispatched, makespan
from qfleet_applications.manufacturing.windows import Model, Question, candidates, model
from qfleet_applications.qubo import sampling
from qfleet_applications.qubo.sampling import Effort

Random = np.random.Generator


ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Search:
    """How long to search: models of at most ``largest`` variables, ``rounds`` of ``abreast`` parts."""

    effort: Effort
    seed: int = 0
    largest: int = 900
    part: int = 250
    rounds: int = ROUNDS
    abreast: int = 3


@dataclass(frozen=True)
class Asked:
    """A model that is asked whether a schedule within ``limit`` exists."""

    question: Question
    model: Model
    limit: int

    def request(self, effort: Effort, seed: int) -> JobRequest:
        """The job."""
        name = f"{self.question.shop.name} within {self.limit}"
        return sampling.request(self.model.qubo, effort, seed=seed, name=name)


@dataclass(frozen=True, slots=True)
class Step:
    """What a model gave: broken constraints of its best state, and the shortest schedule after repair."""

    phase: str
    limit: int
    operations: int
    variables: int
    terms: int
    broken: float
    found: int


@dataclass
class Course:
    """A search under way: the best schedule so far, and what each model gave."""

    shop: Shop
    best: dict[Place, int]
    steps: list[Step] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Makespan of the best schedule."""
        return makespan(self.shop, self.best)


def begun(shop: Shop) -> Course:
    """A search from a schedule by a dispatching rule."""
    return Course(shop, dispatched(shop))


def whole(course: Course, limit: int, search: Search) -> Asked | Literal["too short", "too large"]:
    """The whole shop as one model, or why there is none: a job takes longer, or there are too many bits."""
    question = Question(course.shop, course.best, course.shop.places)
    largest = min(search.largest, search.effort.largest)
    times = candidates(question, limit, largest)
    if times is None:
        return "too short"
    if sum(map(len, times.values())) > largest:
        return "too large"
    return Asked(question, model(question, times), limit)


def bisect(course: Course, desk: Runner, search: Search) -> None:
    """Halve the range of makespans with models of the whole shop, as long as they fit."""
    low, high = course.shop.floor, course.length - 1
    while low <= high:
        limit = (low + high) // 2
        asked = whole(course, limit, search)
        if isinstance(asked, str):
            # a longer makespan has more starts
            low, high = (limit + 1, high) if asked == "too short" else (low, limit - 1)
            continue
        _take(course, [asked], desk, search, "whole")
        if course.length <= limit:
            high = course.length - 1
        else:
            low = limit + 1


def parts(course: Course, search: Search, chance: Random) -> list[Asked]:
    """Models of some neighbourhoods of the best schedule, each within ``search.part`` variables."""
    if course.length <= course.shop.floor:
        return []
    found = (_part(course, search, order) for order in _orders(course, search.abreast, chance))
    return [one for one in found if one is not None]


def _orders(course: Course, number: int, chance: Random) -> Iterator[list[Place]]:
    """Operations in the order in which a neighbourhood takes them in."""
    shop, best = course.shop, course.best
    machines = list(shop.machines)
    for index in range(number):
        middle = shop.places[int(chance.integers(len(shop.places)))]
        pair = {machines[at] for at in chance.permutation(len(machines))[:2]} if index % 2 else set(machines)
        yield sorted(
            shop.places,
            key=lambda one, middle=middle, pair=pair: (  # type: ignore[misc]  # defaults bind the loop's values
                shop.operation(one).machine not in pair,
                abs(best[one] - best[middle]),
                one,
            ),
        )


def _part(course: Course, search: Search, order: Sequence[Place]) -> Asked | None:
    """The largest neighbourhood that fits: one unit shorter if that can be, else as long (a step aside)."""
    most = min(search.part, search.effort.part)
    for limit in (course.length - 1, course.length):
        low, high, best = 2, len(order), None
        while low <= high:
            size = (low + high) // 2
            question = Question(course.shop, course.best, tuple(sorted(order[:size])))
            times = candidates(question, limit, most)
            if times is not None and sum(map(len, times.values())) > most:
                high = size - 1
                continue
            best = (question, times) if times is not None else best
            low = size + 1
        if best is not None and best[1] is not None:
            return Asked(best[0], model(best[0], best[1]), limit)
    return None


def improve(course: Course, desk: Runner, search: Search, chance: Random) -> None:
    """Rounds of parts; equal schedules are taken too, so that the search does not stand still."""
    for _ in range(search.rounds):
        asked = parts(course, search, chance)
        if not asked:
            return
        _take(course, asked, desk, search, "part")


def _take(course: Course, asked: Sequence[Asked], desk: Runner, search: Search, phase: str) -> None:
    first = search.seed + len(course.steps)
    requests = [one.request(search.effort, first + index) for index, one in enumerate(asked)]
    views = desk.run_all(requests, f"{course.shop.name}: {phase}, makespan {course.length}")
    length, found = course.length, []
    for one, view in zip(asked, views, strict=True):
        states = sampling.states(one.model.qubo, view)
        schedules = [decoding.schedule(one.question, one.model, state.bits) for state in states]
        best = min(schedules, key=lambda starts: (makespan(course.shop, starts), starts == course.best))
        found.append(best)
        course.steps.append(
            Step(
                phase,
                one.limit,
                len(one.question.free),
                len(one.model.qubo),
                one.model.qubo.terms,
                states[0].energy,
                makespan(course.shop, best),
            )
        )
    shortest = min(found, key=lambda starts: (makespan(course.shop, starts), starts == course.best))
    if makespan(course.shop, shortest) <= length:
        course.best = shortest
