"""What the fleet adds to the work: a job's time less the engine time of its busiest agent.

Two agents, from the request over HTTP to the result in the client's hands. The engine time is what the
devices state in the results' provenance, summed per device; what is left is compiling, planning, storing,
sealing, the broker, journals, merging, and the waits between them.
"""

import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, spread
from tests.system import fleet as fleets

from qfleet import EchoResultView, Fleet, JobRequest, ResultView

TASKS = (1, 10, 100, 1000)
AGENTS = 2
REPEATS = 9
FIXED_MS, EACH_MS = 15.0, 1.0
QUBITS, LAYERS, POINTS = 16, 6, 8
PROGRAM = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float a;\n'
    f"qubit[{QUBITS}] q;\nfor int n in [1:{LAYERS}] {{\n  ry(a) q;\n"
    + "".join(f"  cx q[{n}], q[{n + 1}];\n" for n in range(QUBITS - 1))
    + "}\n"
)


def run() -> list[Figure]:
    """Measure jobs of 1 to 1,000 tasks that cost nothing, and a sweep that costs something."""
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        fleets.LocalFleet(Path(folder), agents=AGENTS) as site,
        site.connect() as fleet,
    ):
        site.wait_measured()
        rows = [
            _row(f"{tasks:,} tasks without work", tasks, _measure(fleet, _echo(tasks))) for tasks in TASKS
        ]
        measured = _measure(fleet, _sweep())
        tasks = round(measured[0][1])
        rows.append(_row(f"{POINTS} points of {QUBITS} qubits, {tasks} tasks", tasks, measured))
    return rows


def _echo(tasks: int) -> JobRequest:
    return JobRequest(kind="probe.echo", items=tasks)


def _sweep() -> JobRequest:
    points = tuple({"a": 0.1 + 0.2 * n} for n in range(POINTS))
    return JobRequest(kind="circuit.expect", program=PROGRAM, observables=("Z0",), parameters=points)


def _measure(fleet: Fleet, request: JobRequest) -> list[tuple[float, float]]:
    """Overhead in milliseconds and tasks of each repeat, after one that is not counted."""
    found = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        result = fleet.run(request, timeout_s=120)
        found.append(_overhead(1000 * (time.perf_counter() - started), result))
    return found[1:]


def _overhead(job_ms: float, result: ResultView) -> tuple[float, float]:
    busy: dict[str, float] = {}
    for source in result.sources:
        busy[source.device] = busy.get(source.device, 0.0) + source.duration_ms
    if isinstance(result, EchoResultView):
        assert sum(source.tasks for source in result.sources) == result.items
    return job_ms - max(busy.values()), float(sum(source.tasks for source in result.sources))


def _row(what: str, tasks: int, measured: list[tuple[float, float]]) -> Figure:
    found = spread([overhead for overhead, _ in measured])
    goal = FIXED_MS + EACH_MS * tasks
    return Figure(
        what=f"overhead of a job, {AGENTS} agents: {what}",
        ours=found.text("ms"),
        goal=f"≤ {goal:,.0f} ms",
        met=found.median <= goal,
    )
