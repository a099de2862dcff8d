"""Road graphs, shortest ways, and the time that a road takes under traffic."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from qfleet_applications.errors import InvalidProblem

BPR_FACTOR, BPR_POWER = 0.15, 4
"""Of the volume-delay function of the Bureau of Public Roads (1964)."""


class Road(NamedTuple):
    """A one-way road: what it carries in the period, and its free-flow time in minutes."""

    start: str
    end: str
    capacity: float
    minutes: float

    def total(self, volume: float) -> float:
        """Vehicle minutes of all that use it: v t₀ (1 + 0.15 (v/c)⁴)."""
        return volume * self.minutes * (1 + BPR_FACTOR * (volume / self.capacity) ** BPR_POWER)


class Demand(NamedTuple):
    """Vehicles that go from one node to another in the period."""

    start: str
    end: str
    vehicles: float


@dataclass(frozen=True)
class Roads:
    """A road graph."""

    name: str
    roads: tuple[Road, ...]

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """All intersections, in the order in which they appear."""
        return tuple(dict.fromkeys(end for road in self.roads for end in (road.start, road.end)))

    @cached_property
    def streets(self) -> tuple[tuple[str, str], ...]:
        """Pairs of intersections that a road joins in any direction."""
        order = {node: at for at, node in enumerate(self.nodes)}
        pairs = {tuple(sorted((road.start, road.end), key=order.__getitem__)): None for road in self.roads}
        return tuple((pair[0], pair[1]) for pair in pairs)

    @cached_property
    def index(self) -> dict[tuple[str, str], int]:
        """The number of the road from one node to another."""
        return {(road.start, road.end): at for at, road in enumerate(self.roads)}

    @cached_property
    def graph(self) -> Any:
        """The graph as networkx has it, with minutes."""
        import networkx as nx  # noqa: PLC0415 - slow to import

        graph = nx.DiGraph()
        graph.add_weighted_edges_from((road.start, road.end, road.minutes) for road in self.roads)
        return graph

    def minutes(self) -> dict[str, dict[str, float]]:
        """Free-flow minutes from each node to each that can be reached."""
        import networkx as nx  # noqa: PLC0415 - as above

        return dict(nx.all_pairs_dijkstra_path_length(self.graph))

    def routes(self, start: str, end: str, number: int) -> list[tuple[int, ...]]:
        """The ``number`` shortest ways without loops, as numbers of roads (Yen's algorithm).

        Raises:
            InvalidProblem: there is none.
        """
        import networkx as nx  # noqa: PLC0415 - as above

        if start not in self.graph or end not in self.graph or not nx.has_path(self.graph, start, end):
            raise InvalidProblem(f"{self.name}: there is no way from {start} to {end}")
        found = []
        for path in nx.shortest_simple_paths(self.graph, start, end, weight="weight"):
            found.append(tuple(self.index[pair] for pair in pairwise(path)))
            if len(found) == number:
                break
        return found
