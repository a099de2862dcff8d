"""Probes of integrated information: qubits that are turned and exchanged, and do not know each other.

The step turns each qubit of a product state ⊗ ρ_q and then exchanges their places. A single qubit can only be
parted from all of a purview; over one of k qubits, with the one that it becomes among them, it has
φ = p (log₂ p + 1) / 2^(k-1), p being the larger eigenvalue of ρ_q: the intrinsic difference of
ρ_q ⊗ 1/2^(k-1) from the mixed state. About others it says nothing, and several qubits together no more than
each alone: φ = 0.
"""

import math

from qfleet_controlplane.planning import agreement
from qfleet_controlplane.planning.probes import states, works
from qfleet_controlplane.planning.probes.faults import Fault
from qfleet_controlplane.planning.probes.states import Stream
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload
from qfleet_wire.workload import PhiEvaluate

_Matrix = list[list[complex]]


def make(parent: Specification, secret: bytes) -> Specification:
    """A system of as many qubits as the parent's."""
    qubits = codec.decode(parent.problem, PhiEvaluate).qubits
    stream = Stream(secret + b"turns")
    turns = [_turn(stream) for _ in range(qubits)]
    density: _Matrix = [[1 + 0j]]
    step: _Matrix = [[1 + 0j]]
    for weight, turn in zip(_weights(secret, qubits), turns, strict=True):
        tilted = _turn(stream)
        own = _product(_product(tilted, [[weight, 0j], [0j, 1.0 - weight]]), _adjoint(tilted))
        density, step = _kron(density, own), _kron(step, turn)
    places = _places(secret, qubits)
    step = [step[_moved_back(row, places)] for row in range(1 << qubits)]
    work = api.PhiRequest(unitary=_rows(step), density=_rows(density))
    return works.of(api.JobRequest(kind="iit.phi", work=work), secret)


def fault(probe: Specification, result: workload.WorkResult) -> Fault | None:
    """Compare every φ."""
    if not isinstance(result, workload.PhiResult):
        return Fault(f"a {type(result).__name__} answers no integrated information", exact=True)
    base = codec.decode(probe.problem, PhiEvaluate)
    places, weights = _places(probe.secret, base.qubits), _weights(probe.secret, base.qubits)
    items = {item.index: item for item in base.items}
    for value in result.items:
        item = items[value.index]
        mechanism, purview = item.mechanism, item.purview
        wanted = 0.0
        if len(mechanism) == 1:
            effect = item.direction == "effect"
            source = mechanism[0] if effect else places.index(mechanism[0])
            if (places[source] if effect else source) in purview:
                weight = weights[source]
                wanted = weight * (math.log2(weight) + 1.0) / 2.0 ** (len(purview) - 1)
        if abs(value.phi - wanted) > agreement.TOLERANCE:
            told = f"φ of the {item.direction} of {mechanism} over {purview} is {value.phi!r}"
            return Fault(f"{told} instead of {wanted!r}", exact=True)
    return None


def _weights(secret: bytes, qubits: int) -> list[float]:
    stream = Stream(secret + b"weights")
    return [works.between(stream, 0.6, 0.98) for _ in range(qubits)]


def _places(secret: bytes, qubits: int) -> list[int]:
    """Where each qubit goes."""
    return Stream(secret + b"places").shuffled(qubits)


def _moved_back(index: int, places: list[int]) -> int:
    """The basis state that becomes this one; qubit 0 is the most significant bit."""
    last = len(places) - 1
    return sum((index >> (last - place) & 1) << (last - qubit) for qubit, place in enumerate(places))


def _turn(stream: Stream) -> _Matrix:
    """A rotation about z, y and z."""
    found: _Matrix = [[1 + 0j, 0j], [0j, 1 + 0j]]
    for name in ("rz", "ry", "rz"):
        a, b, c, d = states.matrix(name, stream.angle())
        found = _product([[a, b], [c, d]], found)
    return found


def _product(left: _Matrix, right: _Matrix) -> _Matrix:
    columns = list(zip(*right, strict=True))
    return [
        [sum((a * b for a, b in zip(row, column, strict=True)), 0j) for column in columns] for row in left
    ]


def _adjoint(matrix: _Matrix) -> _Matrix:
    return [[entry.conjugate() for entry in column] for column in zip(*matrix, strict=True)]


def _kron(left: _Matrix, right: _Matrix) -> _Matrix:
    return [[a * b for a in one for b in other] for one in left for other in right]


def _rows(matrix: _Matrix) -> tuple[tuple[tuple[float, float], ...], ...]:
    return tuple(tuple((entry.real, entry.imag) for entry in map(complex, row)) for row in matrix)
