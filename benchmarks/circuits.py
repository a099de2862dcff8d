"""Programs through the engine, against qiskit-aer in the same run: time and peak memory.

Both sides get the same program (ours through the compiler, the peer's transpiled for it), the same
number of threads and shots, in turns: ours first, then theirs, then the other way round. Before
anything is timed both samples are held against the peer's exact distribution. The widest program is also
held against a plain numpy pass over its state. ``python -m benchmarks circuits`` prints the rows.
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
from typing import NamedTuple

import numpy as np
from benchmarks.circuit_programs import Case, cases
from benchmarks.figures import Figure, number, ratios, spread
from qiskit import qpy, transpile
from qiskit_aer import AerSimulator

from qfleet_agent.workers import limits

WARM_PAIRS = 7
WHOLE_PAIRS = 5
PASSES = 9
GOAL_TIME, GOAL_MEMORY = 0.8, 0.5
SIGMAS = 5.0
PASS_QUBITS = 22
OURS, PEER = "benchmarks.circuit_engine", "benchmarks.circuit_peer"
_ROOT = Path(__file__).parents[1]


class Measured(NamedTuple):
    """Seconds of several runs, and the peak memory of the process in bytes for each."""

    seconds: list[float]
    memory: list[float]


def run() -> list[Figure]:
    """Measure each program warm and as whole processes."""
    rows: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="qfleet-") as folder:
        for number_, case in enumerate(cases()):
            ours, theirs = _commands(case, Path(folder) / str(number_))
            warm = _warm(ours, theirs)
            whole = _whole(ours, theirs)
            rows.append(_time(case, "warm", *warm))
            if not case.peer_shots:  # a part of the shots says nothing of the whole process's time
                rows.append(_time(case, "whole process", *whole))
            rows.append(_memory(case, *whole))
            if case.circuit.num_qubits == PASS_QUBITS:
                rows.append(_bandwidth(case, warm[0]))
    return rows


def _commands(case: Case, path: Path) -> tuple[list[str], list[str]]:
    work, circuit = path.with_suffix(".work"), path.with_suffix(".qpy")
    work.write_bytes(case.work())
    built = transpile(case.circuit, AerSimulator(method=case.method), optimization_level=0)
    with circuit.open("wb") as file:
        qpy.dump(built, file)
    return [OURS, str(work)], [PEER, str(circuit), case.method, str(case.peer_shots or case.shots)]


def _warm(ours: list[str], theirs: list[str]) -> tuple[Measured, Measured]:
    with _server(ours) as mine, _server(theirs) as other:
        mine("run")
        _agree(other("check"))
        other("run")
        seconds = _pairs(lambda: float(mine("run")), lambda: float(other("run")), WARM_PAIRS)
        return Measured(seconds[0], [float(mine("memory"))]), Measured(seconds[1], [float(other("memory"))])


def _whole(ours: list[str], theirs: list[str]) -> tuple[Measured, Measured]:
    mine, other = Measured([], []), Measured([], [])

    def once(command: list[str], into: Measured) -> float:
        started = time.perf_counter()
        with _server(command) as ask:
            ask("run")
            memory = float(ask("memory"))
        seconds = time.perf_counter() - started
        into.seconds.append(seconds)
        into.memory.append(memory)
        return seconds

    _pairs(lambda: once(ours, mine), lambda: once(theirs, other), WHOLE_PAIRS)
    return mine, other


def _pairs(
    ours: Callable[[], float], theirs: Callable[[], float], count: int
) -> tuple[list[float], list[float]]:
    mine, other = [], []
    for turn in range(count):
        if turn % 2:
            other.append(theirs())
            mine.append(ours())
        else:
            mine.append(ours())
            other.append(theirs())
    return mine, other


@contextmanager
def _server(command: list[str]) -> Iterator[Callable[[str], str]]:
    environment = os.environ | limits.environment(threads())
    with subprocess.Popen(
        [sys.executable, "-m", *command],
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
                raise RuntimeError(f"{command[0]} ended without an answer to {what!r}")
            return answer

        yield ask
        requests.close()


def _agree(answer: str) -> None:
    mean, error, ours, theirs = map(float, answer.split())
    for name, found in (("qfleet", ours), ("the peer", theirs)):
        if not abs(found - mean) <= SIGMAS * error:
            raise RuntimeError(
                f"{name} drew from another distribution: {found:.4f}, exact {mean:.4f} ± {error:.4f}"
            )


def threads() -> int:
    """Threads of both sides."""
    return os.cpu_count() or 1


def _time(case: Case, how: str, ours: Measured, theirs: Measured) -> Figure:
    scale = case.shots / (case.peer_shots or case.shots)
    peer = [scale * seconds for seconds in theirs.seconds]
    ratio = ratios(ours.seconds, peer)
    scaled = f" (from {case.peer_shots} shots)" if case.peer_shots else ""
    return Figure(
        what=f"{case.name}, {how}",
        ours=spread(ours.seconds).text("s"),
        peer=f"{_peer(case)}{scaled}: {spread(peer).text('s')}",
        ratio=ratio.text("×"),
        goal=f"≤ {GOAL_TIME} ×",
        met=ratio.median <= GOAL_TIME,
    )


def _memory(case: Case, ours: Measured, theirs: Measured) -> Figure:
    ratio = ratios(ours.memory, theirs.memory)
    mine, other = ([size / 2**20 for size in side.memory] for side in (ours, theirs))
    return Figure(
        what=f"{case.name}, peak memory of the whole process",
        ours=spread(mine).text("MiB"),
        peer=f"{_peer(case)}: {spread(other).text('MiB')}",
        ratio=ratio.text("×"),
        goal=f"≤ {GOAL_MEMORY} ×",
        met=ratio.median <= GOAL_MEMORY,
    )


def _bandwidth(case: Case, ours: Measured) -> Figure:
    """Hold the time for one two-qubit gate against a numpy pass that reads and writes the state once."""
    state = np.ones(1 << PASS_QUBITS, np.complex128)
    factor = np.exp(0.1j)
    passes = []
    for _ in range(PASSES):
        started = time.perf_counter()
        np.multiply(state, factor, out=state)
        passes.append(time.perf_counter() - started)
    pairs = case.circuit.num_qubits * (case.circuit.num_qubits // 2)
    each = [seconds / pairs for seconds in ours.seconds]
    plain = spread(passes)
    return Figure(
        what=f"{case.name}: a pair's gate, of {pairs}",
        ours=spread([1000 * seconds for seconds in each]).text("ms"),
        peer=f"numpy pass over the state, one thread: {spread([1000 * p for p in passes]).text('ms')}",
        ratio=f"{number(spread(each).median / plain.median)} ×",
        goal="near 1 ×",
    )


def _peer(case: Case) -> str:
    version = importlib.metadata.version("qiskit-aer")
    return f"qiskit-aer {version} {case.method}, {threads()} threads each"
