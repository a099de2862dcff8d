"""Algebra of gates: inverse, integer and real powers, controls. Lists of base gates in and out.

A list of gates is in the order of application. Powers of a single base gate are exact; a real
power of a product of gates has no such form and is the caller's to refuse.
"""

from collections.abc import Sequence

from qfleet_wire import circuit, circuit_values
from qfleet_wire.circuit import Control, Expression, Gate

_ADJOINT: dict[str, circuit.GateName] = {
    "s": "sdg",
    "sdg": "s",
    "t": "tdg",
    "tdg": "t",
    "sx": "sxdg",
    "sxdg": "sx",
}
_INVOLUTIONS = frozenset({"id", "x", "y", "z", "h", "swap"})
_PHASES = {"s": 0.25, "sdg": -0.25, "t": 0.125, "tdg": -0.125}
_ROTATIONS = frozenset({"p", "rx", "ry", "rz", "gphase"})


def scaled(factor: float, angle: Expression) -> Expression:
    """``factor × angle``, folded where the angle is constant."""
    if isinstance(angle, circuit.Constant):
        return circuit.Constant(factor * angle.value)
    if factor == 1:
        return angle
    if factor == -1:
        return circuit.Unary("-", angle)
    return circuit.Binary("*", circuit.Constant(float(factor)), angle)


def total(left: Expression, right: Expression) -> Expression:
    """The sum of two angles, folded where both are constant."""
    if isinstance(left, circuit.Constant) and isinstance(right, circuit.Constant):
        return circuit.Constant(circuit_values.binary("+", left.value, right.value))
    return circuit.Binary("+", left, right)


def inverse(gates: Sequence[Gate]) -> list[Gate]:
    """The inverse of a product of gates."""
    return [_inverse(gate) for gate in reversed(gates)]


def _inverse(gate: Gate) -> Gate:
    name, arguments = gate.name, gate.arguments
    if gate.power != 1:
        return Gate(name, gate.qubits, arguments, gate.controls, -gate.power)
    if name in _INVOLUTIONS:
        return gate
    if name in _ADJOINT:
        return Gate(_ADJOINT[name], gate.qubits, (), gate.controls)
    if name == "u":
        theta, phi, lam = (scaled(-1, argument) for argument in arguments)
        return Gate("u", gate.qubits, (theta, lam, phi), gate.controls)
    return Gate(name, gate.qubits, (scaled(-1, arguments[0]),), gate.controls)


def controlled(gates: Sequence[Gate], controls: Sequence[Control]) -> list[Gate]:
    """Each gate with further controls; a phase on a positive control becomes a ``p`` gate."""
    return [_controlled(gate, (*controls, *gate.controls)) for gate in gates]


def _controlled(gate: Gate, controls: tuple[Control, ...]) -> Gate:
    if gate.name == "gphase" and gate.power == 1:
        for place, control in enumerate(controls):
            if control.value == 1:
                rest = controls[:place] + controls[place + 1 :]
                return Gate("p", (control.qubit,), gate.arguments, rest)
    return Gate(gate.name, gate.qubits, gate.arguments, controls, gate.power)


def repeated(gates: Sequence[Gate], count: int) -> list[Gate]:
    """A product of gates to an integer power; a single base gate stays a single gate."""
    if count < 0:
        return repeated(inverse(gates), -count)
    if len(gates) == 1:
        single = _repeated(gates[0], count)
        return [] if single is None else [single]
    return list(gates) * count


def _repeated(gate: Gate, count: int) -> Gate | None:
    if count in (0, 1):
        return gate if count else None
    if gate.power != 1:
        return Gate(gate.name, gate.qubits, gate.arguments, gate.controls, gate.power * count)
    if gate.name in _INVOLUTIONS:
        return gate if count % 2 else None
    if gate.name in _PHASES:
        turns = _PHASES[gate.name] * count
        angle = circuit.Constant(turns % 1.0 * circuit_values.TURN)
        return Gate("p", gate.qubits, (angle,), gate.controls)
    if gate.name in _ROTATIONS:
        return Gate(gate.name, gate.qubits, (scaled(count, gate.arguments[0]),), gate.controls)
    return Gate(gate.name, gate.qubits, gate.arguments, gate.controls, float(count))


def rooted(gate: Gate, exponent: float) -> Gate | None:
    """A base gate to a real power, its principal value; None where it has no such form.

    The principal power turns each eigenvalue e^{iφ}, -π < φ ≤ π, into e^{iφ·exponent}. Then
    (U^a)^b = U^{ab} holds for -1 < a ≤ 1 and any b.
    """
    if not -1 < gate.power <= 1:
        return None
    return Gate(gate.name, gate.qubits, gate.arguments, gate.controls, gate.power * exponent)
