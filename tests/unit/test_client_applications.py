"""The application pack against a plain state-vector simulation, and the demo's closed forms."""

import math
from io import StringIO
from typing import Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from qfleet import (
    ExpectItemView,
    ExpectResultView,
    JobRequest,
    ResultView,
    SampleItemView,
    SampleResultView,
    ValueView,
)
from qfleet.demo import exercises, report
from qfleet_applications import maxcut
from qfleet_applications.errors import InvalidProblem, UnexpectedResult
from qfleet_applications.frame.durations import duration
from qfleet_applications.frame.report import Comparison, Measured
from qfleet_applications.graphs import Graph, largest_cut

TRIANGLE = Graph(4, ((0, 1, 1.0), (1, 2, 2.0), (0, 2, -0.5), (2, 3, 1.5)))


def qaoa(graph: Graph, gamma: float, beta: float) -> np.ndarray:
    """Probabilities of all outcomes, straight from the definition with matrices."""
    cuts = np.array([graph.cut(side) for side in range(1 << graph.vertices)])
    state = np.exp(-1j * gamma * cuts) / math.sqrt(len(cuts))
    mixer = np.array([[math.cos(beta), -1j * math.sin(beta)], [-1j * math.sin(beta), math.cos(beta)]])
    for vertex in range(graph.vertices):
        pairs = state.reshape(-1, 2, 1 << vertex)
        state = np.einsum("ab,ibj->iaj", mixer, pairs).reshape(-1)
    return np.asarray(np.abs(state) ** 2)


def simulated(graph: Graph, gamma: float, beta: float) -> float:
    cuts = [graph.cut(side) for side in range(1 << graph.vertices)]
    return float(qaoa(graph, gamma, beta) @ cuts)


