"""Feature maps of the kernel workload: programs whose parameters are the features of a data point."""

import math

from qfleet_controlplane.compile.ansatz import pairs
from qfleet_controlplane.compile.compiled import check_number
from qfleet_wire import api, circuit

FIELD = "work.feature_map"
REPETITIONS = 1000

_TWO, _PI = circuit.Constant(2.0), circuit.Constant(math.pi)


def built(feature_map: api.FeatureMap, features: int) -> circuit.Program:
    """Build a feature map with one qubit for each feature.

    Raises:
        RequestRefused: it has too many repetitions, or none.
    """
    names = tuple(f"x_{number}" for number in range(features))
    match feature_map:
        case api.AngleFeatureMap(rotation=rotation):
            body: list[circuit.Statement] = [
                circuit.Gate(rotation, (qubit,), (circuit.Parameter(qubit),)) for qubit in range(features)
            ]
        case api.ZZFeatureMap():
            check_number(f"{FIELD}.repetitions", feature_map.repetitions, 1, REPETITIONS)
            body = _zz(feature_map, features) * feature_map.repetitions
    return circuit.Program(features, (), names, tuple(body))


def _zz(feature_map: api.ZZFeatureMap, features: int) -> list[circuit.Statement]:
    """One repetition: exp(-iφZ) is rz(2φ), exp(-iφZZ) the same between two cx."""
    body: list[circuit.Statement] = [circuit.Gate("h", (qubit,)) for qubit in range(features)]
    body += [
        circuit.Gate("rz", (qubit,), (_times(_TWO, circuit.Parameter(qubit)),)) for qubit in range(features)
    ]
    for one, other in pairs(feature_map.entangler, features):
        flip = circuit.Gate("x", (other,), controls=(circuit.Control(one),))
        angle = _times(_TWO, _times(_short_of_pi(one), _short_of_pi(other)))
        body += [flip, circuit.Gate("rz", (other,), (angle,)), flip]
    return body


def _times(left: circuit.Expression, right: circuit.Expression) -> circuit.Expression:
    return circuit.Binary("*", left, right)


def _short_of_pi(feature: int) -> circuit.Expression:
    return circuit.Binary("-", _PI, circuit.Parameter(feature))
