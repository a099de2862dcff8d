"""Random circuits through the engine, against qiskit-aer's statevector method in the same run.

Qiskit draws the circuit (``random_circuit``, depth 10, gates on one and two qubits) and takes it apart
into ``u`` and ``cx``; both sides get those gates, the same number of threads and 1,000 shots, in turns:
ours first, then theirs, then the other way round. Before anything is timed both samples are held
against the peer's exact distribution. ``python -m benchmarks.circuits`` prints the rows.
"""

import importlib.metadata
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure, ratios, spread, table
from qiskit import transpile
from qiskit.circuit.random import random_circuit

from qfleet_agent.workers import limits
from qfleet_wire import circuit, codec, workload

WIDTHS = (20, 22)
DEPTH = 10
SHOTS = 1000
WARM_PAIRS = 9
WHOLE_PAIRS = 5
GOAL_RATIO = 0.8
SIGMAS = 5.0
OURS, PEER = "benchmarks.circuit_engine", "benchmarks.circuit_peer"
_ROOT = Path(__file__).parents[1]


def run() -> list[Figure]:
    """Measure each width warm and as whole processes."""
    rows: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="qfleet-") as folder:
        for width in WIDTHS:
            path = Path(folder) / f"{width}.work"
            path.write_bytes(codec.encode(work(width, seed=width)))
            rows += [_figure(width, "warm", *_warm(path)), _figure(width, "whole process", *_whole(path))]
    return rows


def work(width: int, *, seed: int) -> workload.CircuitSample:
    """Draw a random circuit and write it in our form."""
    drawn = transpile(
        random_circuit(width, DEPTH, max_operands=2, seed=seed), basis_gates=["u", "cx"], optimization_level=0
    )
    body: list[circuit.Statement] = []
    for instruction in drawn.data:
        qubits = [drawn.find_bit(qubit).index for qubit in instruction.qubits]
        if instruction.operation.name == "cx":
            body.append(circuit.Gate("x", (qubits[1],), controls=(circuit.Control(qubits[0]),)))
        else:
            angles = tuple(circuit.Constant(float(angle)) for angle in instruction.operation.params)
            body.append(circuit.Gate("u", (qubits[0],), angles))
    body += [circuit.Measure(qubit, 0, qubit) for qubit in range(width)]
    slots = (circuit.Slot("c", circuit.ClassicalType("bit", width), 0, output=True),)
    program = circuit.Program(width, slots, (), tuple(body))
    return workload.CircuitSample(program, seed, (workload.SampleItem(0, (), 0, SHOTS),))


def _warm(path: Path) -> tuple[list[float], list[float]]:
    with _server(OURS, path) as ours, _server(PEER, path) as theirs:
        ours("run")
        _agree(theirs("check"))
        theirs("run")
        return _pairs(lambda: float(ours("run")), lambda: float(theirs("run")), WARM_PAIRS)


def _whole(path: Path) -> tuple[list[float], list[float]]:
    return _pairs(lambda: _once(OURS, path), lambda: _once(PEER, path), WHOLE_PAIRS)


def _pairs(
    ours: Callable[[], float], theirs: Callable[[], float], count: int
) -> tuple[list[float], list[float]]:
    mine, other = [], []
    for number in range(count):
        if number % 2:
            other.append(theirs())
            mine.append(ours())
        else:
            mine.append(ours())
            other.append(theirs())
    return mine, other


def _once(module: str, path: Path) -> float:
    started = time.perf_counter()
    with _server(module, path) as ask:
        ask("run")
    return time.perf_counter() - started


@contextmanager
def _server(module: str, path: Path) -> Iterator[Callable[[str], str]]:
    environment = os.environ | limits.environment(threads())
    with subprocess.Popen(
        [sys.executable, "-m", module, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def ask(what: str) -> str:
            requests.write(what + "\n")
            requests.flush()
            answer = answers.readline()
            if not answer:
                raise RuntimeError(f"{module} ended without an answer to {what!r}")
            return answer

        yield ask
        requests.close()


def _agree(answer: str) -> None:
    mean, error, ours, theirs = map(float, answer.split())
    for name, found in (("qfleet", ours), ("the peer", theirs)):
        if abs(found - mean) > SIGMAS * error:
            raise RuntimeError(
                f"{name} drew from another distribution: mean log-probability {found:.4f}, "
                f"exact {mean:.4f} ± {error:.4f}"
            )


def threads() -> int:
    """Threads of both sides."""
    return os.cpu_count() or 1


def _figure(width: int, how: str, ours: list[float], theirs: list[float]) -> Figure:
    ratio = ratios(ours, theirs)
    version = importlib.metadata.version("qiskit-aer")
    return Figure(
        what=f"{width}-qubit random circuit, depth {DEPTH}, {SHOTS:,} shots, {how}",
        ours=spread(ours).text("s"),
        peer=f"qiskit-aer {version} statevector, {threads()} threads each: {spread(theirs).text('s')}",
        ratio=ratio.text("×"),
        goal=f"≤ {GOAL_RATIO} ×",
        met=ratio.median <= GOAL_RATIO,
    )


if __name__ == "__main__":
    sys.stdout.write(
        f"qulacs {importlib.metadata.version('qulacs')}, qiskit {importlib.metadata.version('qiskit')}, "
        f"qiskit-aer {importlib.metadata.version('qiskit-aer')}, {threads()} threads each\n\n{table(run())}\n"
    )
