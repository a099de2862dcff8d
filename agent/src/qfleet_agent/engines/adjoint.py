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

from qfleet_agent.engines.derivatives import slope
from qfleet_agent.engines.distribution import Distribution
from qfleet_agent.engines.draws import Uniforms
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_agent.engines.hamiltonians import Hamiltonian, Vector
from qfleet_agent.engines.minimising import Point
from qfleet_agent.engines.sweeps import Sweep
from qfleet_agent.engines.turns import Fixed, Turn
from qfleet_wire import circuit, workload


class Parametrised:
    """The cost of a static program's state over its parameters."""

    def __init__(self, work: workload.VariationalMinimise, program: circuit.Program, budget: int) -> None:
        self._sweep = Sweep(program, budget=budget)
        self.parameters = self._sweep.parameters
        self._hamiltonian = Hamiltonian(work.cost, program.qubits)
        self._others: tuple[qulacs.QuantumState, qulacs.QuantumState] | None = None

    def first(self, generator: np.random.Generator, start: int) -> Point:
        """Return where a start begins: anywhere."""
        del start
        return generator.uniform(-math.pi, math.pi, self.parameters)

    def value(self, point: Point) -> float:
        """Return ⟨H⟩."""
        return self._hamiltonian.value(self._sweep.state(point.tolist()))

    def gradient(self, point: Point) -> tuple[float, Point]:
        """Return ⟨H⟩ and its derivatives."""
        if self._sweep.steps is None:
            raise WorkInvalid("a gate's argument has no derivative; use an optimiser without gradients")
        values = point.tolist()
        ket = self._sweep.state(values)
        if self._others is None:
            self._others = (qulacs.QuantumState(self._sweep.qubits), qulacs.QuantumState(self._sweep.qubits))
        bra, spare = self._others
        value = self._hamiltonian.apply(ket, bra, spare)
        slopes = np.zeros(self.parameters)
        for step in reversed(self._sweep.steps):
            if isinstance(step, Fixed):
                back = step.back
            else:
                angle = slope(step.gate.arguments[0], values)
                change = _derivative(step, bra, ket, spare)
                for index, by in angle.by.items():
                    slopes[index] += change * by
                back = step.at(-float(angle.value))
            for each in back:
                each.update_quantum_state(ket)
                each.update_quantum_state(bra)
        return value, slopes

    def sample(self, point: Point, uniforms: Uniforms, flips: Uniforms) -> npt.NDArray[np.int64]:
        """Return an outcome for each number."""
        del flips
        return Distribution(self._sweep.state(point.tolist())).sample(uniforms)

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
