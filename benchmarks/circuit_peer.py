"""The peer of the circuit figures: one process with qiskit-aer.

``python -m benchmarks.circuit_peer CIRCUIT METHOD SHOTS`` reads Qiskit's own file of the circuit, already
transpiled for Aer. ``check`` tells how well our outcomes and its own fit its exact distribution.
"""

import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
from benchmarks import circuit_server
from qiskit import QuantumCircuit, qpy
from qiskit_aer import AerSimulator

from qfleet_wire import codec, workload


def main() -> None:
    """Serve standard input."""
    path, method, shots = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    with path.open("rb") as file:
        (built,) = qpy.load(file)
    simulator = AerSimulator(method=method, max_parallel_threads=int(os.environ["OMP_NUM_THREADS"]))

    def counts(seed: int) -> dict[str, int]:
        found: dict[str, int] = simulator.run(built, shots=shots, seed_simulator=seed).result().get_counts()
        return found

    def check() -> str:
        ours = _counts(path.with_suffix(".result"))
        if method == "stabilizer":
            return _same_outcomes(ours, counts(2))
        return _likelihoods(simulator, built, ours, counts(2))

    circuit_server.serve(lambda: counts(1), {"check": check})


def _counts(path: Path) -> Counter[int]:
    (item,) = codec.decode(path.read_bytes(), workload.SampleResult, limit=1 << 30).items
    size = (item.bits + 7) // 8
    return Counter({
        int.from_bytes(item.outcomes[n * size : (n + 1) * size], "little"): count
        for n, count in enumerate(item.counts)
    })  # fmt: skip


def _same_outcomes(ours: Counter[int], theirs: dict[str, int]) -> str:
    """Of a state with few outcomes: shares of the first of them, exactly 1/2 of a GHZ state."""
    other = Counter({int(key, 2): count for key, count in theirs.items()})
    if ours.keys() != other.keys():
        return "nan nan nan nan"
    first = min(ours)
    error = 0.5 / np.sqrt(min(ours.total(), other.total()))
    return f"0.5 {error} {ours[first] / ours.total()} {other[first] / other.total()}"


def _likelihoods(
    simulator: AerSimulator, built: QuantumCircuit, ours: Counter[int], theirs: dict[str, int]
) -> str:
    """Mean of log p over the exact distribution, its standard error, over our shots, and over its own.

    p is the peer's exact probability: a sample from another distribution has another mean.
    """
    exact = built.copy()
    exact.remove_final_measurements()
    exact.save_statevector()
    state = np.asarray(simulator.run(exact).result().get_statevector())
    p: npt.NDArray[np.float64] = np.abs(state) ** 2
    logarithms = np.log(np.maximum(p, 1e-300))
    mean = float(np.sum(p * logarithms))
    error = float(np.sqrt(np.sum(p * (logarithms - mean) ** 2) / ours.total()))
    mine = float(np.average(logarithms[list(ours)], weights=list(ours.values())))
    other = float(np.average(logarithms[[int(key, 2) for key in theirs]], weights=list(theirs.values())))
    return f"{mean} {error} {mine} {other}"


if __name__ == "__main__":
    main()
