"""Probes of kernel matrices: points under single rotations, whose fidelities are products of cosines.

|⟨φ(x)|φ(y)⟩|² = Π cos²((x_i - y_i) / 2) for φ(x) = ⊗ R(x_i)|0⟩ with R = RX or RY; estimates are binomial.
"""

import math

from qfleet_controlplane.compile.kernel_matrix import KernelProblem
from qfleet_controlplane.planning import agreement
from qfleet_controlplane.planning.probes import works
from qfleet_controlplane.planning.probes.faults import Fault, hits_differ
from qfleet_controlplane.planning.probes.states import Stream
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload

ROWS, COLUMNS = 3, 4
MOST_QUBITS = 10


def make(parent: Specification, secret: bytes) -> Specification:
    """A few entries on the parent's width, of its shots."""
    shots = codec.decode(parent.problem, KernelProblem, limit=len(parent.problem)).shots
    rows, columns = _points(secret, max(1, min(MOST_QUBITS, parent.qubits)))
    rotation = api.AngleFeatureMap(rotation="ry" if Stream(secret + b"axis").integer(2) else "rx")
    work = api.KernelRequest(points=rows, others=columns, feature_map=rotation)
    return works.of(api.JobRequest(kind="kernel.matrix", work=work, shots=shots), secret)


def fault(probe: Specification, result: workload.WorkResult) -> Fault | None:
    """Compare every entry."""
    if not isinstance(result, workload.KernelResult):
        return Fault(f"a {type(result).__name__} answers no kernel", exact=True)
    problem = codec.decode(probe.problem, KernelProblem)
    rows, columns = _points(probe.secret, probe.qubits)
    blocks = {block.index: block for block in problem.blocks}
    for item in result.items:
        block = blocks[item.index]
        spans = problem.span(block.rows), problem.span(block.columns)
        pairs = [(row, column) for row in spans[0] for column in spans[1]]
        for (row, column), told in zip(pairs, item.values, strict=True):
            wrong = _entry_fault(_fidelity(rows[row], columns[column]), told, problem.shots)
            if wrong is not None:
                return Fault(f"entry ({row}, {column}) {wrong}", exact=not problem.shots)
    return None


def _entry_fault(right: float, told: float, shots: int) -> str | None:
    if shots:
        return hits_differ(round(told * shots), shots, right, agreement.LEVEL / (ROWS * COLUMNS))
    return None if abs(told - right) <= agreement.TOLERANCE else f"is {told!r} instead of {right!r}"


def _points(secret: bytes, width: int) -> tuple[tuple[tuple[float, ...], ...], ...]:
    stream = Stream(secret + b"points")
    return tuple(
        tuple(tuple(works.between(stream, -1.5, 1.5) for _ in range(width)) for _ in range(count))
        for count in (ROWS, COLUMNS)
    )


def _fidelity(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return math.prod(math.cos((a - b) / 2.0) ** 2 for a, b in zip(one, other, strict=True))
