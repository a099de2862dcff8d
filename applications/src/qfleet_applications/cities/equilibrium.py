"""Traffic that splits at will: where drivers end who think of themselves, and what would be best for all.

Beckmann, McGuire and Winsten (1956): at the user equilibrium (Wardrop 1952, first principle) all ways that
are taken between two nodes last equally long; at the system optimum their marginal times are equal, that is
with t + v dt/dv in place of t. Both are convex, and are found by gradient projection on ways that are added
as they become the shortest (Jayakrishnan and others, Transp. Res. Rec. 1443, 75, 1994).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from qfleet_applications.cities.roads import BPR_FACTOR, BPR_POWER, Demand, Road, Roads

GAP = 1e-7
_ROUNDS = 300

Way = tuple[int, ...]


class Assignment(NamedTuple):
    """Vehicles on each road, the vehicle minutes of all, and the relative gap that is left.

    The gap is (Σ v c - Σ d c_min) / Σ v c, c being what drivers look at; at a system optimum no assignment
    takes less than (1 - gap) of the vehicle minutes of all with marginal times.
    """

    volumes: tuple[float, ...]
    minutes: float
    gap: float


def assigned(roads: Roads, demand: Sequence[Demand], *, selfish: bool, gap: float = GAP) -> Assignment:
    """The user equilibrium of a demand, or its system optimum.

    Raises:
        InvalidProblem: a pair of the demand has no way.
    """
    flows = _Flows(roads, demand, selfish=selfish)
    left = 1.0
    for _ in range(_ROUNDS):
        left = flows.improved()
        if left <= gap:
            break
    pairs = zip(roads.roads, flows.volumes, strict=True)
    return Assignment(tuple(flows.volumes), sum(road.total(volume) for road, volume in pairs), left)


class _Flows:
    """What goes which way; each round of ``improved`` moves vehicles to shorter ones."""

    def __init__(self, roads: Roads, demand: Sequence[Demand], *, selfish: bool) -> None:
        self._roads, self._demand = roads, demand
        # v (t v)' = t₀ (1 + (power + 1) factor (v/c)^power)
        self._factor = BPR_FACTOR * (1 if selfish else BPR_POWER + 1)
        self.volumes = [0.0] * len(roads.roads)
        self._costs = [road.minutes for road in roads.roads]
        self._graph = roads.graph.copy()
        self._ways: list[dict[Way, float]] = []
        for one in demand:
            way = roads.routes(one.start, one.end, 1)[0]
            self._ways.append({way: one.vehicles})
            for road in way:
                self.volumes[road] += one.vehicles
        self._refresh(range(len(self.volumes)))

    def improved(self) -> float:
        """Go through all pairs once; the relative gap as it was before."""
        total = sum(volume * cost for volume, cost in zip(self.volumes, self._costs, strict=True))
        least = 0.0
        shortest = {
            start: self._shortest(start) for start in dict.fromkeys(one.start for one in self._demand)
        }
        for one in self._demand:
            least += one.vehicles * shortest[one.start][0][one.end]
        for one, ways in zip(self._demand, self._ways, strict=True):
            nodes = shortest[one.start][1][one.end]
            ways.setdefault(tuple(self._roads.index[pair] for pair in pairwise(nodes)), 0.0)
            self._shift(ways)
        return (total - least) / total if total else 0.0

    def _shortest(self, start: str) -> tuple[dict[str, float], dict[str, list[str]]]:
        import networkx as nx  # noqa: PLC0415 - slow to import

        for road, cost in zip(self._roads.roads, self._costs, strict=True):
            self._graph[road.start][road.end]["weight"] = cost
        lengths, ways = nx.single_source_dijkstra(self._graph, start)
        return lengths, ways

    def _shift(self, ways: dict[Way, float]) -> None:
        """A Newton step from each way of a pair to its shortest."""
        best = min(ways, key=self._length)
        for way in [way for way in ways if way != best]:
            more = self._length(way) - self._length(best)
            changed = set(way) ^ set(best)
            bend = sum(self._bend(road) for road in changed)
            moved = ways[way] if bend <= 0 else min(ways[way], max(more, 0.0) / bend)
            ways[way] -= moved
            ways[best] += moved
            for road in changed:
                self.volumes[road] += moved if road in best else -moved
            self._refresh(changed)
            if ways[way] <= 0:
                del ways[way]

    def _length(self, way: Way) -> float:
        return sum(self._costs[road] for road in way)

    def _bend(self, number: int) -> float:
        road: Road = self._roads.roads[number]
        share = max(self.volumes[number], 0.0) / road.capacity
        return road.minutes * self._factor * BPR_POWER * share ** (BPR_POWER - 1) / road.capacity

    def _refresh(self, numbers: Sequence[int] | set[int] | range) -> None:
        for number in numbers:
            road = self._roads.roads[number]
            share = max(self.volumes[number], 0.0) / road.capacity
            self._costs[number] = road.minutes * (1 + self._factor * share**BPR_POWER)
