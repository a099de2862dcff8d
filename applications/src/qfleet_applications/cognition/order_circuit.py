"""The quantum question model as a program of four qubits, run on the fleet.

Qubit 0 chooses the plane, qubit 1 holds the state in it, qubits 2 and 3 take the first and the second answer:
a controlled NOT onto a fresh qubit is a measurement whose outcome is read at the end.
"""

from collections.abc import Sequence

import numpy as np

from qfleet import ExpectResultView, JobRequest
from qfleet_applications.cognition.order_fits import Fit, Probabilities
from qfleet_applications.errors import UnexpectedResult
from qfleet_applications.frame.desk import Runner, expect

QUBITS = 4
_OBSERVABLES = ("Z2", "Z3", "Z2 Z3")
_PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
input float omega;
input float state1;
input float state2;
input float turn1;
input float turn2;
qubit[4] q;
ry(2 * omega) q[0];
cry(2 * state2) q[0], q[1];
x q[0];
cry(2 * state1) q[0], q[1];
x q[0];
cx q[1], q[2];
cry(-2 * turn2) q[0], q[1];
x q[0];
cry(-2 * turn1) q[0], q[1];
x q[0];
cx q[1], q[3];
"""


def request(fits: Sequence[Fit]) -> JobRequest:
    """Fitted models in both orders: two points of one program for each. "Yes" is the outcome 0."""
    return JobRequest(
        kind="circuit.expect",
        name="question model",
        program=_PROGRAM,
        observables=_OBSERVABLES,
        parameters=tuple(point for fit in fits for point in _points(fit)),
    )


def probabilities(desk: Runner, fits: Sequence[Fit]) -> tuple[Probabilities, ...]:
    """The four cells in either order of each model as the fleet computes them, (2, 4) each.

    Raises:
        UnexpectedResult: the fleet answered something else.
    """
    result = expect(desk.run(request(fits), "question model"), ExpectResultView)
    if len(result.items) != 2 * len(fits):
        raise UnexpectedResult(f"asked for {2 * len(fits)} points, got {len(result.items)}")
    found = []
    for item in result.items:
        first, second, both = (value.value for value in item.values)
        signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
        found.append([(1 + a * first + b * second + a * b * both) / 4 for a, b in signs])
    return tuple(np.array(found).reshape(-1, 2, 4))


def _points(fit: Fit) -> tuple[dict[str, float], dict[str, float]]:
    omega, theta1, theta2, phi1, phi2 = fit.parameters
    # asked B first, the state is seen from B's axes, and A lies on the other side
    ab = {"omega": omega, "state1": phi1, "state2": phi2, "turn1": theta1, "turn2": theta2}
    ba = {
        "omega": omega,
        "state1": phi1 - theta1,
        "state2": phi2 - theta2,
        "turn1": -theta1,
        "turn2": -theta2,
    }
    return ab, ba
