"""Measures an engine's speed once, in a worker, for the planner's cost model.

The model is that of ``payloads.Calibration``: a gate costs a constant and a share for each amplitude, a
shot of a dynamic program a constant beside its gates. Times are the worker's own, the least of a few.
"""

from collections.abc import Sequence
from typing import Protocol

from qfleet_agent.workers.errors import WorkFailed
from qfleet_agent.workers.events import Finished
from qfleet_wire import circuit, codec, payloads, workload

_WIDE, _DEPTH = 18, 12
_STEPS, _GATES = 12, 5
"""Measurements of a walk, and gates before each in the longer one."""
_SHOTS = workload.SHOTS_PER_BLOCK
_REPEATS = 3
_MEMORY_BYTES = 64 * 1024 * 1024
_LIMIT_S = 60.0
_BIT = circuit.ClassicalType("bit", 1)


class Workers(Protocol):
    """Where works are run: the local pool, or a cluster."""

    async def run(self, work: bytes, *, memory_bytes: int, time_limit_s: float) -> Finished:
        """Run one work; raises ``WorkFailed``."""


async def calibrate(workers: Workers, engines: Sequence[payloads.Engine]) -> tuple[payloads.Calibration, ...]:
    """Time small fixed works in a worker (about a second on a laptop); one calibration per circuit engine.

    ``engines`` are those of the workers.
    An engine that is missing or fails gets none: the planner then uses its defaults.
    """
    engine = next((one for one in engines if "circuit.sample" in one.kinds), None)
    if engine is None:
        return ()
    try:
        wide = await _seconds(workers, layers(_WIDE), 1)
        short = await _seconds(workers, walk(1), _SHOTS)
        long = await _seconds(workers, walk(_GATES), _SHOTS)
    except WorkFailed:
        return ()
    return (calibration(engine.name, wide=wide, short=short, long=long),)


def calibration(engine: str, *, wide: float, short: float, long: float) -> payloads.Calibration:
    """Solve the model for its coefficients, none below zero; times in seconds."""
    gate = max(0.0, (long - short) / (_SHOTS * _STEPS * (_GATES - 1)))
    shot = max(0.0, short / _SHOTS - gate * _STEPS)
    amplitude = max(0.0, wide / len(layers(_WIDE).body) - gate) / 2**_WIDE
    return payloads.Calibration(engine, amplitude * 1e9, gate * 1e6, shot * 1e6)


def layers(qubits: int) -> circuit.Program:
    """Layers of one-qubit rotations and controlled flips, as in common circuits."""
    body: list[circuit.Statement] = []
    for layer in range(_DEPTH):
        for qubit in range(qubits):
            angles = tuple(circuit.Constant(0.1 * (layer + qubit + part)) for part in range(3))
            body.append(circuit.Gate("u", (qubit,), angles))
        body.extend(
            circuit.Gate("x", (qubit + 1,), controls=(circuit.Control(qubit),))
            for qubit in range(layer % 2, qubits - 1, 2)
        )
    return circuit.Program(qubits, (), (), tuple(body))


def walk(gates: int) -> circuit.Program:
    """A program whose shots part at every step, so that each runs alone, with some gates a step."""
    body: list[circuit.Statement] = []
    for _ in range(_STEPS):
        body += [circuit.Gate("h", (0,)), *(circuit.Gate("t", (1,)) for _ in range(gates - 1))]
        body.append(circuit.Measure(0, 0, 0))
    body.append(circuit.If(circuit.Variable(0), (circuit.Gate("x", (1,)),)))
    return circuit.Program(2, (circuit.Slot("c", _BIT, 0, output=True),), (), tuple(body))


async def _seconds(workers: Workers, program: circuit.Program, shots: int) -> float:
    work = codec.encode(workload.CircuitSample(program, 1, (workload.SampleItem(0, (), 0, shots),)))
    times = [
        (await workers.run(work, memory_bytes=_MEMORY_BYTES, time_limit_s=_LIMIT_S)).duration_ms
        for _ in range(_REPEATS)
    ]
    return min(times) / 1000
