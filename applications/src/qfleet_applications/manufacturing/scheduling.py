"""The search for a short schedule: bisection on the makespan where the whole shop is one model, then parts.

A model only answers "is there a schedule within T?", and an annealer that finds none has proved nothing. Each
state is repaired to a schedule, whose makespan counts. Parts are neighbourhoods of several schedules that are
improved side by side: the best one, and others from a dispatching rule with weights drawn at random. One that
stands still takes a step to a slightly longer one that the annealer has found (threshold accepting, Dueck and
Scheuer, J. Comput. Phys. 90, 161, 1990).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from qfleet import JobRequest
from qfleet_applications.frame.desk import Runner
from qfleet_applications.manufacturing import decoding, neighbourhoods
from qfleet_applications.manufacturing.shop import Place, Shop, Starts, dispatched, drawn, makespan
from qfleet_applications.manufacturing.windows import Model, Question, candidates, model
from qfleet_applications.qubo import sampling
from qfleet_applications.qubo.sampling import Effort

Random = np.random.Generator

ROUNDS = 10
THRESHOLD = 0.03
"""How much longer than the shortest schedule so far a step of one that stands still may be, as a share."""
SPREAD = 0.2
"""Weights of the dispatching rule are drawn from 1 - SPREAD to 1 + SPREAD."""
GATHER = 4
"""After so many rounds the longest of the schedules gives way to the shortest so far."""


@dataclass(frozen=True, slots=True)
class Search:
    """How long to search: models of at most ``largest`` variables, ``rounds`` with ``abreast`` schedules."""

    effort: Effort
    seed: int = 0
    largest: int = 900
    part: int = 200
    rounds: int = ROUNDS
    abreast: int = 3
    whole: bool = False
    """The whole shop in one model, however large, and no parts."""


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
    """A search under way: the best schedule so far, how long those of the rules were, what each model gave.

    ``abreast`` are the schedules that are improved side by side, ``visited`` all that they were.
    """

    shop: Shop
    best: dict[Place, int]
    begun: int
    steps: list[Step] = field(default_factory=list)
    abreast: list[dict[Place, int]] = field(default_factory=list)
    visited: set[tuple[int, ...]] = field(default_factory=set)

    @property
    def length(self) -> int:
        """Makespan of the best schedule."""
        return makespan(self.shop, self.best)


def begun(shop: Shop) -> Course:
    """A search from a schedule by a dispatching rule."""
    first = dispatched(shop)
    return Course(shop, first, makespan(shop, first))


def whole(course: Course, limit: int, search: Search) -> Asked | Literal["too short", "too large"]:
    """The whole shop as one model, or why there is none: a job takes longer, or there are too many bits."""
    question = Question(course.shop, course.best, course.shop.places)
    largest = search.effort.largest if search.whole else min(search.largest, search.effort.largest)
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
        _ask(course, [asked], desk, search, "whole")
        if course.length <= limit:
            high = course.length - 1
        else:
            low = limit + 1


def spread(course: Course, search: Search, chance: Random) -> None:
    """Put schedules abreast: the best one, and others from the rule with weights that are drawn."""
    shop, course.abreast = course.shop, [course.best]
    while len(course.abreast) < search.abreast:
        weights = chance.uniform(1 - SPREAD, 1 + SPREAD, len(shop.places))
        course.abreast.append(drawn(shop, dict(zip(shop.places, weights, strict=True))))
    for starts in course.abreast[1:]:
        course.begun = min(course.begun, makespan(shop, starts))
        course.visited.add(_key(shop, starts))
    course.best = min((course.best, *course.abreast), key=lambda starts: makespan(shop, starts))


def parts(course: Course, search: Search, chance: Random, turn: int = 0) -> list[Asked | None]:
    """A model of a neighbourhood for each schedule abreast, where one fits ``search.part`` variables."""
    most = min(search.part, search.effort.part)
    asked: list[Asked | None] = []
    for at, starts in enumerate(course.abreast):
        order = neighbourhoods.ranked(course.shop, starts, (turn + at) % neighbourhoods.KINDS, chance)
        found = neighbourhoods.largest(course.shop, starts, order, most)
        asked.append(None if found is None else Asked(*found))
    return asked


def improve(course: Course, desk: Runner, search: Search, chance: Random) -> None:
    """Rounds of parts, one of each schedule abreast."""
    if search.whole or not search.rounds or course.length <= course.shop.floor:
        return
    spread(course, search, chance)
    for turn in range(search.rounds):
        asked = parts(course, search, chance, turn)
        there = [at for at, one in enumerate(asked) if one is not None]
        if not there or course.length <= course.shop.floor:
            return
        found = _ask(course, [one for one in asked if one is not None], desk, search, "part")
        for at, schedules in zip(there, found, strict=True):
            step(course, at, schedules)
        if turn % GATHER == GATHER - 1:
            lengths = [makespan(course.shop, starts) for starts in course.abreast]
            course.abreast[lengths.index(max(lengths))] = course.best


def step(course: Course, at: int, found: Sequence[dict[Place, int]]) -> None:
    """Take the shortest schedule that was found and not yet visited, unless it is much longer."""
    shop = course.shop
    fresh = [starts for starts in found if _key(shop, starts) not in course.visited]
    if not fresh:
        return
    chosen = min(fresh, key=lambda starts: makespan(shop, starts))
    longest = max(makespan(shop, course.abreast[at]), int(course.length * (1 + THRESHOLD)))
    if makespan(shop, chosen) <= longest:
        course.abreast[at] = chosen
        course.visited.add(_key(shop, chosen))


def _key(shop: Shop, starts: Starts) -> tuple[int, ...]:
    return tuple(starts[place] for place in shop.places)


def _ask(
    course: Course, asked: Sequence[Asked], desk: Runner, search: Search, phase: str
) -> list[list[dict[Place, int]]]:
    """The schedules that the states of each model mean; the best of them is kept."""
    first, shop = search.seed + len(course.steps), course.shop
    requests = [one.request(search.effort, first + index) for index, one in enumerate(asked)]
    views = desk.run_all(requests, f"{shop.name}: {phase}, makespan {course.length}")
    found = []
    for one, view in zip(asked, views, strict=True):
        states = sampling.states(one.model.qubo, view)
        schedules = [decoding.schedule(one.question, one.model, state.bits) for state in states]
        best = min(schedules, key=lambda starts: makespan(shop, starts))
        qubo, operations, length = one.model.qubo, len(one.question.free), makespan(shop, best)
        broken = states[0].energy
        course.steps.append(Step(phase, one.limit, operations, len(qubo), qubo.terms, broken, length))
        if length < course.length:
            course.best = best
        found.append(schedules)
    return found
