"""Runs assembled code for many shots at once: shots share a trajectory until an outcome parts them.

All shots of a block start together. At a measurement each shot compares its own number (``draws``)
with the probability of 0; where they differ, the group splits and both parts go on from the same state. A
program with few distinct histories costs as much as its histories, not as its shots, and a shot's
numbers are the same in any group. Of two parts the smaller goes on first, so that at most
log2(group) states wait; ``memory.group`` bounds it where memory is short.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import qulacs
from qulacs import gate

from qfleet_agent.engines.draws import Block
from qfleet_agent.engines.expressions import Slots

CERTAIN = 1e-12
"""An outcome less likely than this is rounding noise and does not happen."""

Shots: TypeAlias = npt.NDArray[np.int64]
Step: TypeAlias = Callable[["Machine"], int]
"""Does one instruction and returns the position of the next."""


class Code(NamedTuple):
    """Assembled instructions; ``stochastic[i]`` says that instruction i draws numbers.

    Position ``len(steps)`` is the end of the program, where the final measurements stand;
    ``len(steps) + 1`` is an ``End`` statement, which they do not follow.
    """

    steps: tuple[Step, ...]
    stochastic: tuple[bool, ...]
    slots: tuple[bool | int | float, ...]


class _Waiting(NamedTuple):
    position: int
    slots: Slots
    state: qulacs.QuantumState | None
    """None stands for the state at the start of the exploration."""
    shots: Shots
    draws: int
    outcome: int
    probability: float


class Machine:
    """A group of shots with equal histories: their state, their classical slots, their place."""

    def __init__(self, qubits: int) -> None:
        self.state = qulacs.QuantumState(qubits)
        self.slots: Slots = []
        self.position = 0
        self.shots: Shots = np.empty(0, np.int64)
        self.draws = 0
        """Draws that each of the shots has made."""
        self._qubits = qubits
        self._block: Block | None = None
        self._waiting: list[_Waiting] = []
        self._spare: list[qulacs.QuantumState] = []
        self._forced: tuple[int, float] | None = None
        self._projectors = [(gate.P0(qubit), gate.P1(qubit)) for qubit in range(qubits)]

    def advance(self, code: Code) -> None:
        """Run from the start to the first instruction that draws, or to the end."""
        self.slots, self.position = list(code.slots), 0
        self.state.set_zero_state()
        end = len(code.steps)
        while self.position < end and not code.stochastic[self.position]:
            self.position = code.steps[self.position](self)

    def explore(self, code: Code, origin: "Machine | None", block: Block, shots: Shots) -> Iterator[None]:
        """Run ``shots`` of a block from where ``origin`` stands; yields at the end of each history.

        Without an origin the start is run again for it, for want of memory. What the machine
        holds when it yields is valid until the next step of the iteration.
        """
        self._block = block
        if origin is None:
            self.advance(code)
            start: Machine = self
        else:
            self.state.load(origin.state)
            start = origin
        self._waiting.append(_Waiting(start.position, start.slots, None, shots, 0, -1, 1.0))
        steps, end = code.steps, len(code.steps)
        while self._waiting:
            position = self._resume(self._waiting.pop())
            while position < end:
                position = steps[position](self)
            self.position = position
            yield

    def measure(self, qubit: int, position: int) -> int:
        """Measure a qubit at ``position`` of the code: draw, split the group, project."""
        if self._forced is None:
            outcome, probability = self._decide(qubit, position)
        else:
            (outcome, probability), self._forced = self._forced, None
        self.draws += 1
        self._projectors[qubit][outcome].update_quantum_state(self.state)
        self.state.normalize(probability)
        return outcome

    def choose(self, change: float, ways: int, position: int) -> int:
        """Let each shot choose by its next number u at ``position`` of the code; the group parts by choices.

        For u < 1 - ``change`` nothing is chosen, 0; else 1 + ⌊(u - (1 - change)) ways / change⌋, which is
        one of ``ways`` alike.
        """
        if len(self.shots) > 1:
            outcome = self._choose_together(change, ways, position)
        else:
            over = float(self.draw()[0]) - (1.0 - change)
            outcome = 0 if over < 0 else 1 + min(int(over * (ways / change)), ways - 1)
        self.draws += 1
        return outcome

    def draw(self) -> npt.NDArray[np.float64]:
        """Return the next number of each shot of the group."""
        assert self._block is not None, "explore sets the block"
        return self._block.draw(self.draws)[self.shots]

    def _decide(self, qubit: int, position: int) -> tuple[int, float]:
        zero, one = weights(self.state, qubit)
        share = zero / (zero + one)
        if not CERTAIN < share < 1 - CERTAIN:
            return (0, zero) if share > 0.5 else (1, one)
        ones = self.draw() >= share
        count = int(np.count_nonzero(ones))
        if count in (0, len(self.shots)):
            return (1, one) if count else (0, zero)
        outcome = int(2 * count <= len(self.shots))
        here = ones if outcome else ~ones
        other = (0, zero) if outcome else (1, one)
        self._waiting.append(
            _Waiting(
                position, list(self.slots), self._copy(self.state), self.shots[~here], self.draws, *other
            )
        )
        self.shots = self.shots[here]
        return (outcome, one if outcome else zero)

    def _choose_together(self, change: float, ways: int, position: int) -> int:
        """Choose, and let the rarest choice go on first: at most half of the group. The rest choose again."""
        over = self.draw() - (1.0 - change)
        if np.all(over < 0):
            return 0
        choices = np.floor(np.clip(over * (ways / change), -1.0, ways - 1.0)).astype(np.int64) + 1
        found, counts = np.unique(choices, return_counts=True)
        outcome = int(found[np.argmin(counts)])
        if len(found) > 1:
            here = choices == outcome
            rest = self.shots[~here]
            self._waiting.append(
                _Waiting(position, list(self.slots), self._copy(self.state), rest, self.draws, -1, 1.0)
            )
            self.shots = self.shots[here]
        return outcome

    def _resume(self, waiting: _Waiting) -> int:
        if waiting.state is not None:
            self._spare.append(self.state)
            self.state = waiting.state
        self.shots, self.draws, self.slots = waiting.shots, waiting.draws, list(waiting.slots)
        self._forced = None if waiting.outcome < 0 else (waiting.outcome, waiting.probability)
        return waiting.position

    def _copy(self, state: qulacs.QuantumState) -> qulacs.QuantumState:
        copy = self._spare.pop() if self._spare else qulacs.QuantumState(self._qubits)
        copy.load(state)
        return copy


def weights(state: qulacs.QuantumState, qubit: int) -> tuple[float, float]:
    """Sums of |ψ|² over the basis states in which a qubit is 0 and 1.

    numpy adds in one fixed order, whatever the number of threads, and does so faster than qulacs.
    """
    halves = state.get_vector().view(np.float64).reshape(-1, 2, 2 << qubit)
    zero, one = np.einsum("ijk,ijk->j", halves, halves)
    return float(zero), float(one)
