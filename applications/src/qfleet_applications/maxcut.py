"""Largest cut of a weighted graph with QAOA of depth one, beside an exhaustive search.

Cost C = Σ w_uv (1 − Z_u Z_v)/2, state exp(−iβ ΣX) exp(−iγC) |+…+⟩. A landscape over (γ, β) comes from
one expectation job, whose values are compared with their closed form; the best point is then
sampled, and the best cut among the samples is the quantum answer.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from qfleet import ExpectResultView, JobRequest, ResultView, SampleResultView
from qfleet_applications.errors import UnexpectedResult
from qfleet_applications.frame.report import QUANTUM, Comparison, Measured
from qfleet_applications.graphs import Graph, largest_cut


class Runner(Protocol):
    """What a pack needs of a fleet; ``qfleet.Fleet`` is one."""

    def run(self, request: JobRequest) -> ResultView:
        """Run a job to its end and return its result."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The angles, in radians, at which the landscape is taken."""

    gammas: Sequence[float]
    betas: Sequence[float]


@dataclass(frozen=True, slots=True)
class Point:
    """Expected cut at one parameter point, as measured and in closed form."""

    gamma: float
    beta: float
    measured: float
    standard_error: float
    exact: float


@dataclass(frozen=True, slots=True)
class Solution:
    """A landscape, the best cut sampled at its best point, and how that compares."""

    landscape: tuple[Point, ...]
    best: Point
    cut: float
    side: int
    answer: Comparison

    @property
    def deviation(self) -> float:
        """Largest distance of a measured expectation from its closed form."""
        return max(abs(point.measured - point.exact) for point in self.landscape)


def solve(
    fleet: Runner,
    graph: Graph,
    *,
    grid: Grid,
    shots: int = 1024,
    clock: Callable[[], float] = time.perf_counter,
) -> Solution:
    """Cut ``graph`` with QAOA on a fleet and by exhaustive search.

    ``clock`` gives seconds.

    Raises:
        InvalidProblem: the graph is too large for the exhaustive search.
        UnexpectedResult: the fleet answered something else.
    """
    started = clock()
    points = landscape(fleet, graph, grid)
    best = max(points, key=lambda point: point.measured)
    cut, side = sample(fleet, graph, best, shots=shots)
    quantum = Measured("QAOA of depth 1", cut, cut, cut, clock() - started, kind=QUANTUM)
    started = clock()
    optimum, _ = largest_cut(graph)
    classical = Measured("exhaustive search", optimum, optimum, optimum, clock() - started)
    problem = f"largest cut of {graph.vertices} vertices and {len(graph.edges)} edges"
    return Solution(points, best, cut, side, Comparison(problem, "cut", "", "higher", quantum, classical))


def landscape(fleet: Runner, graph: Graph, grid: Grid) -> tuple[Point, ...]:
    """Expected cut at every (γ, β), beside its closed form."""
    places = tuple({"gamma": gamma, "beta": beta} for gamma in grid.gammas for beta in grid.betas)
    terms = " + ".join(f"{weight / 2!r}*Z{u} Z{v}" for u, v, weight in graph.edges).replace("+ -", "- ")
    result = fleet.run(
        JobRequest(
            kind="circuit.expect",
            name="maxcut-landscape",
            program=program(graph, measured=False),
            observables=(terms,),
            parameters=places,
        )
    )
    if not isinstance(result, ExpectResultView) or len(result.items) != len(places):
        raise UnexpectedResult(f"asked for {len(places)} expectation values, got {type(result).__name__}")
    return tuple(
        Point(
            gamma=place["gamma"],
            beta=place["beta"],
            measured=graph.total / 2 - item.values[0].value,
            standard_error=item.values[0].standard_error,
            exact=expected_cut(graph, place["gamma"], place["beta"]),
        )
        for place, item in zip(places, result.items, strict=True)
    )


def sample(fleet: Runner, graph: Graph, point: Point, *, shots: int) -> tuple[float, int]:
    """The largest cut among ``shots`` samples at one point, and one side of it."""
    result = fleet.run(
        JobRequest(
            kind="circuit.sample",
            name="maxcut-samples",
            program=program(graph, measured=True),
            parameters=({"gamma": point.gamma, "beta": point.beta},),
            shots=shots,
        )
    )
    if not isinstance(result, SampleResultView) or not result.items or not result.items[0].counts:
        raise UnexpectedResult(f"asked for samples, got {type(result).__name__}")
    # bit 0, vertex 0, stands rightmost
    sides = [int(outcome, 2) for outcome in result.items[0].counts]
    return max((graph.cut(side), side) for side in sides)


def program(graph: Graph, *, measured: bool) -> str:
    """The ansatz in OpenQASM 3, with the inputs ``gamma`` and ``beta``."""
    lines = [
        "OPENQASM 3.0;",
        'include "stdgates.inc";',
        "input float gamma;",
        "input float beta;",
        f"qubit[{graph.vertices}] q;",
        *([f"bit[{graph.vertices}] c;"] if measured else []),
        "h q;",
    ]
    for u, v, weight in graph.edges:
        lines += [f"cx q[{u}], q[{v}];", f"rz(gamma * {-weight!r}) q[{v}];", f"cx q[{u}], q[{v}];"]
    lines.append("rx(2 * beta) q;")
    if measured:
        lines.append("c = measure q;")
    return "\n".join(lines) + "\n"


def expected_cut(graph: Graph, gamma: float, beta: float) -> float:
    """Expected cut of QAOA of depth one on any weighted graph, in O(edges × vertices).

    With a_uv = γ w_uv, from Ozaeta, van Dam and McMahon, Quantum Sci. Technol. 7, 045036 (2022), for an
    Ising model without fields:

    ⟨Z_u Z_v⟩ = −½ sin 4β sin a_uv (Π_k cos a_uk + Π_k cos a_vk)
                − ½ sin² 2β (Π_k cos(a_uk + a_vk) − Π_k cos(a_uk − a_vk)),

    each product over the vertices k other than u and v.
    """
    table = graph.neighbours()
    return math.fsum(
        weight / 2 * (1 - _correlation(table, (u, v), gamma=gamma, beta=beta)) for u, v, weight in graph.edges
    )


def _correlation(table: list[dict[int, float]], edge: tuple[int, int], *, gamma: float, beta: float) -> float:
    u, v = edge
    others = (table[u].keys() | table[v].keys()) - {u, v}
    angles = [(gamma * table[u].get(k, 0.0), gamma * table[v].get(k, 0.0)) for k in others]
    single = math.prod(math.cos(a) for a, _ in angles) + math.prod(math.cos(b) for _, b in angles)
    double = math.prod(math.cos(a + b) for a, b in angles) - math.prod(math.cos(a - b) for a, b in angles)
    first = math.sin(4 * beta) * math.sin(gamma * table[u][v]) * single
    return -(first + math.sin(2 * beta) ** 2 * double) / 2
