"""Parts of bounded width with as few paths between them as can be found.

Halves are found by Kernighan and Lin's exchange of pairs (networkx), started from the best splits of a few
orders of the qubits and at several sizes, and are halved again where the widths need it. Nothing is left to
chance: the same program is cut the same way every time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from qfleet_controlplane.planning.cuts.pieces import TOGETHER

Weights: TypeAlias = Mapping[tuple[int, int], float]
Parts: TypeAlias = tuple[tuple[int, ...], ...]

_STARTS = 4
"""Sizes at which each order of the qubits is split."""


def partition(weights: Weights, qubits: int, bound: int) -> Parts | None:
    """Divide the qubits into parts of at most ``bound``; None where wider gates tie too many together."""
    # networkx takes most of a second to import, and few jobs need it.
    import networkx as nx  # noqa: PLC0415 - see above

    graph = nx.Graph()
    graph.add_nodes_from(range(qubits))
    graph.add_weighted_edges_from((one, other, weight) for (one, other), weight in weights.items())
    parts = _divide(nx, graph, bound)
    return None if parts is None else tuple(sorted(tuple(sorted(part)) for part in parts))


def crossing(weights: Weights, parts: Iterable[Iterable[int]]) -> float:
    """Log2 of the number of paths between parts."""
    owner = {qubit: number for number, part in enumerate(parts) for qubit in part}
    return sum(weight for (one, other), weight in weights.items() if owner[one] != owner[other])


def through(weights: Weights, parts: Sequence[Sequence[int]]) -> list[float]:
    """Log2 of the number of paths through each part."""
    owner = {qubit: number for number, part in enumerate(parts) for qubit in part}
    bits = [0.0] * len(parts)
    for (one, other), weight in weights.items():
        if owner[one] != owner[other]:
            bits[owner[one]] += weight
            bits[owner[other]] += weight
    return bits


def _divide(nx: Any, graph: Any, bound: int) -> list[set[int]] | None:
    size = len(graph)
    if size <= bound:
        return [set(graph)]
    count = -(-size // bound)
    left = count // 2
    least, most = max(1, size - (count - left) * bound), min(size - 1, left * bound)
    best: tuple[float, list[set[int]]] | None = None
    for start in _starts(nx, graph, range(least, most + 1), round(size * left / count)):
        halves = nx.community.kernighan_lin_bisection(graph, partition=start, max_iter=20)
        cost = nx.cut_size(graph, *halves, weight="weight")
        if cost < TOGETHER and (best is None or cost < best[0]):
            best = (cost, [set(half) for half in halves])
    if best is None:
        return None
    found: list[set[int]] = []
    for half in best[1]:
        parts = _divide(nx, graph.subgraph(half), bound)
        if parts is None:
            return None
        found += parts
    return found


def _starts(nx: Any, graph: Any, sizes: Sequence[int], even: int) -> Iterable[tuple[set[int], set[int]]]:
    """Yield splits of a few orders: the one that leads to even parts, and those that cut least."""
    for order in _orders(nx, graph):
        cuts = _prefix_cuts(graph, order)
        least = sorted(sizes, key=lambda size: (cuts[size - 1], abs(size - even)))
        for size in dict.fromkeys([even, *least[:_STARTS]]):
            yield set(order[:size]), set(order[size:])


def _orders(nx: Any, graph: Any) -> list[list[int]]:
    """The qubits as they are declared, and component by component from an outer qubit on."""
    outwards: list[int] = []
    for component in sorted(nx.connected_components(graph), key=lambda each: (-len(each), min(each))):
        inside = graph.subgraph(component)
        first = _farthest(nx, inside, _farthest(nx, inside, min(component)))
        outwards += [first, *(node for _, node in nx.bfs_edges(inside, first, sort_neighbors=sorted))]
    return [sorted(graph), outwards]


def _farthest(nx: Any, graph: Any, source: int) -> int:
    lengths: dict[int, int] = nx.single_source_shortest_path_length(graph, source)
    return max(lengths, key=lambda node: (lengths[node], -node))


def _prefix_cuts(graph: Any, order: Sequence[int]) -> list[float]:
    """Weight between the first k qubits of an order and the rest, for every k from 1 on."""
    position = {node: index for index, node in enumerate(order)}
    changes = [0.0] * (len(order) + 1)
    for one, other, weight in graph.edges(data="weight"):
        low, high = sorted((position[one], position[other]))
        changes[low] += weight
        changes[high] -= weight
    total, cuts = 0.0, []
    for change in changes[:-1]:
        total += change
        cuts.append(total)
    return cuts
