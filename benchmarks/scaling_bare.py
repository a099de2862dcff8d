"""A sweep in one process without a fleet: ``python -m benchmarks.scaling_bare CORE POINTS`` prints seconds.

What two cores of a machine give at most: they may share caches, memory and, in a virtual machine, one core.
"""

import os
import subprocess
import sys
import time

import qulacs

QUBITS, LAYERS = 18, 8


def together(cores: tuple[int, ...], points: int) -> float:
    """Run so many points on each of some cores at once, and return the seconds of the slowest."""
    command = [sys.executable, "-m", "benchmarks.scaling_bare"]
    single = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen([*command, str(core), str(points)], stdout=subprocess.PIPE, env=single)
        for core in cores
    ]
    return max(float(one.communicate()[0]) for one in running)


def _sweep(points: int) -> float:
    state = qulacs.QuantumState(QUBITS)
    started = time.perf_counter()
    for point in range(points):
        circuit = qulacs.QuantumCircuit(QUBITS)
        for _ in range(LAYERS):
            for qubit in range(QUBITS):
                circuit.add_RY_gate(qubit, 0.02 * point)
                circuit.add_RZ_gate(qubit, 0.006 * point)
            for qubit in range(QUBITS - 1):
                circuit.add_CNOT_gate(qubit, qubit + 1)
        state.set_zero_state()
        circuit.update_quantum_state(state)
    return time.perf_counter() - started


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[1])})
    sys.stdout.write(f"{_sweep(int(sys.argv[2]))}\n")
