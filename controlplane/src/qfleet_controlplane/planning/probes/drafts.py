"""Random programs whose outcome the control plane knows: hidden groups of qubits, and a network over all.

A group has up to four qubits and a state that is computed here. Then a random network of CX gates runs over
all qubits, so that everything is entangled with everything; whoever knows the network goes back through it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from qfleet_controlplane.planning.probes import states
from qfleet_controlplane.planning.probes.states import State, Stream
from qfleet_wire import circuit

GROUP = 4
"""Most qubits of a group."""
_ONE_QUBIT = ("rx", "ry", "rz", "h", "t", "s", "sx")
_CLIFFORD = ("h", "s", "sdg", "sx", "x", "z")
TURNING = frozenset({"rx", "ry", "rz", "p"})


class Step(NamedTuple):
    """A gate of at most one angle and one control."""

    name: str
    qubit: int
    angle: float = 0.0
    control: int | None = None


class Draft(NamedTuple):
    """A program, the groups of qubits with their states, and the network that ties them together."""

    steps: tuple[Step, ...]
    groups: tuple[tuple[int, ...], ...]
    states: tuple[State, ...]
    network: tuple[tuple[int, int], ...]
    """Control and target of each CX."""


def draft(secret: bytes, qubits: int, gates: int, *, clifford: bool = False) -> Draft:
    """Draw so many gates within the groups, and two CX for each qubit over all."""
    stream = Stream(secret + b"draft")
    order = stream.shuffled(qubits)
    groups = tuple(tuple(order[at : at + GROUP]) for at in range(0, qubits, GROUP))
    evolved: list[State] = [[1.0 + 0j] + [0j] * ((1 << len(group)) - 1) for group in groups]
    steps: list[Step] = []
    for _ in range(gates):
        number = stream.integer(len(groups))
        steps.append(_step(stream, groups[number], evolved[number], clifford=clifford))
    network = []
    for _ in range(2 * qubits if qubits > 1 else 0):
        control, target = stream.integer(qubits), stream.integer(qubits - 1)
        network.append((control, target + (target >= control)))
    return Draft(tuple(steps), groups, tuple(evolved), tuple(network))


def _step(stream: Stream, group: Sequence[int], state: State, *, clifford: bool) -> Step:
    """Draw a gate within a group and apply it to the group's state."""
    place = stream.integer(len(group))
    if len(group) > 1 and stream.integer(3) == 0:
        other = stream.integer(len(group) - 1)
        other += other >= place
        name = "x" if clifford or stream.integer(2) else "p"
        angle = stream.angle() if name == "p" else 0.0
        states.apply(state, states.matrix(name, angle), place, other)
        return Step(name, group[place], angle, group[other])
    names = _CLIFFORD if clifford else _ONE_QUBIT
    name = names[stream.integer(len(names))]
    angle = stream.angle() if name in TURNING else 0.0
    states.apply(state, states.matrix(name, angle), place)
    return Step(name, group[place], angle)


def body(drawn: Draft) -> list[circuit.Statement]:
    """The gates of a draft."""
    steps = (*drawn.steps, *(Step("x", target, control=control) for control, target in drawn.network))
    return [_gate(step) for step in steps]


def before(drawn: Draft, outcome: int) -> int:
    """Send an outcome backwards through the network."""
    for control, target in reversed(drawn.network):
        outcome ^= (outcome >> control & 1) << target
    return outcome


def restricted(outcome: int, group: Sequence[int]) -> int:
    """The bits of an outcome that are a group's."""
    return sum((outcome >> qubit & 1) << place for place, qubit in enumerate(group))


def _gate(step: Step) -> circuit.Gate:
    angles = (circuit.Constant(step.angle),) if step.name in TURNING else ()
    controls = () if step.control is None else (circuit.Control(step.control),)
    return circuit.Gate(step.name, (step.qubit,), angles, controls)  # type: ignore[arg-type]  # names of gates
