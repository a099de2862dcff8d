"""Static programs as steps that can be gone both ways: runs of fixed gates, and gates with a varied angle.

A varied gate is exp(iθK). Without controls K is a Pauli matrix times a number. Under controls, with the
projector Π on where they act, K is ΠM for a matrix M of one qubit: ΠM = C(M) - C(0), where C(A) is A
under the controls and the identity elsewhere. Phases of the whole state are left out.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import qulacs
from qulacs import gate as gates

from qfleet_agent.engines import fusion, kernels, matrices
from qfleet_agent.engines.errors import ProgramFailed
from qfleet_agent.engines.matrices import Matrix, Primitive
from qfleet_wire import circuit, circuit_facts, circuit_values

Operators: TypeAlias = tuple[tuple[float, qulacs.QuantumGateBase], ...]
"""A sum of operators with their weights; none of them has to be unitary."""

_ROTATIONS: dict[str, Callable[[int, float], qulacs.QuantumGateBase]] = {
    "rx": gates.RotX,
    "ry": gates.RotY,
    "rz": gates.RotZ,
    "p": gates.RotZ,
}
_AXES: dict[str, Callable[[int], qulacs.QuantumGateBase]] = {
    "rx": gates.X,
    "ry": gates.Y,
    "rz": gates.Z,
    "p": gates.Z,
}
"""Of K without controls, which is -1/2 of it; a phase differs from a rotation by one of the whole state."""
_GENERATORS: dict[str, Matrix] = {
    "rx": -0.5 * matrices.FIXED["x"],
    "ry": -0.5 * matrices.FIXED["y"],
    "rz": -0.5 * matrices.FIXED["z"],
    "p": np.diag([0.0, 1.0]).astype(np.complex128),
}
_OWN_INVERSE = frozenset({"x", "y", "z", "h", "swap"})


class Turn(NamedTuple):
    """A gate with one varied argument, and its generator K."""

    gate: circuit.Gate
    generator: Operators

    def angle(self, values: Sequence[float]) -> float:
        """Return the argument at a point.

        Raises:
            ProgramFailed: it is not finite.
        """
        found = float(circuit_values.evaluate(self.gate.arguments[0], values, ()))
        if not math.isfinite(found):
            raise ProgramFailed(f"the argument of gate {self.gate.name} is not finite: {found}")
        return found

    def at(self, angle: float) -> tuple[qulacs.QuantumGateBase, ...]:
        """Build the gate; its inverse is the one at the negative angle. A phase of all is left out."""
        if self.gate.name in _ROTATIONS and not self.gate.controls:
            return (_ROTATIONS[self.gate.name](self.gate.qubits[0], angle),)
        item = matrices.primitive(self.gate, (angle,))
        return () if item is None else (kernels.kernel(item),)


class Fixed(NamedTuple):
    """A run of gates that are the same for all points, and the same taken back."""

    forward: tuple[qulacs.QuantumGateBase, ...]
    back: tuple[qulacs.QuantumGateBase, ...]


def smooth(run: Sequence[circuit.Gate]) -> bool:
    """Whether every varied argument has a derivative, so that there are ``steps``."""
    return all(
        circuit_facts.is_smooth(argument) and (gate.power == 1 or not circuit_facts.reads_parameter(argument))
        for gate in run
        for argument in gate.arguments
    )


def steps(run: Sequence[circuit.Gate]) -> tuple[Turn | Fixed, ...]:
    """Part a smooth program's gates, in order."""
    return tuple(_steps(run))


def _steps(run: Sequence[circuit.Gate]) -> Iterator[Turn | Fixed]:
    waiting: list[circuit.Gate] = []
    for each in run:
        if not any(map(circuit_facts.reads_parameter, each.arguments)):
            waiting.append(each)
            continue
        if waiting:
            yield _fixed(waiting)
            waiting = []
        yield from (Turn(part, _generator(part)) for part in _parts(each))
    if waiting:
        yield _fixed(waiting)


def _fixed(run: list[circuit.Gate]) -> Fixed:
    items: list[Primitive] = []
    for block in fusion.plan(run, fuse=True):
        found = (matrices.primitive(each, _constants(each)) for each in block.gates)
        items += fusion.cheapest([item for item in found if item is not None])
    back = tuple(kernels.kernel(_adjoint(item)) for item in reversed(items))
    return Fixed(tuple(map(kernels.kernel, items)), back)


def _constants(gate: circuit.Gate) -> tuple[float, ...]:
    return tuple(float(circuit_values.evaluate(argument, (), ())) for argument in gate.arguments)


def _adjoint(item: Primitive) -> Primitive:
    if item.name in _OWN_INVERSE:
        return item
    return Primitive(item.targets, item.matrix.conj().T.copy(), item.controls)


def _parts(gate: circuit.Gate) -> Iterator[circuit.Gate]:
    """Write ``u(θ, φ, λ)`` as p(λ), ry(θ), p(φ), in this order, and varied parts or not alike."""
    if gate.name != "u":
        yield gate
        return
    theta, phi, lam = gate.arguments
    yield circuit.Gate("p", gate.qubits, (lam,), gate.controls)
    yield circuit.Gate("ry", gate.qubits, (theta,), gate.controls)
    yield circuit.Gate("p", gate.qubits, (phi,), gate.controls)


def _generator(gate: circuit.Gate) -> Operators:
    if not gate.controls:
        return () if gate.name == "gphase" else ((-0.5, _AXES[gate.name](gate.qubits[0])),)
    target, controls = gate.qubits, gate.controls
    if gate.name == "gphase":
        # A phase where the controls act: the last of them is as good as a target.
        last, controls = controls[-1], controls[:-1]
        return _under(np.diag([1.0 - last.value, float(last.value)]), last.qubit, controls)
    return _under(_GENERATORS[gate.name], target[0], controls)


def _under(
    matrix: npt.NDArray[np.float64] | Matrix, target: int, controls: tuple[circuit.Control, ...]
) -> Operators:
    """Return ΠM as C(M) - C(0)."""
    whole = _controlled(matrix.astype(np.complex128), target, controls)
    if not controls:
        return ((1.0, whole),)
    return (1.0, whole), (-1.0, _controlled(np.zeros((2, 2), np.complex128), target, controls))


def _controlled(
    matrix: Matrix, target: int, controls: tuple[circuit.Control, ...]
) -> qulacs.QuantumGateMatrix:
    built: qulacs.QuantumGateMatrix = gates.DenseMatrix([target], matrix)
    for control in controls:
        built.add_control_qubit(control.qubit, control.value)
    return built
