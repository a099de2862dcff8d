"""Which waiting tasks another region should run, because this one cannot or is far behind.

Decides for the tasks of its own region only, by what the others said of themselves. It moves no
more than evens the two out, so that the same figures seen from the other side ask for nothing back.
Never against residency, and never to a region without an able device that is there, or whose broker
cannot be reached.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from qfleet_controlplane.planning import cost, filling, needs, placement, regions
from qfleet_controlplane.planning.regions import RegionFacts
from qfleet_controlplane.planning.specification import Specification

LAG_RATIO = 2.0
"""A region lags when what waits there takes more than so many times as long as elsewhere …"""
LAG_MS = 5_000.0
"""… and this on top."""
MOST_MOVED = 10_000
"""Tasks that one decision moves: they stand in one transaction."""


class Waiting(NamedTuple):
    """A job's tasks that wait here and may be moved: ``tasks`` of them, of so many items and shots each.

    ``key`` is the caller's name for them. ``stranded`` says in words why no device here
    runs them; empty while one could.
    """

    key: str
    requirement: needs.Requirement
    specification: Specification
    residency: tuple[str, ...]
    tasks: int
    items: float
    shots: float
    stranded: str = ""


class Move(NamedTuple):
    """So many of the tasks that wait under a key to a region, and why."""

    key: str
    tasks: int
    to: str
    reason: str


def decide(here: RegionFacts, others: Iterable[RegionFacts], waiting: Iterable[Waiting]) -> list[Move]:
    """Decide about all that waits; every decision counts in the backlogs that the next one sees."""
    moves: list[Move] = []
    books = {entry.name: entry for entry in sorted(others, key=_name) if not entry.stale and entry.reachable}
    left = MOST_MOVED
    for wanted in waiting:
        able = [entry for entry in books.values() if _may(entry, wanted)]
        tasks = min(wanted.tasks, left)
        if not able or tasks < 1:
            continue
        chosen = _stranded(able, wanted, tasks) if wanted.stranded else _lagging(here, able, wanted, tasks)
        for move in chosen:
            left -= move.tasks
            books[move.to] = _loaded(books[move.to], wanted, move.tasks)
            here = _loaded(here, wanted, -move.tasks)
        moves.extend(chosen)
    return moves


def _name(facts: RegionFacts) -> str:
    return facts.name


def _may(facts: RegionFacts, wanted: Waiting) -> bool:
    return regions.carries(facts, wanted.residency) and any(
        entry.online for entry in regions.able(facts, wanted.requirement)
    )


def _stranded(able: Sequence[RegionFacts], wanted: Waiting, tasks: int) -> list[Move]:
    """Divide all of them among the regions that can run them."""
    counts = filling.divide([_crew(entry, wanted) for entry in able], tasks)
    return [
        Move(wanted.key, count, entry.name, wanted.stranded)
        for entry, count in zip(able, counts, strict=True)
        if count
    ]


def _lagging(here: RegionFacts, able: Sequence[RegionFacts], wanted: Waiting, tasks: int) -> list[Move]:
    """Even out this region and those that are far ahead of it."""
    if here.workers == 0 or not here.reachable:
        return []
    here_ms = here.backlog_ms / here.workers
    ahead = [entry for entry in able if here_ms > LAG_RATIO * placement.start_ms(entry) + LAG_MS]
    if not ahead:
        return []
    crews = [_crew(_loaded(here, wanted, -tasks), wanted), *(_crew(entry, wanted) for entry in ahead)]
    counts = filling.divide(crews, tasks)[1:]
    return [
        Move(wanted.key, count, entry.name, _comparison(here.name, here_ms, entry))
        for entry, count in zip(ahead, counts, strict=True)
        if count
    ]


def _comparison(here: str, here_ms: float, there: RegionFacts) -> str:
    return (
        f"what waits in {here} takes about {cost.in_words(here_ms)}, "
        f"in {there.name} about {cost.in_words(placement.start_ms(there))}"
    )


def _crew(facts: RegionFacts, wanted: Waiting) -> filling.Crew:
    """The region's workers that can run the tasks, after what they have in hand."""
    near, reach_ms = regions.nearest(regions.able(facts, wanted.requirement))
    workers = tuple(
        (
            entry.online * entry.workers,
            regions.task_ms(entry, wanted.specification, wanted.items, wanted.shots),
        )
        for entry in near
    )
    return filling.Crew(placement.start_ms(facts) + reach_ms, workers)


def _loaded(facts: RegionFacts, wanted: Waiting, tasks: int) -> RegionFacts:
    """The region with so many tasks more, or fewer."""
    able = regions.able(facts, wanted.requirement)
    if not able:
        return facts
    each_ms = regions.task_ms(able[0], wanted.specification, wanted.items, wanted.shots)
    return msgspec.structs.replace(facts, backlog_ms=max(0.0, facts.backlog_ms + tasks * each_ms))
