"""Gates on three and four qubits as gates on two, where a cut goes through them.

A gate U under several controls, with V V = U, is

    C_b(V), C_a..X(b), C_b(V†), C_a..X(b), C_a..(V)

in order of application, where b is one control and a.. are the others: lemmas 6.1 and 7.5 of Barenco et al.,
Phys. Rev. A 52, 3457 (1995). A controlled swap is a controlled CX between two plain ones (Nielsen and Chuang,
"Quantum Computation and Quantum Information", exercise 4.25). Which control is b is left to whoever cuts: of
all orders the one with the fewest gates between parts is taken.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from qfleet_wire import circuit_facts
from qfleet_wire.circuit import Control, Gate

MOST_QUBITS = 4
"""Widest gate that is written as gates on two; each more of them makes three times as many."""


def expandable(gate: Gate) -> bool:
    """Whether a gate can be written as gates on one and two qubits here: any but a power of a swap."""
    width = len(circuit_facts.qubits_of(gate))
    return 2 < width <= MOST_QUBITS and (gate.name != "swap" or gate.power == 1)


def expanded(gate: Gate, owner: Mapping[int, int]) -> list[Gate]:
    """Return gates on one and two qubits that do the same, few of them between qubits of different owners."""
    return min(_expansions(gate), key=lambda gates: _crossing(gates, owner))


def pairs(gate: Gate) -> int:
    """Number of gates on two qubits that an expansion has."""
    return sum(len(circuit_facts.qubits_of(each)) == 2 for each in next(_expansions(gate)))


def _crossing(gates: Sequence[Gate], owner: Mapping[int, int]) -> int:
    return sum(len({owner[qubit] for qubit in circuit_facts.qubits_of(gate)}) > 1 for gate in gates)


def _expansions(gate: Gate) -> Iterator[list[Gate]]:
    """A gate, by each order of its controls."""
    around = [Gate("x", (control.qubit,)) for control in gate.controls if not control.value]
    controls = [Control(control.qubit) for control in gate.controls]
    bare = msgspec.structs.replace(gate, controls=())
    if gate.name == "swap":
        one, other = gate.qubits
        around.append(Gate("x", (one,), (), (Control(other),)))
        controls.append(Control(one))
        bare = Gate("x", (other,))
    for order in itertools.permutations(controls):
        yield [*around, *_controlled(bare, order), *reversed(around)]


def _controlled(gate: Gate, controls: tuple[Control, ...]) -> list[Gate]:
    """A gate without controls of its own, under controls that are met by ones."""
    if len(gate.qubits) + len(controls) <= 2:
        return [msgspec.structs.replace(gate, controls=controls)]
    # A phase has no target: one of its controls stands with it in each place.
    fixed = () if gate.qubits else controls[-1:]
    *rest, chosen = controls[: len(controls) - len(fixed)]
    half, back = (msgspec.structs.replace(gate, power=gate.power * share) for share in (0.5, -0.5))
    flipped = _controlled(Gate("x", (chosen.qubit,)), tuple(rest))
    return [
        *_controlled(half, (chosen, *fixed)),
        *flipped,
        *_controlled(back, (chosen, *fixed)),
        *flipped,
        *_controlled(half, (*rest, *fixed)),
    ]
