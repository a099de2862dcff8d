"""A parameter sweep over one agent and over two, each pinned to a core of its own.

Beside it what the two cores give without a fleet: no fleet can scale better than the machine does.
"""

import tempfile
import time
from pathlib import Path

from benchmarks import scaling_bare
from benchmarks.figures import Figure, ratios, spread
from tests.system import fleet as fleets

from qfleet import ExpectResultView, Fleet, JobRequest

POINTS, QUBITS, LAYERS = 64, 18, 8
REPEATS = 7
GOAL = 1.8
CORES = (0, 1)
PROGRAM = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float a;\n'
    f"qubit[{QUBITS}] q;\nfor int n in [1:{LAYERS}] {{\n  ry(a) q;\n  rz(0.3 * a) q;\n"
    + "".join(f"  cx q[{n}], q[{n + 1}];\n" for n in range(QUBITS - 1))
    + "}\n"
)


def run() -> list[Figure]:
    """Measure both in turns: a fleet of one agent, and one of two."""
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        fleets.LocalFleet(Path(folder) / "one", agents=1, cores=CORES[:1]) as one,
        fleets.LocalFleet(Path(folder) / "two", agents=2, cores=CORES) as two,
        one.connect() as alone,
        two.connect() as together,
    ):
        one.wait_measured()
        two.wait_measured()
        _seconds(alone)
        _seconds(together)
        pairs = [(_seconds(alone), _seconds(together)) for _ in range(REPEATS)]
    single, double = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ratio = ratios(single, double)
    return [
        _bare(),
        Figure(
            what=f"{POINTS}-point sweep of {QUBITS} qubits: 2 agents, a core each",
            ours=spread(double).text("s"),
            peer=f"1 agent, one core: {spread(single).text('s')}",
            ratio=f"{ratio.text('×')} as fast",
            goal=f"≥ {GOAL} ×",
            met=ratio.median >= GOAL,
        ),
    ]


def _bare() -> Figure:
    """Twice the work of one core, done by two, against one core alone."""
    found = [
        (2 * scaling_bare.together(CORES[:1], POINTS // 2), scaling_bare.together(CORES, POINTS // 2))
        for _ in range(REPEATS)
    ]
    single, double = [pair[0] for pair in found], [pair[1] for pair in found]
    return Figure(
        what=f"the same gates without a fleet: {POINTS} points in two bare processes, a core each",
        ours=spread(double).text("s"),
        peer=f"one bare process, one core: {spread(single).text('s')}",
        ratio=f"{ratios(single, double).text('×')} as fast",
    )


def _seconds(fleet: Fleet) -> float:
    points = tuple({"a": 0.02 * n} for n in range(POINTS))
    request = JobRequest(
        kind="circuit.expect", program=PROGRAM, observables=("Z0 Z1",), parameters=points, seed=1
    )
    started = time.perf_counter()
    result = fleet.run(request, timeout_s=300)
    seconds = time.perf_counter() - started
    assert isinstance(result, ExpectResultView)
    assert len(result.items) == POINTS
    return seconds
