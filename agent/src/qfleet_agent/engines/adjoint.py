"""A program's cost over its parameters, with gradients by the adjoint method.

After Jones and Gacon, arXiv:2009.02823. From the last gate back, ψ is taken to before each gate and λ =
H|ψ⟩ with it. A gate exp(iθK) adds ∂⟨H⟩/∂θ = -2 Im⟨λ|K|ψ⟩ (``turns``). So all derivatives together cost a
few evolutions, however many parameters there are.
"""

import math

import numpy as np
import numpy.typing as npt
import qulacs
from qulacs.state import inner_product

from qfleet_agent.engines import turns, validity
from qfleet_agent.engines.derivatives import slope
from qfleet_agent.engines.distribution import Distribution
from qfleet_agent.engines.draws import Uniforms
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_agent.engines.evolution import Static
from qfleet_agent.engines.hamiltonians import Hamiltonian, Vector
from qfleet_agent.engines.minimising import Point
from qfleet_agent.engines.turns import Fixed, Turn
from qfleet_wire import circuit, circuit_facts, workload

_OWN_WAY = 14
"""Below this width, building fused gates for each point takes longer than they save."""


class Parametrised:
    """The cost of a static program's state over its parameters."""

    def __init__(self, work: workload.VariationalMinimise, program: circuit.Program, budget: int) -> None:
        validity.check_program(program)
        split = circuit_facts.split_static(program)
        if split is None:
            raise WorkInvalid("a program whose outcomes steer it cannot be minimised")
        self.parameters = len(program.parameters)
        self._hamiltonian = Hamiltonian(work.cost, program.qubits)
        self._qubits = program.qubits
        self._steps = turns.steps(split.gates) if turns.smooth(split.gates) else None
        self._static: Static | None = None
        if self._steps is None or program.qubits >= _OWN_WAY:
            self._static = Static(program, split, points=2, budget=budget)
        self._states: list[qulacs.QuantumState] = []

    def first(self, generator: np.random.Generator, start: int) -> Point:
        """Return where a start begins: anywhere."""
        del start
        return generator.uniform(-math.pi, math.pi, self.parameters)

    def value(self, point: Point) -> float:
        """Return ⟨H⟩."""
        return self._hamiltonian.value(self._evolve(point.tolist()))

    def gradient(self, point: Point) -> tuple[float, Point]:
        """Return ⟨H⟩ and its derivatives."""
        if self._steps is None:
            raise WorkInvalid("a gate's argument has no derivative; use an optimiser without gradients")
        values = point.tolist()
        ket = self._evolve(values)
        bra, spare = self._state(1), self._state(2)
        value = self._hamiltonian.apply(ket, bra, spare)
        slopes = np.zeros(self.parameters)
        for step in reversed(self._steps):
            if isinstance(step, Fixed):
                back = step.back
            else:
                angle = slope(step.gate.arguments[0], values)
                change = _derivative(step, bra, ket, spare)
                for index, by in angle.by.items():
                    slopes[index] += change * by
                built = step.back(float(angle.value))
                back = () if built is None else (built,)
            for each in back:
                each.update_quantum_state(ket)
                each.update_quantum_state(bra)
        return value, slopes

    def _evolve(self, values: list[float]) -> qulacs.QuantumState:
        """Return the state of a point, but for its phase; it is valid until the next call."""
        if self._static is not None:
            return self._static.state(values)
        state = self._state(0)
        state.set_zero_state()
        for step in self._steps or ():
            if isinstance(step, Fixed):
                for each in step.forward:
                    each.update_quantum_state(state)
                continue
            built = step.forward(float(slope(step.gate.arguments[0], values).value))
            if built is not None:
                built.update_quantum_state(state)
        return state

    def _state(self, number: int) -> qulacs.QuantumState:
        while len(self._states) <= number:
            self._states.append(qulacs.QuantumState(self._qubits))
        return self._states[number]

    def sample(self, point: Point, uniforms: Uniforms, flips: Uniforms) -> npt.NDArray[np.int64]:
        """Return an outcome for each number."""
        del flips
        return Distribution(self._evolve(point.tolist())).sample(uniforms)

    def costs(self, outcomes: npt.NDArray[np.int64]) -> Vector:
        """Return the cost of each outcome, of a cost that is diagonal."""
        if not self._hamiltonian.whole or self._hamiltonian.diagonal is None:
            raise WorkInvalid("shots are asked of a cost with X or Y, which gives an outcome no cost")
        costs: Vector = self._hamiltonian.diagonal[outcomes]
        return costs


def _derivative(
    step: Turn, bra: qulacs.QuantumState, ket: qulacs.QuantumState, spare: qulacs.QuantumState
) -> float:
    total = 0.0
    for weight, operator in step.generator:
        spare.load(ket)
        operator.update_quantum_state(spare)
        total -= 2.0 * weight * inner_product(bra, spare).imag
    return total
