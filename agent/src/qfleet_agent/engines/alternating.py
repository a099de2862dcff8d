"""QAOA without gates: a phase for each basis state, and a mixer of real matrices (``mixing``).

The cost is a vector, so exp(-iγC) is one elementwise product. Where its values are few (unweighted
graphs), the phases come from a table. Gradients go back through the layers once (Jones and Gacon,
arXiv:2009.02823): both states are taken back layer by layer, at the cost of about four evolutions.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qfleet_agent.engines import hamiltonians
from qfleet_agent.engines.draws import Uniforms
from qfleet_agent.engines.hamiltonians import Vector
from qfleet_agent.engines.minimising import Point
from qfleet_agent.engines.mixing import Mixer, State
from qfleet_wire import workload

_GRID = 1 << 20
"""Weights that are multiples of 1/2^20 add up exactly."""
_TABLE = 1 << 16
_RAMP = 0.75
"""Time of a step of the ramp (Sack and Serbyn, Quantum 5, 491 (2021))."""


class Alternating:
    """The cost of QAOA's state over its angles: all γ, then all β."""

    def __init__(self, cost: workload.Observable, qubits: int, layers: int) -> None:
        self.parameters = 2 * layers
        self._layers = layers
        self._qubits = qubits
        self._folded = qubits > 1 and all(len(term.paulis) % 2 == 0 for term in cost.terms)
        held = qubits - 1 if self._folded else qubits
        # The last qubit is 0 in what is kept, so its Z is 1.
        terms = [
            workload.PauliTerm(term.coefficient, tuple(pair for pair in term.paulis if pair[1] < held))
            for term in cost.terms
        ]
        self._cost = hamiltonians.diagonal_of(terms, held)
        self._phases = _Phases(self._cost, [term.coefficient for term in terms])
        self._mixer = Mixer(held, folded=self._folded)
        self._arrays = [np.empty(1 << held, np.complex128) for _ in range(2)]
        self._scale = _scale(cost, qubits)

    def first(self, generator: np.random.Generator, start: int) -> Point:
        """Return where a start begins: the first on a linear ramp of annealing, the others anywhere."""
        if start == 0:
            steps = (np.arange(self._layers) + 0.5) / self._layers
            return np.concatenate([_RAMP * steps / self._scale, -_RAMP * (1 - steps)])
        gammas = generator.uniform(-1.0, 1.0, self._layers) * (math.pi / 2 / self._scale)
        return np.concatenate([gammas, generator.uniform(-math.pi / 2, math.pi / 2, self._layers)])

    def value(self, point: Point) -> float:
        """Return ⟨C⟩."""
        return self._mean(self._evolve(point))

    def gradient(self, point: Point) -> tuple[float, Point]:
        """Return ⟨C⟩ and its derivatives."""
        ket = self._evolve(point)
        while len(self._arrays) < 4:
            self._arrays.append(np.empty_like(ket))
        _, spare, bra, phases = self._arrays
        np.multiply(ket, self._cost, out=bra)
        value = float(np.vdot(ket, bra).real)
        slopes = np.empty(self.parameters)
        for layer in reversed(range(self._layers)):
            gamma, beta = float(point[layer]), float(point[self._layers + layer])
            slopes[self._layers + layer] = 2.0 * self._mixer.overlap(bra, ket, spare)
            ket, spare = self._mixer.turn(ket, spare, -beta)
            bra, spare = self._mixer.turn(bra, spare, -beta)
            np.multiply(ket, self._cost, out=spare)
            slopes[layer] = 2.0 * float(np.vdot(bra, spare).imag)
            if layer:
                self._phases.write(-gamma, phases)
                ket *= phases
                bra *= phases
        self._arrays = [ket, spare, bra, phases]
        return value, slopes

    def sample(self, point: Point, uniforms: Uniforms, flips: Uniforms) -> npt.NDArray[np.int64]:
        """Return an outcome for each number; ``flips`` choose the half where a state is folded."""
        state = self._evolve(point)
        running = np.cumsum(state.real**2 + state.imag**2)
        found = np.searchsorted(running, uniforms * running[-1], side="right")
        outcomes: npt.NDArray[np.int64] = np.minimum(found, len(state) - 1).astype(np.int64)
        if self._folded:
            outcomes ^= np.where(flips < 0.5, 0, (1 << self._qubits) - 1)
        return outcomes

    def costs(self, outcomes: npt.NDArray[np.int64]) -> Vector:
        """Return the cost of each outcome."""
        held = len(self._cost)
        kept = (
            np.where(outcomes < held, outcomes, (1 << self._qubits) - 1 - outcomes)
            if self._folded
            else outcomes
        )
        costs: Vector = self._cost[kept]
        return costs

    def _evolve(self, point: Point) -> State:
        state, spare = self._arrays[:2]
        self._mixer.start(state)
        for layer in range(self._layers):
            self._phases.write(float(point[layer]), spare)
            state *= spare
            state, spare = self._mixer.turn(state, spare, float(point[self._layers + layer]))
        self._arrays[:2] = state, spare
        return state

    def _mean(self, state: State) -> float:
        parts = state.view(np.float64).reshape(-1, 2)
        return float(self._cost @ np.einsum("ij,ij->i", parts, parts))


class _Phases:
    """exp(-iγC) as a vector, from a table where the values of C lie on a grid that is not too fine."""

    def __init__(self, cost: Vector, weights: Sequence[float]) -> None:
        self._cost = cost
        self._places: npt.NDArray[np.uint16] | None = None
        unit = _unit(weights)
        lowest, highest = float(cost.min()), float(cost.max())
        if unit and (highest - lowest) / unit < _TABLE:
            self._places = ((cost - lowest) / unit).astype(np.uint16)
            self._values = lowest + unit * np.arange(int((highest - lowest) / unit) + 1)

    def write(self, gamma: float, into: State) -> None:
        """Write the phases of all basis states."""
        if self._places is not None:
            np.take(np.exp(-1j * gamma * self._values), self._places, out=into)
            return
        parts = into.view(np.float64).reshape(-1, 2)
        angles = gamma * self._cost
        np.cos(angles, out=parts[:, 0])
        np.sin(angles, out=parts[:, 1])
        np.negative(parts[:, 1], out=parts[:, 1])


def _unit(weights: Sequence[float]) -> float:
    """Return a number of which every weight is a multiple, 0 if none is found."""
    scaled = [weight * _GRID for weight in weights]
    if not all(each.is_integer() and abs(each) < 2.0**52 for each in scaled):
        return 0.0
    return math.gcd(*map(int, scaled)) / _GRID


def _scale(cost: workload.Observable, qubits: int) -> float:
    """Return the typical energy of one qubit, by which angles γ are measured."""
    squares = math.fsum(term.coefficient**2 for term in cost.terms if term.paulis)
    return math.sqrt(2.0 * squares / qubits) or 1.0
