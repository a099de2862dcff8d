"""What a noisy program does, counted for ``costs``: by its density matrix, and by trajectories.

A density matrix of n qubits has 4^n numbers; neighbouring gates on one or two qubits and the noise between
them are one pass over it. Of trajectories the shots of a block share one until their first event. With λ
events per shot, spread evenly over the gates, a share 1 - (1 - e^-λ)/λ of a shot's gates is its own.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from qfleet_wire import circuit, circuit_facts, fusion_load, program_load
from qfleet_wire.costs import NOTHING, Load
from qfleet_wire.program_load import ProgramLoad
from qfleet_wire.workload import SHOTS_PER_BLOCK, NoiseModel
from qfleet_wire.workload.noise import Applied, Rules

WIDEST_GROUP = 2
"""Qubits of gates that are put together; a superoperator on n qubits has 16^n entries."""
_CHOICE = Load(turns=0.4)
_DAMPING = Load(turns=0.4, steps=2.0, passes=1.4)
"""Amplitude damping looks at the state before, and sets its norm after."""
_TOGETHER_TURNS = 3.0
"""What a choice of many shots takes beyond that of one."""
_DRAWS = 0.02
"""A shot drawn from the diagonal of a density matrix, in looks into a distribution."""
_RUN = Load(turns=0.1)
_RELOAD_PASSES = 0.3


class Group(NamedTuple):
    """Positions of gates that are one pass: on the same one or two qubits, or one gate on more."""

    qubits: tuple[int, ...]
    gates: list[int]

    @property
    def wide(self) -> bool:
        """Whether it is a gate on more qubits than are put together."""
        return len(self.qubits) > WIDEST_GROUP


def groups(gates: Sequence[circuit.Gate]) -> list[Group]:
    """Group gates; applying the groups in order is applying the gates in order. Qubits are ascending."""
    found: list[Group] = []
    last: dict[int, Group] = {}
    for position, gate in enumerate(gates):
        qubits = tuple(sorted(circuit_facts.qubits_of(gate)))
        if not qubits:
            continue
        around = {id(last[qubit]): last[qubit] for qubit in qubits if qubit in last}
        group = next(iter(around.values())) if len(around) == 1 else None
        if group is None or group.wide or not set(qubits) <= set(group.qubits):
            group = Group(qubits, [])
            for other in around.values() if len(qubits) == WIDEST_GROUP else ():
                if len(other.qubits) == 1:
                    group.gates.extend(other.gates)
                    other.gates.clear()
            found.append(group)
            last.update(dict.fromkeys(qubits, group))
        group.gates.append(position)
    return [group for group in found if group.gates]


def density(gates: Sequence[circuit.Gate], rules: Rules) -> Load:
    """Count making the density matrix of a static program once; ``elements`` are its 4^n numbers."""
    passes = 0.0
    for group in groups(gates):
        passes += 1.0
        if group.wide:
            after = rules.after(gates[group.gates[0]])
            passes += 1.0 + sum(len(each.qubits) + (len(each.qubits) > 1) for each in after)
    parts = len(gates) + sum(len(rules.after(gate)) for gate in gates)
    return Load(items=1, parts=parts, steps=passes, passes=passes)


def drawing(shots: int) -> Load:
    """Count drawing shots from a density matrix."""
    return Load(draws=_DRAWS * shots)


def trajectories(program: circuit.Program, model: NoiseModel, shots: int) -> ProgramLoad:
    """Count a program that is run ``shots`` times per parameter point with its noise; loops once."""
    rules = Rules(model)
    gates = [each for each in circuit_facts.walk(program.body) if isinstance(each, circuit.Gate)]
    after = [applied for gate in gates for applied in rules.after(gate)]
    run = _sum(_gate(gate, program.qubits) for gate in gates)
    run += _sum(_DAMPING if each.channel == "amplitude_damping" else _CHOICE for each in after)
    events = sum(map(_change, after))
    block_shots = max(1, min(shots, SHOTS_PER_BLOCK))
    own = (block_shots - 1) * unshared(events)
    histories = 1 - (block_shots - 1) * math.expm1(-events)
    ends = Load(passes=_RELOAD_PASSES + program_load.READ_PASSES * histories, histories=histories)
    together = Load(turns=_TOGETHER_TURNS * len(after))
    block = run * (1 + own) + together + ends
    if not circuit_facts.is_static(program):
        block += program_load.of_program(program, shots).block
    return ProgramLoad(NOTHING, Load(items=1, parts=len(gates) + len(after)), block, block_shots)


def unshared(events: float) -> float:
    """Share of a shot's gates that it has in common with no other, for so many expected events."""
    return 1.0 + math.expm1(-events) / events if events > 1e-12 else 0.5 * events


def _gate(gate: circuit.Gate, qubits: int) -> Load:
    return fusion_load.count((gate,), qubits).whole + _RUN


def _sum(loads: Iterable[Load]) -> Load:
    return sum(loads, start=NOTHING)


def _change(applied: Applied) -> float:
    """Probability that a channel changes a state; for amplitude damping as if half of the qubits were 1."""
    match applied.channel:
        case "depolarising":
            return applied.probability * (1 - 4.0 ** -len(applied.qubits))
        case "phase_damping":
            return (1 - math.sqrt(1 - applied.probability)) / 2
        case _:
            return applied.probability / 2
