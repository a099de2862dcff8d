"""What is timed of the engine for density matrices: small noisy programs, each counted by ``noise_load``."""

from collections.abc import Iterator

from qfleet_agent.engines.program_samples import layers
from qfleet_agent.engines.timing import Coefficient, Sample
from qfleet_wire import circuit, circuit_facts, noise_load, workload
from qfleet_wire.workload.noise import AfterGate, NoiseModel, Rules

KINDS = ("circuit.sample/density", "circuit.expect/density")
_MODEL = NoiseModel(
    (
        AfterGate("cx", "depolarising", 0.01),
        AfterGate("u", "amplitude_damping", 0.01),
        AfterGate("u", "phase_damping", 0.01),
    )
)
_WIDTHS = ((6, 4), (8, 2), (9, 2))
"""Qubits and layers."""
_DRAW_QUBITS, _DRAWS = 4, 20_000
_MANY, _POINTS = 24, 12


def samples() -> Iterator[Sample]:
    """Programs for each coefficient; those that make the curve come first, for time may be short."""
    for qubits, depth in _WIDTHS[:2]:
        yield _sample("pass", layers(qubits, depth))
    yield _sample("part", layers(3, _MANY))
    yield _sample("step", layers(3, _MANY), points=_POINTS)
    yield _sample("draw", layers(_DRAW_QUBITS, 1), shots=_DRAWS)
    yield _sample("item", layers(1, 1), points=_POINTS)
    for qubits, depth in _WIDTHS[2:]:
        yield _sample("pass", layers(qubits, depth))


def _sample(finds: Coefficient, program: circuit.Program, *, points: int = 1, shots: int = 1) -> Sample:
    split = circuit_facts.split_static(program)
    assert split is not None, "layers are static"
    each = noise_load.density(split.gates, Rules(_MODEL))
    drawn = noise_load.drawing(shots)
    items = tuple(workload.SampleItem(index, (), 0, shots) for index in range(points))
    work = workload.CircuitSample(program, 1, items, "density", _MODEL)
    return Sample(finds, work, (each + drawn) * points, 4.0**program.qubits, KINDS)
