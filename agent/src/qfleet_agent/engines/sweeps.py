"""The states of a static program at many parameter points, one after the other.

A wide program is fused and built anew for each point (``evolution.Static``). On narrow states building
takes longer than it saves; there runs of fixed gates are built once, and varied gates one by one.
"""

from collections.abc import Sequence

import qulacs

from qfleet_agent.engines import turns, validity
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_agent.engines.evolution import Static
from qfleet_agent.engines.turns import Fixed, Turn
from qfleet_wire import circuit, circuit_facts

_FUSED_FROM = 14
"""Width from which fused gates take less time, building them included (measured)."""


class Sweep:
    """A checked static program; ``steps`` are there where every angle has a derivative."""

    def __init__(self, program: circuit.Program, *, budget: int) -> None:
        validity.check_program(program)
        split = circuit_facts.split_static(program)
        if split is None:
            raise WorkInvalid("the program's outcomes steer it; only gates and final measurements work here")
        self.qubits = program.qubits
        self.parameters = len(program.parameters)
        self.steps: tuple[Turn | Fixed, ...] | None = None
        if turns.smooth(split.gates):
            self.steps = turns.steps(split.gates)
        self._static: Static | None = None
        if self.steps is None or program.qubits >= _FUSED_FROM:
            self._static = Static(program, split, points=2, budget=budget)
        else:
            self._own = qulacs.QuantumState(program.qubits)

    def state(self, values: Sequence[float]) -> qulacs.QuantumState:
        """Return the state of a point, but for its phase; it is valid until the next call.

        Raises:
            WorkInvalid: the point has not a value for each parameter.
            ProgramFailed: an angle is not finite.
        """
        if len(values) != self.parameters:
            raise WorkInvalid(f"a point has {len(values)} values; the program names {self.parameters}")
        if self._static is not None:
            return self._static.state(values)
        self._own.set_zero_state()
        for step in self.steps or ():
            for each in step.forward if isinstance(step, Fixed) else step.at(step.angle(values)):
                each.update_quantum_state(self._own)
        return self._own
