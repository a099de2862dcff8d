"""Brings a program to its final measurements: all at once if it is static, else history by history.

The answer depends on the program, a parameter point and the blocks' seeds alone; nothing here knows
how a job was split. Where several points begin with the same gates, those are evolved once.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import qulacs

from qfleet_agent.engines import assembly, draws, fusion, memory, validity
from qfleet_agent.engines.expressions import Scope
from qfleet_agent.engines.finals import Final, without_finals
from qfleet_agent.engines.trajectories import Code, Machine
from qfleet_wire import circuit, circuit_facts


class Static:
    """A unitary program: one state per parameter point, exact."""

    def __init__(
        self, program: circuit.Program, split: circuit_facts.Split, *, points: int, budget: int
    ) -> None:
        self.finals = tuple(Final(*measured) for measured in split.measured)
        self._program = program
        blocks = fusion.plan(split.gates, fuse=program.qubits >= fusion.FROM_QUBITS)
        shared = next((index for index, block in enumerate(blocks) if not block.fixed), len(blocks))
        if points < 2 or memory.states(program.qubits, 3) > budget:
            shared = 0
        self._own = blocks[shared:]
        self._state = qulacs.QuantumState(program.qubits)
        self._start: qulacs.QuantumState | None = None
        if shared:
            self._start = qulacs.QuantumState(program.qubits)
            nothing = Scope(program.slots, ())
            start = assembly.circuit_of(
                blocks[:shared], program.qubits, lambda gate: assembly.bound(nothing, gate)
            )
            start.update_quantum_state(self._start)

    def state(self, parameters: Sequence[float]) -> qulacs.QuantumState:
        """Evolve to one parameter point. The state is valid until the next call."""
        scope = Scope(self._program.slots, parameters)
        own = assembly.circuit_of(self._own, self._program.qubits, lambda gate: assembly.bound(scope, gate))
        if self._start is None:
            self._state.set_zero_state()
        else:
            self._state.load(self._start)
        own.update_quantum_state(self._state)
        return self._state


class Dynamic:
    """A program that its own outcomes steer, at one parameter point."""

    def __init__(self, planner: assembly.Planner, parameters: Sequence[float], *, budget: int) -> None:
        program = planner.program
        body, self.finals = without_finals(program.body)
        self._code: Code = assembly.assemble(planner, body, parameters)
        self._origin: Machine | None = None
        if memory.states(program.qubits, 3) <= budget:
            self._origin = Machine(program.qubits)
            self._origin.advance(self._code)
        self._machine = Machine(program.qubits)
        self._group = memory.group(program.qubits, budget)
        self._natural_end = len(self._code.steps)

    def histories(self, seed: int, shots: int) -> Iterator[tuple[Machine, bool]]:
        """Run a block; yields the machine at the end of each history, and whether finals follow."""
        block = draws.Block(seed)
        for first in range(0, shots, self._group):
            group = np.arange(first, min(first + self._group, shots))
            for _ in self._machine.explore(self._code, self._origin, block, group):
                yield self._machine, self._machine.position == self._natural_end


class Plan:
    """A checked program and how to run it; of a static one that is ``drawn`` from only the state is held."""

    def __init__(self, program: circuit.Program, *, points: int, budget: int, drawn: bool = False) -> None:
        validity.check_program(program)
        split = circuit_facts.split_static(program)
        need = memory.drawn if drawn and split is not None else memory.needed
        memory.check(program.qubits, budget, need(program.qubits))
        self.program = program
        self._budget = budget
        self.static = None if split is None else Static(program, split, points=points, budget=budget)
        self._planner = assembly.Planner(program)

    def dynamic(self, parameters: Sequence[float]) -> Dynamic:
        """Prepare a program that is not static for one parameter point."""
        return Dynamic(self._planner, parameters, budget=self._budget)
