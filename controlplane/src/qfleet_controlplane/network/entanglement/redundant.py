"""Redundant paths in a network without long memories, after Q-CAST (Shi and Qian, SIGCOMM 2020).

What is taken from there: time is cut into slots, in each of which every link is tried once and either
succeeds or is lost; a path is judged by its expected throughput over its width; before a slot, recovery
paths between nodes of the main path are laid over links that it does not use; when the nodes know which
links succeeded, a recovery path replaces the stretch of the main path that it spans, which is the exclusive
or of the main path with the ring that both form. What is not: contention between several demands, link
states known within k hops only, and recovery paths whose stretches overlap. Here a stretch may have several
recovery paths and no two stretches overlap, so that the probability of success is a closed form.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from qfleet_controlplane import errors


class InvalidDetour(errors.InvalidRequest):
    """A recovery path does not fit its main path."""


class Detour(msgspec.Struct, frozen=True, kw_only=True):
    """A recovery path from the ``first`` node of a main path (counted from 0) to the ``last``."""

    first: int
    last: int
    successes: tuple[float, ...]
    nodes: tuple[str, ...] = ()


def throughput(successes: Sequence[float], width: int, swap_success: float) -> float:
    """Expected end-to-end pairs per slot of a path whose links each have ``width`` parallel channels.

    A slot connects as many as the worst link has, each by one swap at every inner node: q^(h-1) Σ_i P(all
    links have i or more). This is the sum that the paper computes by recurrence over the hops.

    Raises:
        InvalidDetour: for no links, no width, or no probability.
    """
    _check((*successes, swap_success))
    if not successes or width < 1:
        raise InvalidDetour(f"a path of {len(successes)} links of width {width} connects nothing")
    at_least = (
        math.prod(_tail(chance, width, least) for chance in successes) for least in range(1, width + 1)
    )
    return math.fsum(at_least) * swap_success ** (len(successes) - 1)


def success(main: Sequence[float], detours: Sequence[Detour], swap_success: float) -> float:
    """Probability that a slot connects the ends of a main path, with its recovery paths.

    A stretch goes over the main path where its links succeeded, else over the first recovery path that did,
    in the order of `detours`. Every node passed costs one swap.

    Raises:
        InvalidDetour: when a recovery path does not fit, or two stretches overlap without being the same.
    """
    _check((*main, swap_success, *(each for detour in detours for each in detour.successes)))
    total, at = 1.0, 0
    for first, last in _stretches(len(main), detours):
        total *= math.prod(main[at:first]) * swap_success ** (first - at)
        others = [each.successes for each in detours if (each.first, each.last) == (first, last)]
        total *= _stretch([main[first:last], *others], swap_success) * swap_success
        at = last
    total *= math.prod(main[at:]) * swap_success ** (len(main) - at)
    # A swap was counted behind every link or stretch; the last one has none.
    return total / swap_success


def recoveries(
    nodes: Sequence[str], links: Mapping[tuple[str, str], float], *, span: int, swap_success: float
) -> list[Detour]:
    """Recovery paths for a main path, each spanning up to ``span`` hops: those that help most, one by one.

    ``links`` are the success probabilities by pair of nodes, the main path's among them. A recovery path
    passes no node of the main path but its ends, and uses no link of another.

    Raises:
        InvalidDetour: when two nodes of the main path have no link.
    """
    chances = {frozenset(ends): chance for ends, chance in links.items()}
    main = [_chance(chances, a, b) for a, b in itertools.pairwise(nodes)]
    chosen: list[Detour] = []
    used: set[frozenset[str]] = {frozenset(ends) for ends in itertools.pairwise(nodes)}
    while True:
        tried = [
            (success(main, [*chosen, each], swap_success), each)
            for each in _candidates(
                nodes, {k: v for k, v in chances.items() if k not in used}, span, swap_success
            )
            if _fits(each, chosen)
        ]
        value, detour = max(tried, key=lambda each: each[0], default=(0.0, None))
        if detour is None or value <= success(main, chosen, swap_success):
            return chosen
        chosen.append(detour)
        used |= {frozenset(ends) for ends in zip(detour.nodes, detour.nodes[1:], strict=False)}


def _stretch(ways: Sequence[Sequence[float]], swap_success: float) -> float:
    """Probability that the first way whose links all succeeded also swaps at all of its inner nodes."""
    total, none = 0.0, 1.0
    for way in ways:
        chance = math.prod(way)
        total += none * chance * swap_success ** (len(way) - 1)
        none *= 1.0 - chance
    return total


def _stretches(hops: int, detours: Sequence[Detour]) -> list[tuple[int, int]]:
    spans = sorted({(each.first, each.last) for each in detours})
    at = 0
    for first, last in spans:
        if not 0 <= first < last <= hops:
            raise InvalidDetour(f"a recovery path from node {first} to node {last} does not fit {hops} hops")
        if first < at:
            raise InvalidDetour(
                f"the recovery path from node {first} to node {last} overlaps another stretch"
            )
        at = last
    return spans


def _fits(new: Detour, chosen: Sequence[Detour]) -> bool:
    return all(
        (new.first, new.last) == (each.first, each.last) or new.first >= each.last or new.last <= each.first
        for each in chosen
    )


def _candidates(
    nodes: Sequence[str], free: Mapping[frozenset[str], float], span: int, swap_success: float
) -> Iterator[Detour]:
    """For each two nodes of the main path within the span, the recovery path most likely to serve."""
    for first in range(len(nodes)):
        for last in range(first + 1, min(first + span, len(nodes) - 1) + 1):
            inner = set(nodes) - {nodes[first], nodes[last]}
            found = _likeliest(nodes[first], nodes[last], inner, free, swap_success)
            if found is not None:
                chances = tuple(free[frozenset(ends)] for ends in itertools.pairwise(found))
                yield Detour(first=first, last=last, successes=chances, nodes=found)


def _likeliest(
    start: str, end: str, avoid: set[str], free: Mapping[frozenset[str], float], swap_success: float
) -> tuple[str, ...] | None:
    """The path of the largest product of link and swap successes (Dijkstra's algorithm)."""
    best: dict[str, tuple[float, tuple[str, ...]]] = {start: (1.0, (start,))}
    settled = set(avoid)
    while reachable := [node for node in best if node not in settled]:
        node = max(reachable, key=lambda each: best[each][0])
        value, path = best[node]
        if node == end:
            return path
        settled.add(node)
        for ends, chance in free.items():
            if node in ends:
                (near,) = ends - {node}
                new = value * chance * (swap_success if node != start else 1.0)
                if near not in settled and new > best.get(near, (0.0, ()))[0]:
                    best[near] = (new, (*path, near))
    return None


def _tail(chance: float, width: int, least: int) -> float:
    """Probability that at least so many of the parallel channels succeed."""
    return math.fsum(
        math.comb(width, count) * chance**count * (1.0 - chance) ** (width - count)
        for count in range(least, width + 1)
    )


def _chance(chances: Mapping[frozenset[str], float], a: str, b: str) -> float:
    if frozenset((a, b)) not in chances:
        raise InvalidDetour(f"{a} and {b} follow each other on the main path and have no link")
    return chances[frozenset((a, b))]


def _check(probabilities: Sequence[float]) -> None:
    for each in probabilities:
        if not 0.0 < each <= 1.0:
            raise InvalidDetour(f"{each:g} is no probability of success: it lies above 0 and at most at 1")
