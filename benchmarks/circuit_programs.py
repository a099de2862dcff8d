"""The programs of the circuit figures: made by Qiskit for the peer, compiled by the control plane for us."""

import math
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import networkx as nx
from qiskit import QuantumCircuit
from qiskit.circuit.library import quantum_volume
from qiskit.synthesis import synth_qft_full

from qfleet.qiskit import programs
from qfleet_controlplane.planning import kinds
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.service import submission
from qfleet_wire import api

SEED = 11
P = 3


class Case(NamedTuple):
    """A measured program; ``method`` is the peer's."""

    name: str
    circuit: QuantumCircuit
    shots: int
    method: str = "statevector"
    peer_shots: int = 0
    """Where the peer would take many minutes: so many of its shots are timed, and scaled."""

    def work(self) -> bytes:
        """The work as a device gets it."""
        exported = programs.export(self.circuit)
        request = api.JobRequest(kind="circuit.sample", program=exported.text, shots=self.shots)
        specification = submission.specify(request, SEED)
        if self.method == "stabilizer":  # as the planner recognises it
            specification = msgspec.structs.replace(specification, method="stabilizer")
        return bytes(kinds.encode(specification, Slice(0, 1, 0, self.shots)))


def cases() -> list[Case]:
    """All of them, in the order of the table."""
    return [
        *(Case(f"quantum volume, {width} qubits", _volume(width), 1000) for width in (16, 18, 20, 22)),
        Case("QFT of a product state, 20 qubits", _qft(20), 1000),
        Case(f"QAOA on a 3-regular graph, 20 qubits, p = {P}", _qaoa(20), 1000),
        Case("GHZ, 500 qubits, 100,000 shots", _ghz(500), 100_000, "stabilizer", 200),
    ]


def _measured(make: Callable[[], QuantumCircuit]) -> QuantumCircuit:
    circuit = make()
    circuit.measure_all()
    return circuit


def _volume(width: int) -> QuantumCircuit:
    """A square circuit of random pairs (Cross et al., Phys. Rev. A 100, 032328, 2019)."""
    return _measured(lambda: quantum_volume(width, seed=SEED).decompose())


def _qft(width: int) -> QuantumCircuit:
    def make() -> QuantumCircuit:
        circuit = QuantumCircuit(width)
        for qubit in range(width):
            circuit.ry(0.1 + 0.2 * qubit, qubit)
        return circuit.compose(synth_qft_full(width))

    return _measured(make)


def _qaoa(width: int) -> QuantumCircuit:
    """MaxCut on a random 3-regular graph (Farhi et al., arXiv:1411.4028) at fixed angles."""
    graph = nx.random_regular_graph(3, width, seed=SEED)

    def make() -> QuantumCircuit:
        circuit = QuantumCircuit(width)
        circuit.h(range(width))
        for layer in range(P):
            for first, second in graph.edges:
                circuit.rzz(0.4 + 0.1 * layer, first, second)
            circuit.rx(math.pi / 3 - 0.2 * layer, range(width))
        return circuit

    return _measured(make)


def _ghz(width: int) -> QuantumCircuit:
    def make() -> QuantumCircuit:
        circuit = QuantumCircuit(width)
        circuit.h(0)
        for qubit in range(1, width):
            circuit.cx(qubit - 1, qubit)
        return circuit

    return _measured(make)
