"""The peer of the circuit figures: one process with qiskit-aer's statevector method.

``python -m benchmarks.circuit_peer WORK`` builds the gates of our work as a Qiskit circuit and
answers each line of standard input with one line: for ``run`` the seconds of a run, for
``check`` how well our outcomes and its own fit its exact distribution.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

from qfleet_wire import circuit, codec, workload


def main() -> None:
    """Serve standard input."""
    path = Path(sys.argv[1])
    work = codec.decode(path.read_bytes(), workload.CircuitSample)
    built = translate(work.program)
    shots = work.items[0].shots
    simulator = AerSimulator(method="statevector", max_parallel_threads=int(os.environ["OMP_NUM_THREADS"]))
    for line in sys.stdin:
        if line.strip() == "check":
            print(*check(simulator, built, path.with_suffix(".counts"), shots), flush=True)
            continue
        started = time.perf_counter()
        simulator.run(built, shots=shots, seed_simulator=1).result().get_counts()
        print(time.perf_counter() - started, flush=True)


def translate(program: circuit.Program) -> QuantumCircuit:
    """Rebuild a program of ``u``, ``cx`` and final measurements, gate by gate."""
    built = QuantumCircuit(program.qubits, program.qubits)
    for statement in program.body:
        if isinstance(statement, circuit.Measure):
            built.measure(statement.qubit, statement.bit)
            continue
        assert isinstance(statement, circuit.Gate)
        if statement.controls:
            built.cx(statement.controls[0].qubit, statement.qubits[0])
        else:
            angles = [angle.value for angle in statement.arguments if isinstance(angle, circuit.Constant)]
            built.u(*angles, statement.qubits[0])
    return built


def check(
    simulator: AerSimulator, built: QuantumCircuit, counts: Path, shots: int
) -> tuple[float, float, float, float]:
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
    error = float(np.sqrt(np.sum(p * (logarithms - mean) ** 2) / shots))
    (item,) = codec.decode(counts.read_bytes(), workload.SampleResult).items
    size = (item.bits + 7) // 8
    ours = [
        int.from_bytes(item.outcomes[at : at + size], "little") for at in range(0, len(item.outcomes), size)
    ]
    theirs = simulator.run(built, shots=shots, seed_simulator=2).result().get_counts()
    return (
        mean,
        error,
        float(np.average(logarithms[ours], weights=item.counts)),
        float(np.average(logarithms[[int(key, 2) for key in theirs]], weights=list(theirs.values()))),
    )


if __name__ == "__main__":
    main()
