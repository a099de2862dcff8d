"""QAOA's cost and gradient as vectors, against the same circuit through the engine for programs.

What a minimisation repeats: the cost of a state at a point, of 3-regular graphs with weights or without. Both
sides use one process, the same number of threads, and turns; first both must find the same cost. The
gradient stands beside what differences of costs would take for it, two for each parameter.
"""

import random
import time
from collections.abc import Callable

import networkx as nx
import numpy as np
from benchmarks.figures import Figure, ratios, spread

from qfleet_agent.engines.alternating import Alternating
from qfleet_agent.engines.hamiltonians import Hamiltonian
from qfleet_agent.engines.sweeps import Sweep
from qfleet_wire import circuit, workload

PAIRS = 7
LAYERS = 3
BUDGET = 1 << 32
_TOLERANCE = 1e-9
Edges = list[tuple[int, int, float]]


def run() -> list[Figure]:
    """Measure 12, 16 and 20 qubits."""
    rows: list[Figure] = []
    for qubits in (12, 16, 20):
        for weighted in (False, True):
            rows += _compared(qubits, weighted=weighted)
    return rows


def _compared(qubits: int, *, weighted: bool) -> list[Figure]:
    edges = _edges(qubits, weighted=weighted)
    cost = workload.Observable(
        "", tuple(workload.PauliTerm(weight / 2, (("Z", a), ("Z", b))) for a, b, weight in edges)
    )
    vectors = Alternating(cost, qubits, LAYERS)
    gates, hamiltonian = Sweep(_program(qubits, edges), budget=BUDGET), Hamiltonian(cost, qubits)
    point = np.random.default_rng(1).uniform(-1.0, 1.0, 2 * LAYERS)

    def by_gates() -> float:
        return hamiltonian.value(gates.state(point.tolist()))

    if abs(vectors.value(point) - by_gates()) > _TOLERANCE * qubits:
        raise AssertionError("the two ways do not find the same cost")
    ours, theirs, slopes = _turns(lambda: vectors.value(point), by_gates, lambda: vectors.gradient(point))
    graph = f"{'weighted' if weighted else '3-regular'} graph, {qubits} qubits, p = {LAYERS}"
    return [
        Figure(
            what=f"QAOA, {graph}: cost",
            ours=spread(ours).text("ms"),
            peer="as fused gates " + spread(theirs).text("ms"),
            ratio=ratios(ours, theirs).text("×"),
        ),
        Figure(
            what=f"QAOA, {graph}: gradient",
            ours=spread(slopes).text("ms"),
            peer=f"{4 * LAYERS} costs " + spread([4 * LAYERS * each for each in ours]).text("ms"),
            ratio=ratios(slopes, [4 * LAYERS * each for each in ours]).text("×"),
        ),
    ]


def _turns(*sides: Callable[[], object]) -> list[list[float]]:
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(PAIRS):
        for side, found in zip(sides, times, strict=True):
            begun = time.perf_counter()
            side()
            found.append(1e3 * (time.perf_counter() - begun))
    return times


def _edges(qubits: int, *, weighted: bool) -> Edges:
    drawn = random.Random(1)
    graph = nx.random_regular_graph(3, qubits, seed=1)
    return [(a, b, drawn.uniform(0.5, 1.5) if weighted else 1.0) for a, b in graph.edges]


def _program(qubits: int, edges: Edges) -> circuit.Program:
    body: list[circuit.Statement] = [circuit.Gate("h", (qubit,)) for qubit in range(qubits)]
    for layer in range(LAYERS):
        for a, b, weight in edges:
            flip = circuit.Gate("x", (b,), controls=(circuit.Control(a),))
            body += [flip, circuit.Gate("rz", (b,), (_times(weight, layer),)), flip]
        turn = (_times(2.0, LAYERS + layer),)
        body += [circuit.Gate("rx", (qubit,), turn) for qubit in range(qubits)]
    return circuit.Program(qubits, (), tuple(f"a{number}" for number in range(2 * LAYERS)), tuple(body))


def _times(factor: float, parameter: int) -> circuit.Expression:
    return circuit.Binary("*", circuit.Constant(factor), circuit.Parameter(parameter))