class Simulator:
    """Runs the pack's two jobs for one graph from the definition of QAOA."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.requests: list[JobRequest] = []

    def run(self, request: JobRequest) -> ResultView:
        self.requests.append(request)
        if request.kind == "circuit.expect":
            items = tuple(self._expect(place) for place in request.parameters)
            return ExpectResultView("job-1", "succeeded", 1, items, ())
        place = request.parameters[0]
        drawn = np.random.default_rng(1).multinomial(request.shots, qaoa(self.graph, **place))
        width = self.graph.vertices
        counts = {f"{side:0{width}b}": int(count) for side, count in enumerate(drawn) if count}
        item = SampleItemView(place, request.shots, counts)
        return SampleResultView("job-1", "succeeded", 1, (item,), ())

    def _expect(self, place: dict[str, float]) -> ExpectItemView:
        value = self.graph.total / 2 - simulated(self.graph, **place)
        return ExpectItemView(place, (ValueView("C", value, 0.0, exact=True),))


angles = st.floats(-4, 4)
weights = st.floats(-2, 2).filter(bool)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    vertices = draw(st.integers(2, 6))
    pairs = [(u, v) for u in range(vertices) for v in range(u)]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True))
    return Graph(vertices, tuple((u, v, draw(weights)) for u, v in chosen))


@given(graphs(), angles, angles)
def test_closed_form_is_what_simulation_gives(graph: Graph, gamma: float, beta: float) -> None:
    assert maxcut.expected_cut(graph, gamma, beta) == pytest.approx(simulated(graph, gamma, beta), abs=1e-9)


@pytest.mark.parametrize("vertices", [4, 5, 8])
@given(gamma=angles, beta=angles)
def test_closed_form_of_the_ring(vertices: int, gamma: float, beta: float) -> None:
    ring = Graph(vertices, tuple((u, (u + 1) % vertices, 1.0) for u in range(vertices)))
    exact = vertices * exercises.ring_cut(gamma, beta)
    assert simulated(ring, gamma, beta) == pytest.approx(exact, abs=1e-9)


@given(graphs())
def test_largest_cut_is_the_best_of_all_sides(graph: Graph) -> None:
    value, side = largest_cut(graph)
    assert value == graph.cut(side)
    assert value == pytest.approx(max(graph.cut(other) for other in range(1 << graph.vertices)), abs=1e-12)


@pytest.mark.parametrize(
    ("vertices", "edges"),
    [
        (1, ((0, 0, 1.0),)),
        (2, ()),
        (2, ((0, 2, 1.0),)),
        (2, ((1, 1, 1.0),)),
        (2, ((0, 1, 1.0), (1, 0, 1.0))),
        (2, ((0, 1, math.nan),)),
    ],
)
def test_refused_graphs(vertices: int, edges: tuple[tuple[int, int, float], ...]) -> None:
    with pytest.raises(InvalidProblem):
        Graph(vertices, edges)


def test_too_large_a_graph_is_not_searched() -> None:
    with pytest.raises(InvalidProblem, match="at most 22"):
        largest_cut(Graph(23, ((0, 22, 1.0),)))


def test_solve_puts_both_answers_beside_each_other() -> None:
    fleet = Simulator(TRIANGLE)
    ticks = iter([0.0, 3.0, 10.0, 10.5])
    grid = maxcut.Grid([0.3, 0.6, 0.9], [0.3, 0.6, 0.9])
    solution = maxcut.solve(fleet, TRIANGLE, grid=grid, clock=lambda: next(ticks))
    assert len(solution.landscape) == 9
    assert solution.deviation < 1e-9
    assert solution.best.measured == max(point.measured for point in solution.landscape)
    assert solution.cut == TRIANGLE.cut(solution.side) == largest_cut(TRIANGLE)[0]
    assert (solution.answer.fleet.seconds, solution.answer.classical.seconds) == (3.0, 0.5)
    assert "no difference in cut that counts" in solution.answer.sentence
    assert "in 3.00 s on the fleet" in solution.answer.sentence
    assert [request.kind for request in fleet.requests] == ["circuit.expect", "circuit.sample"]


def test_negative_weights_are_written_as_differences() -> None:
    fleet = Simulator(TRIANGLE)
    maxcut.landscape(fleet, TRIANGLE, maxcut.Grid([0.1], [0.2]))
    assert fleet.requests[0].observables == ("0.5*Z0 Z1 + 1.0*Z1 Z2 - 0.25*Z0 Z2 + 0.75*Z2 Z3",)


def test_a_result_of_another_kind_is_refused() -> None:
    class Liar:
        def run(self, request: JobRequest) -> ResultView:
            assert request.kind in {"circuit.expect", "circuit.sample"}
            return SampleResultView("job-1", "succeeded", 1, (), ())

    with pytest.raises(UnexpectedResult):
        maxcut.landscape(Liar(), TRIANGLE, maxcut.Grid([0.1], [0.2]))
    point = maxcut.Point(0.1, 0.2, 0.0, 0.0, 0.0)
    with pytest.raises(UnexpectedResult):
        maxcut.sample(Liar(), TRIANGLE, point, shots=1)


def measured(value: float, error: float = 0.0, seconds: float = 1.0) -> Measured:
    return Measured("annealing", value, value - error, value + error, seconds)


def compared(goal: Literal["higher", "lower"], quantum: Measured, classical: Measured) -> Comparison:
    exact = msgspec.structs.replace(classical, method="enumeration")
    return Comparison("a problem", "cost", "EUR", goal, quantum, exact)


def test_a_pack_that_loses_says_so() -> None:
    answer = compared("higher", measured(9.0, 0.1, 10.0), measured(10.0))
    assert answer.winner == "classical"
    assert answer.sentence.startswith("a problem: enumeration did better in cost by 1 EUR (")
    assert "found 9 (8.9 to 9.1) EUR in 10.00 s on the fleet" in answer.sentence


def test_lower_is_better_where_the_goal_says_so() -> None:
    answer = compared("lower", measured(9.0, seconds=0.5), measured(10.0))
    assert answer.winner == "fleet"
    assert answer.sentence.startswith("a problem: annealing did better in cost by 1 EUR (")


def test_a_difference_within_its_errors_is_none() -> None:
    assert compared("higher", measured(9.9, 0.1), measured(10.0, 0.1)).winner == "neither"
    assert compared("higher", measured(0.1 + 0.2), measured(0.3)).winner == "neither"


@pytest.mark.parametrize(("seconds", "told"), [(5e-6, "5 µs"), (0.0123, "12.3 ms"), (12.345, "12.35 s")])
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_frequencies_agree_within_their_standard_error_only() -> None:
    assert exercises.frequency("x", 2048 + 140, 4096, 0.5).agrees
    assert not exercises.frequency("x", 2048 + 150, 4096, 0.5).agrees
    assert not exercises.frequency("x", 1, 4096, 0.0).agrees


def cat_result(counts: dict[str, int]) -> SampleResultView:
    return SampleResultView("job-1", "succeeded", 1, (SampleItemView({}, sum(counts.values()), counts),), ())


def test_the_cat_exercise_accepts_its_distribution_and_nothing_else() -> None:
    exercise = exercises.all_of_them()[1]
    outcomes = [f"{cat} {link:05b}" for cat in ("0" * 7, "1" * 7) for link in range(32)]
    drawn = np.random.default_rng(3).multinomial(8192, [1 / 64] * 64)
    fair = dict(zip(outcomes, drawn.tolist(), strict=True))
    assert all(line.agrees for line in exercise.compare(cat_result(fair)))
    uncorrected = {f"{0b1010101 if link else 0:07b} {link:05b}": 256 for link in range(32)}
    biased = {key: 256 for key in fair if key.endswith("0")}
    for wrong in (uncorrected, biased):
        assert not all(line.agrees for line in exercise.compare(cat_result(wrong)))


def test_the_demo_prints_the_tolerance_that_its_verdicts_go_by() -> None:
    off = exercises.Line("χ²/k of 64 equal outcomes", 1.362599, 1.0, 0.1782, 4.5 * 0.1782)
    exact = exercises.Line("γ = +0.2500 π, β = +0.1250 π", 0.75, 0.75, 0.0, 1e-9)
    none = exercises.frequency("the 7 bits of the cat differ", 0, 8192, 0.0)
    console = Console(width=80, file=StringIO())
    console.print(report._table([off, exact, none]))
    printed = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(printed) == 4
    assert "1.362599  1.000000  ± 0.801900 (4.5 σ)  agrees" in printed[1]
    assert "rounding, 1e-09  agrees" in printed[2]
    assert "none  agrees" in printed[3]


def test_the_qaoa_exercise_has_24_points_and_the_best_of_all() -> None:
    request = exercises.all_of_them()[2].request
    assert len(request.parameters) == 24
    assert max(exercises.ring_cut(**point) for point in request.parameters) == pytest.approx(0.75)
