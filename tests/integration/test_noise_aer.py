"""The same noise on Qiskit Aer's density matrices: state by state, and reading by reading."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped] # ships no types
from tests.unit import workload_runs

from qfleet_wire import api

aer = pytest.importorskip("qiskit_aer", reason="qiskit-aer is not installed (the group bench has it)")
pytest.importorskip("qutip", reason="the agent's [dynamics] extra is not installed")

import qiskit  # noqa: E402 - beside Aer only
from qiskit.quantum_info import Pauli  # noqa: E402
from qiskit_aer import noise  # noqa: E402

QUBITS = 3
RARE = 1e-9
PROGRAM = """
OPENQASM 2.0;
include "qelib1.inc";
qreg q[3];
creg c[3];
h q[0];
rx(0.7) q[1];
ry(1.1) q[2];
cx q[0],q[1];
cx q[1],q[2];
rx(-0.4) q[0];
ccx q[0],q[1],q[2];
id q[1];
cx q[2],q[0];
h q[2];
measure q -> c;
"""
MISREAD = [[0.97, 0.03], [0.08, 0.92]]
RULES: list[tuple[str, str, float, tuple[int, ...]]] = [
    ("h", "phase_damping", 0.2, ()),
    ("rx", "amplitude_damping", 0.15, ()),
    ("cx", "depolarising", 0.1, ()),
    ("cx", "amplitude_damping", 0.05, ()),
    ("cx", "phase_damping", 0.3, (1, 2)),
    ("ccx", "depolarising", 0.25, ()),
    ("id", "depolarising", 0.4, ()),
]


def theirs() -> Any:
    """Aer's noise model by Aer's own functions."""
    makers = {"amplitude_damping": noise.amplitude_damping_error, "phase_damping": noise.phase_damping_error}
    widths = {"cx": 2, "ccx": 3}
    errors: dict[tuple[str, tuple[int, ...]], Any] = {}
    for gate, channel, probability, qubits in RULES:
        width = widths.get(gate, 1)
        if channel == "depolarising":
            error = noise.depolarizing_error(probability, width)
        else:
            error = makers[channel](probability)
            for _ in range(width - 1):
                error = error.tensor(makers[channel](probability))
        key = (gate, qubits)
        errors[key] = errors[key].compose(error) if key in errors else error
    model = noise.NoiseModel()
    for (gate, qubits), error in errors.items():
        if qubits:
            model.add_quantum_error(error, gate, list(qubits), warnings=False)
        else:
            model.add_all_qubit_quantum_error(error, gate, warnings=False)
    model.add_all_qubit_readout_error(noise.ReadoutError(MISREAD))
    return model


def ours(*, misread: bool) -> api.NoiseRequest:
    gates = tuple(
        api.GateNoise(gate=gate, channel=channel, probability=probability, qubits=qubits)
        for gate, channel, probability, qubits in RULES
    )
    rows = tuple(tuple(row) for row in MISREAD)
    readout = (api.ReadoutNoise(probabilities=rows),) if misread else ()
    return api.NoiseRequest(gates=gates, readout=readout, method="density")


def simulated(circuit: Any, shots: int) -> Any:
    simulator = aer.AerSimulator(method="density_matrix", noise_model=theirs(), seed_simulator=5)
    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr("qiskit_aer.jobs.utils.DEFAULT_EXECUTOR", pool)  # Aer's own is left running
        return simulator.run(circuit, shots=shots).result()


def test_every_pauli_product_has_aers_value() -> None:
    circuit = qiskit.QuantumCircuit.from_qasm_str(PROGRAM.replace("measure q -> c;", ""))
    circuit.save_density_matrix()
    matrix = np.asarray(simulated(circuit, 1).data(0)["density_matrix"])
    labels = ["".join(letters) for letters in itertools.product("IXYZ", repeat=QUBITS)][1:]
    request = api.JobRequest(
        kind="circuit.expect", program=PROGRAM, observables=tuple(labels), noise=ours(misread=False)
    )
    view = workload_runs.run(request).view
    assert isinstance(view, api.ExpectResultView)
    for label, value in zip(labels, view.items[0].values, strict=True):
        assert value.exact
        assert value.value == pytest.approx(np.trace(matrix @ Pauli(label).to_matrix()).real, abs=1e-10), (
            label
        )


def test_readings_are_distributed_as_aers() -> None:
    shots = 20_000
    circuit = qiskit.QuantumCircuit.from_qasm_str(PROGRAM)
    expected = simulated(circuit, shots).get_counts()
    request = api.JobRequest(
        kind="circuit.sample", program=PROGRAM, shots=shots, seed=2, noise=ours(misread=True)
    )
    view = workload_runs.run(request).view
    assert isinstance(view, api.SampleResultView)
    counts = view.items[0].counts
    keys = sorted({*expected, *counts})
    table = [[each.get(key, 0) for key in keys] for each in (counts, expected)]
    assert stats.chi2_contingency(table).pvalue > RARE
