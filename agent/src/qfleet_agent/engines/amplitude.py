"""The engine for ``amplitude.estimate``: the whole loop runs here, on the simulated state vector.

The program's state |ψ⟩ is evolved once. The Grover operator Q = (2|ψ⟩⟨ψ| - 1) S, where S flips the sign of
good outcomes, is then two passes over a vector. Where Q would have to be applied too often, its powers
follow from |ψ⟩ alone: Q^k turns the plane of the good and the bad part of |ψ⟩ by 2kθ, so that the chance
of a good outcome is sin²((2k + 1)θ), with sin²θ that of |ψ⟩ (G. Brassard et al., "Quantum amplitude
amplification and estimation", Contemporary Mathematics 305, 53 (2002), section 2).
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qfleet_agent.engines import confidence, draws, memory
from qfleet_agent.engines.errors import MemoryShort, WorkInvalid
from qfleet_agent.engines.evolution import Plan
from qfleet_agent.engines.finals import check_parameters
from qfleet_wire import workload
from qfleet_wire.workload.amplitude import applies

Vector = npt.NDArray[np.complex128]

LIBRARY_BYTES = 50 * 1024 * 1024
"""What SciPy's special functions take when they are imported."""
STATES = 6
"""Vectors of complex doubles that are held at most: of qulacs, |ψ⟩, Q^k|ψ⟩, good outcomes, intermediates."""


def run(work: workload.Work, *, budget: int, report: Callable[[float], None]) -> workload.AmplitudeResult:
    """Estimate the amplitudes of a work's problems.

    Raises:
        MemoryShort: it does not fit into ``budget`` bytes.
        WorkInvalid, ProgramFailed: it has no meaning.
    """
    if not isinstance(work, workload.AmplitudeEstimate):
        raise WorkInvalid(f"{type(work).__name__} is no work for this engine")
    _check(work, budget)
    values = []
    for number, item in enumerate(work.items):
        values.append(_value(work, item, budget))
        report((number + 1) / len(work.items))
    return workload.AmplitudeResult(tuple(values))


def warm() -> None:
    """Nothing is warmed: SciPy costs too much for tasks that do not need it."""


def _check(work: workload.AmplitudeEstimate, budget: int) -> None:
    needed = memory.states(work.qubits, STATES) + LIBRARY_BYTES
    if needed > budget:
        raise MemoryShort(
            f"estimating over {work.qubits} qubits needs {needed >> 20} MiB and the task may use "
            f"{budget >> 20} MiB: use fewer qubits or a device with more memory"
        )
    if not 0.0 < work.epsilon < 0.5 or not 0.0 < work.alpha < 1.0 or work.round_shots < 1:
        raise WorkInvalid(f"± {work.epsilon} but for {work.alpha} by {work.round_shots} shots means nothing")


def _value(
    work: workload.AmplitudeEstimate, item: workload.AmplitudeItem, budget: int
) -> workload.AmplitudeValue:
    state = _prepared(item, budget)
    chances = Powers(
        state, good_outcomes(item, len(state)), applied=applies(item.program.qubits, work.epsilon)
    )

    def hits(number: int, power: int) -> int:
        seed = workload.block_seed(work.seed, item.index, number)
        return _drawn(chances.chance(power), work.round_shots, seed)

    found = confidence.estimate(
        hits,
        epsilon=work.epsilon,
        alpha=work.alpha,
        shots=work.round_shots,
        confidence=work.confidence,
    )
    lower, upper = (math.sin(angle) ** 2 for angle in found.angles)
    return workload.AmplitudeValue(item.index, (lower + upper) / 2.0, lower, upper, found.rounds)


class Powers:
    """Chances of a good outcome after powers of the Grover operator."""

    def __init__(self, state: Vector, good: npt.NDArray[np.bool_], *, applied: bool) -> None:
        self._state, self._good, self._applied = state, good, applied
        self._vector, self._power = state.copy(), 0
        self._signs = np.where(good, -1.0, 1.0)
        self._spare = np.empty_like(state)
        self._chance = min(1.0, self._weight(state))
        self._angle = math.asin(math.sqrt(self._chance))

    def chance(self, power: int) -> float:
        """Chance of a good outcome of Q^power |ψ⟩; powers come in ascending order."""
        if not self._applied:
            return math.sin((2 * power + 1) * self._angle) ** 2
        if power != self._power:
            for _ in range(self._power, power):
                self._vector *= self._signs
                overlap = np.vdot(self._state, self._vector)
                np.multiply(self._state, 2.0 * overlap, out=self._spare)
                np.subtract(self._spare, self._vector, out=self._vector)
            self._power, self._chance = power, min(1.0, self._weight(self._vector))
        return self._chance

    def _weight(self, vector: Vector) -> float:
        marked = vector[self._good]
        return float(np.vdot(marked, marked).real)


def good_outcomes(item: workload.AmplitudeItem, size: int) -> npt.NDArray[np.bool_]:
    """Which basis states are good.

    Raises:
        WorkInvalid: an objective is no qubit of the program, or is named twice.
    """
    named = item.objective
    if len(set(named)) != len(named) or any(not 0 <= qubit < item.program.qubits for qubit in named):
        raise WorkInvalid(f"the objective {list(named)} names no qubits of the program, or one twice")
    indices = np.arange(size)
    outcomes = np.zeros(size, np.int64)
    for place, qubit in enumerate(named):
        outcomes |= (indices >> qubit & 1) << place
    return np.isin(outcomes, item.good)


def _prepared(item: workload.AmplitudeItem, budget: int) -> Vector:
    plan = Plan(item.program, points=1, budget=budget)
    if plan.static is None or plan.static.finals:
        raise WorkInvalid("the program prepares no state: it measures, resets or branches")
    check_parameters(item.program, ())
    vector: Vector = plan.static.state(()).get_vector()
    return vector


def _drawn(chance: float, shots: int, seed: int) -> int:
    hits = 0
    for number, size in enumerate(draws.sizes(shots)):
        hits += int(np.count_nonzero(draws.uniforms(seed, number)[:size] < chance))
    return hits
