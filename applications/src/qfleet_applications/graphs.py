"""Weighted graphs, their cuts, and the largest cut by exhaustive search."""

import math
from dataclasses import dataclass

from qfleet_applications.errors import InvalidProblem

LARGEST_SEARCH = 22
"""More vertices than this take minutes to search exhaustively."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A simple undirected graph of vertices 0 … n−1; ``edges`` are (u, v, weight)."""

    vertices: int
    edges: tuple[tuple[int, int, float], ...]

    def __post_init__(self) -> None:
        if self.vertices < 2 or not self.edges:
            raise InvalidProblem(f"{self.vertices} vertices and {len(self.edges)} edges: nothing to cut")
        seen = set()
        for u, v, weight in self.edges:
            if u == v or not (0 <= u < self.vertices and 0 <= v < self.vertices):
                raise InvalidProblem(f"edge ({u}, {v}) does not join two of {self.vertices} vertices")
            if not math.isfinite(weight):
                raise InvalidProblem(f"edge ({u}, {v}) has the weight {weight}, which is not finite")
            if (pair := frozenset((u, v))) in seen:
                raise InvalidProblem(f"edge ({u}, {v}) is given twice; add the weights")
            seen.add(pair)

    @property
    def total(self) -> float:
        """Sum of all weights."""
        return math.fsum(weight for _, _, weight in self.edges)

    def cut(self, side: int) -> float:
        """Weight between the vertices whose bit in ``side`` is 1 and the others."""
        return math.fsum(weight for u, v, weight in self.edges if (side >> u ^ side >> v) & 1)

    def neighbours(self) -> list[dict[int, float]]:
        """For each vertex, the weights of its edges by the other end."""
        table: list[dict[int, float]] = [{} for _ in range(self.vertices)]
        for u, v, weight in self.edges:
            table[u][v] = table[v][u] = weight
        return table


def largest_cut(graph: Graph) -> tuple[float, int]:
    """The largest cut and one side of it, by walking all bipartitions in Gray-code order.

    2^(n−1) steps, each of the degree of one vertex.

    Raises:
        InvalidProblem: the graph has more than ``LARGEST_SEARCH`` vertices.
    """
    if graph.vertices > LARGEST_SEARCH:
        raise InvalidProblem(
            f"{graph.vertices} vertices are too many for an exhaustive search; at most {LARGEST_SEARCH}"
        )
    table = graph.neighbours()
    side, value, best, best_side = 0, 0.0, 0.0, 0
    for step in range(1, 1 << (graph.vertices - 1)):
        vertex = (step & -step).bit_length() - 1
        for other, weight in table[vertex].items():
            value += weight if (side >> vertex ^ side >> other) & 1 == 0 else -weight
        side ^= 1 << vertex
        if value > best:
            best, best_side = value, side
    return graph.cut(best_side), best_side
