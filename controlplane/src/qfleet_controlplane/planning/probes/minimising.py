"""Probes of minimisation: a cost whose value is known at every point of its ansatz.

Each qubit is turned by an angle θ_i of its own, then a random network of CX gates runs over all. The cost is
a sum of c_i Z_i + d_i X_i sent forwards through the network, so that its value is the sum of all
c_i cos θ_i + d_i sin θ_i. Wherever a start began and ended, it must have found just that.
"""

import math

from qfleet_controlplane.planning import agreement
from qfleet_controlplane.planning.probes import programs, works
from qfleet_controlplane.planning.probes.faults import Fault
from qfleet_controlplane.planning.probes.states import Stream
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload

MOST_QUBITS = 8
MOST_EVALUATIONS = 500


def make(parent: Specification, secret: bytes) -> Specification:
    """One start, on the parent's width as far as that is cheap, by its optimiser."""
    base = codec.decode(parent.problem, workload.VariationalMinimise)
    qubits = max(1, min(MOST_QUBITS, base.qubits))
    network, start = _network(secret, qubits), _start(secret, qubits)
    lines = ['OPENQASM 3.0; include "stdgates.inc";']
    lines += [f"input float a{qubit};" for qubit in range(qubits)]
    lines += [f"qubit[{qubits}] q;", *(f"ry(a{qubit}) q[{qubit}];" for qubit in range(qubits))]
    lines += [f"cx q[{control}], q[{target}];" for control, target in network]
    work = api.VariationalRequest(
        cost=api.PauliCost(sum=_cost(secret, qubits)),
        starts=1,
        optimiser=base.optimiser,
        evaluations=min(MOST_EVALUATIONS, base.evaluations),
        tolerance=base.tolerance,
    )
    request = api.JobRequest(
        kind="variational.minimise",
        program="\n".join(lines),
        parameters=({f"a{qubit}": angle for qubit, angle in enumerate(start)},),
        work=work,
    )
    return works.of(request, secret)


def fault(probe: Specification, result: workload.WorkResult) -> Fault | None:
    """Compare the value where it began, and where it ended."""
    if not isinstance(result, workload.VariationalResult):
        return Fault(f"a {type(result).__name__} answers no minimisation", exact=True)
    (found,) = result.items
    qubits = len(found.parameters)
    weights = _weights(probe.secret, qubits)
    for where, told, angles in (
        ("the first evaluation", found.trace[0], _start(probe.secret, qubits)),
        ("the lowest point", found.value, found.parameters),
    ):
        right = sum(
            c * math.cos(angle) + d * math.sin(angle) for (c, d), angle in zip(weights, angles, strict=True)
        )
        if abs(told - right) > agreement.TOLERANCE * qubits:
            return Fault(f"the value at {where} is {told!r} instead of {right!r}", exact=True)
    return None


def _weights(secret: bytes, qubits: int) -> list[tuple[float, float]]:
    stream = Stream(secret + b"weights")
    return [(works.between(stream, -1.0, 1.0), works.between(stream, -1.0, 1.0)) for _ in range(qubits)]


def _start(secret: bytes, qubits: int) -> list[float]:
    stream = Stream(secret + b"start")
    return [stream.angle() for _ in range(qubits)]


def _network(secret: bytes, qubits: int) -> list[tuple[int, int]]:
    stream = Stream(secret + b"network")
    pairs = [(stream.integer(qubits), stream.integer(qubits)) for _ in range(3 * qubits)]
    return [(control, target) for control, target in pairs if control != target]


def _cost(secret: bytes, qubits: int) -> str:
    network, terms = _network(secret, qubits), []
    for qubit, weights in enumerate(_weights(secret, qubits)):
        for letter, weight in zip("ZX", weights, strict=True):
            letters = ["I"] * qubits
            letters[qubit] = letter
            sign = programs.through(network, letters)
            told = " ".join(f"{each}{place}" for place, each in enumerate(letters) if each != "I")
            terms.append(f"{sign * weight!r}*{told}")
    return " + ".join(terms)
