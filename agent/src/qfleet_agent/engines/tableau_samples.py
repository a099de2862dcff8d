"""What is timed of the engine for tableaus: small Clifford programs, each counted by ``tableau_load``."""

from collections.abc import Iterator

from qfleet_agent.engines.timing import Coefficient, Sample
from qfleet_wire import circuit, tableau_load, workload

_NARROW, _GATES = 40, 1500
_WIDTHS = (200, 600)
_DRAW_BITS, _DRAW_SHOTS = 200, 8 * workload.SHOTS_PER_BLOCK


def samples() -> Iterator[Sample]:
    """Programs for each coefficient, wide tableaus last."""
    yield _sample("item", scrambled(1, 1, 1), 1)
    yield _sample("part", scrambled(_NARROW, _GATES, 1), 1)
    yield _sample("draw", scrambled(_DRAW_BITS, _DRAW_BITS, _DRAW_BITS), _DRAW_SHOTS)
    for width in _WIDTHS:
        yield _sample("pass", scrambled(width, 3 * width, width), 1)


def scrambled(qubits: int, gates: int, bits: int) -> circuit.Program:
    """Gates that leave most outcomes open: flips of far qubits by others, turned in between."""
    body: list[circuit.Statement] = []
    for number in range(gates):
        qubit, other = number % qubits, (7 * number + number // qubits + 1) % qubits
        if number % 3 == 2 and qubit != other:
            body.append(circuit.Gate("x", (qubit,), (), (circuit.Control(other),)))
        else:
            body.append(circuit.Gate("h" if number % 3 == 0 else "s", (qubit,)))
    body.extend(circuit.Measure(qubit, 0, qubit) for qubit in range(bits))
    slot = circuit.Slot("c", circuit.ClassicalType("bit", bits), 0, output=True)
    return circuit.Program(qubits, (slot,), (), tuple(body))


def _sample(finds: Coefficient, program: circuit.Program, shots: int) -> Sample:
    bits = program.output_bits
    gates = len(program.body) - bits
    load = tableau_load.of_item(gates, bits) + tableau_load.drawing(shots, gates, bits)
    work = workload.CircuitSample(program, 1, (workload.SampleItem(0, (), 0, shots),), "stabilizer")
    return Sample(finds, work, load, tableau_load.elements(program.qubits))
