"""Programs to cut, and what their parts and the whole give: parts by the engine, the whole by another way."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from tests.unit import engine_reference

from qfleet_agent.engines import parts as engine
from qfleet_controlplane.planning.cuts import assembly, gathering, pieces
from qfleet_controlplane.planning.cuts.cut import Cut, Part, Product
from qfleet_controlplane.planning.cuts.partition import Parts
from qfleet_wire import circuit, circuit_values, codec, workload
from qfleet_wire.circuit import Constant, Control, Gate, Parameter

BUDGET = 1 << 30
PLAIN = ("x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg")


@st.composite
def gates(draw: st.DrawFn, qubits: int, parameters: int) -> Gate:
    """Any base gate: plain, powered, swapped, with any controls, its angles fixed or parameters."""
    angle = st.one_of(
        st.floats(-6.3, 6.3, allow_nan=False).map(Constant),
        *([st.integers(0, parameters - 1).map(Parameter)] if parameters else []),
    )
    name = draw(st.sampled_from([*PLAIN, "p", "rx", "ry", "rz", "u", "swap", "gphase", "x", "z", "x"]))
    count = circuit.GATE_QUBITS.get(name, 1)
    order = draw(st.permutations(range(qubits)))
    controls = draw(st.integers(0, min(2, qubits - count)))
    values = draw(st.lists(st.integers(0, 1), min_size=controls, max_size=controls))
    power = draw(st.sampled_from([1.0, 1.0, 1.0, 0.5, 1 / 3, -0.5]))
    return Gate(
        name,  # type: ignore[arg-type]  # one of the names
        tuple(order[:count]),
        tuple(draw(angle) for _ in range(circuit.GATE_ARGUMENTS.get(name, 0))),
        tuple(Control(qubit, value) for qubit, value in zip(order[count:], values, strict=False)),
        power if name in ("x", "y", "h", "swap", "s", "gphase") else 1.0,
    )


@st.composite
def programs(draw: st.DrawFn, parameters: int = 2) -> circuit.Program:
    """Up to five qubits and twelve gates."""
    qubits = draw(st.integers(2, 5))
    body = draw(st.lists(gates(qubits, parameters), min_size=1, max_size=12))
    names = tuple(f"p{number}" for number in range(parameters))
    return circuit.Program(qubits, (), names, tuple(body))


def separable(read: pieces.Pieces, owner: Sequence[int]) -> Sequence[int]:
    """Bring together what a partition must not separate: the qubits of gates that cannot be expanded."""
    named = list(owner)
    changed = True
    while changed:
        changed = False
        for piece in read.pieces:
            joined = {named[qubit] for qubit in piece.qubits}
            if piece.bits >= pieces.TOGETHER and len(joined) > 1:
                least = min(named[qubit] for qubit in piece.qubits)
                named = [least if each in joined else each for each in named]
                changed = True
    return named


def parts_of(owner: Sequence[int]) -> Parts:
    """The qubits of each owner."""
    return tuple(
        tuple(qubit for qubit, each in enumerate(owner) if each == name) for name in sorted(set(owner))
    )


def work(
    part: Part, number: int, points: Sequence[Sequence[float]], first: int, rows: int
) -> workload.CircuitPart:
    """The work of a range of a part's paths at some points."""
    items = tuple(
        workload.PartItem(
            index, tuple(point), part.factors[index if len(part.factors) > 1 else 0], first, rows
        )
        for index, point in enumerate(points)
    )
    program = codec.decode(part.program, circuit.Program)
    return workload.CircuitPart(program, 0, number, part.places, part.products, part.strings, items)


def ranges(
    part: Part, number: int, rows: int, points: Sequence[Sequence[float]]
) -> list[workload.PartResult]:
    """What the engine returns for a part, ``rows`` paths at a time."""
    return [
        engine.run(
            work(part, number, points, first, min(rows, part.paths - first)),
            budget=BUDGET,
            report=lambda _: None,
        )
        for first in range(0, part.paths, rows)
    ]


def run(cut: Cut, points: Sequence[Sequence[float]], rows: int = 1 << 30) -> dict[int, gathering.Point]:
    """Run all parts, and order what they return."""
    results = [
        result for number, part in enumerate(cut.parts) for result in ranges(part, number, rows, points)
    ]
    return gathering.gathered(cut, results)


def state_of(program: circuit.Program, point: Sequence[float]) -> Any:
    """The whole state vector by the reference simulator, which shares no code with engine or planner."""
    state = np.zeros(1 << program.qubits, complex)
    state[0] = 1
    for gate in program.body:
        assert isinstance(gate, Gate), "programs here hold gates only"
        angles = [float(circuit_values.evaluate(angle, point, ())) for angle in gate.arguments]
        state = engine_reference.apply(gate, angles, state)
    return state


def expectation(state: Any, product: Product) -> float:
    """⟨state|P|state⟩ with whole matrices."""
    after = state.copy()
    for letter, qubit in product:
        halves = after.reshape(-1, 2, 1 << qubit)
        after = np.einsum("ij,ajb->aib", engine_reference.PAULI[letter], halves).reshape(-1)
    return float(np.vdot(state, after).real)


def assembled(
    program: circuit.Program, owner: Sequence[int], points: Sequence[Sequence[float]], asked: assembly.Asked
) -> Cut:
    """Cut a program by hand."""
    read = pieces.read(program)
    assert read is not None, "programs here are static"
    return assembly.assemble(read, parts_of(separable(read, owner)), points, program.parameters, asked)
