"""What is timed of the engine for state vectors: small programs, each counted by ``program_load``."""

from collections.abc import Iterator

import msgspec

from qfleet_agent.engines.timing import Coefficient, Sample
from qfleet_wire import circuit, costs, program_load, workload

_FIRST = ((12, 4, 12), (16, 3, 2), (19, 2, 1))
_THEN = ((7, 4, 40), (10, 4, 20), (14, 4, 4), (18, 2, 1), (20, 1, 1), (22, 1, 1))
"""Qubits, layers of gates, and parameter points that they are applied for: on small states preparing the
gates takes longer than applying them once."""
_NARROW, _GATES, _POINTS = 2, 150, 20
_DRAW_QUBITS, _DRAWS = 10, 1000
_LONG_WALK, _SHORT_WALK = (20, 64), (7, 512)
"""Measurements and shots."""
_BIT = circuit.ClassicalType("bit", 1)


def samples() -> Iterator[Sample]:
    """Programs for each coefficient; of the states first those that tell most, and the widest last."""
    few, many = _narrow(1), _narrow(_POINTS)
    yield _smallest(2 * _POINTS)
    yield _static("draw", layers(_DRAW_QUBITS, 1), _DRAWS)
    yield few._replace(finds="part")
    yield many._replace(finds="step")
    yield few._replace(finds="part")
    for shape in _FIRST:
        yield _pass(*shape)
    yield _static("draw", layers(_DRAW_QUBITS, 1), _DRAWS)
    # Long walks are mostly turns, short ones end in nearly as many histories.
    long, short = _dynamic("turn", *_LONG_WALK), _dynamic("history", *_SHORT_WALK)
    yield from (long, short, long, short)
    for shape in _THEN:
        yield _pass(*shape)


def _smallest(points: int) -> Sample:
    """One value in the smallest state: little but beginning a point."""
    program = circuit.Program(1, (), ("angle",), (circuit.Gate("rx", (0,), (circuit.Parameter(0),)),))
    observable = workload.Observable("X0", (workload.PauliTerm(1.0, (("X", 0),)),))
    items = tuple(workload.ExpectItem(index, (0.1 * index,)) for index in range(points))
    counted = program_load.of_program(program)
    each = counted.item + program_load.values([(("X", 0),)])
    work = workload.CircuitExpect(program, 1, (observable,), items)
    return Sample("item", work, counted.task + each * points, 2.0)


def _pass(qubits: int, depth: int, points: int) -> Sample:
    """Layers after a gate that a parameter turns: they are prepared once and applied for each point."""
    turned = circuit.Gate("rx", (0,), (circuit.Parameter(0),))
    program = msgspec.structs.replace(
        layers(qubits, depth), parameters=("angle",), body=(turned, *layers(qubits, depth).body)
    )
    return _swept("pass", program, points)


def _swept(finds: Coefficient, program: circuit.Program, points: int) -> Sample:
    """One shot for each of some parameter points."""
    counted = program_load.of_program(program)
    drawn = program_load.drawing(1, program.qubits, program.output_bits)
    each = counted.item + drawn + costs.Load(passes=program_load.READ_PASSES)
    items = tuple(workload.SampleItem(index, (0.1 * index,), 0, 1) for index in range(points))
    work = workload.CircuitSample(program, 1, items)
    return Sample(finds, work, counted.task + each * points, 2.0**program.qubits)


def layers(qubits: int, depth: int) -> circuit.Program:
    """Layers of one-qubit rotations and controlled flips, as in common circuits."""
    body: list[circuit.Statement] = []
    for layer in range(depth):
        for qubit in range(qubits):
            angles = tuple(circuit.Constant(0.1 * (layer + qubit + part + 1)) for part in range(3))
            body.append(circuit.Gate("u", (qubit,), angles))
        body.extend(
            circuit.Gate("x", (qubit + 1,), controls=(circuit.Control(qubit),))
            for qubit in range(layer % 2, qubits - 1, 2)
        )
    body.extend(circuit.Measure(qubit, 0, qubit) for qubit in range(qubits))
    slot = circuit.Slot("c", circuit.ClassicalType("bit", qubits), 0, output=True)
    return circuit.Program(qubits, (slot,), (), tuple(body))


def walk(measurements: int) -> circuit.Program:
    """A program whose shots part at every measurement, as long as there are several together."""
    body: list[circuit.Statement] = []
    for _ in range(measurements):
        body += [circuit.Gate("h", (0,)), circuit.Gate("t", (1,)), circuit.Measure(0, 0, 0)]
    body.append(circuit.If(circuit.Variable(0), (circuit.Gate("x", (1,)),)))
    return circuit.Program(2, (circuit.Slot("c", _BIT, 0, output=True),), (), tuple(body))


def _static(finds: Coefficient, program: circuit.Program, shots: int) -> Sample:
    counted = program_load.of_program(program)
    drawn = program_load.drawing(shots, program.qubits, program.output_bits)
    load = counted.task + counted.item + drawn + costs.Load(passes=program_load.READ_PASSES)
    work = workload.CircuitSample(program, 1, (workload.SampleItem(0, (), 0, shots),))
    return Sample(finds, work, load, 2.0**program.qubits)


def _narrow(points: int) -> Sample:
    """Many gates on a tiny state, for one or more parameter points: preparing them, and applying them."""
    turned = circuit.Gate("rx", (0,), (circuit.Parameter(0),))
    gates = (_one_of_a_kind(number) for number in range(_GATES))
    program = circuit.Program(_NARROW, (), ("angle",), (turned, *gates))
    return _swept("part", program, points)


def _one_of_a_kind(number: int) -> circuit.Gate:
    """Gates as programs have them: a third each without an angle, with one, and under a control."""
    qubit, angle = number % _NARROW, circuit.Constant(0.1 + 0.01 * number)
    match number % 3:
        case 0:
            return circuit.Gate("h", (qubit,))
        case 1:
            return circuit.Gate("ry", (qubit,), (angle,))
        case _:
            return circuit.Gate("x", (qubit,), controls=(circuit.Control(1 - qubit),))


def _dynamic(finds: Coefficient, measurements: int, shots: int) -> Sample:
    program = walk(measurements)
    counted = program_load.of_program(program, shots)
    work = workload.CircuitSample(program, 1, (workload.SampleItem(0, (), 0, shots),))
    return Sample(finds, work, counted.task + counted.item + counted.block, 2.0**program.qubits)
